//! Starting the role executables.
//!
//! A child inherits standard error and the descriptors that it is given, at
//! 3, 4, 5 and so on, and nothing else: no environment, no signal settings,
//! no other descriptor. Its identity is set between fork and exec. There only
//! async-signal-safe calls are made, on memory prepared before the fork.

mod child;
mod inherit;

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::identity::Credentials;

pub use child::Child;
pub use inherit::{die_with_parent, inherited, parent_pid};

/// Where the inherited descriptors begin.
const FIRST: RawFd = 3;
/// The most descriptors that a child can be given.
pub const MAX_INHERITED: usize = 16;
const CHILD_UMASK: libc::mode_t = 0o077;
/// Exit status of a child that could not become what it should; never seen
/// by callers, who get the error itself.
const EXIT_SETUP: i32 = 71;

/// What to start, and as whom.
#[derive(Debug)]
pub struct Spawn {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    descriptors: Vec<OwnedFd>,
    credentials: Option<Credentials>,
    no_new_privs: bool,
    die_with_parent: bool,
    new_session: bool,
}

impl Spawn {
    /// `program` must be an absolute path; `argv0` is what `ps` shows first.
    pub fn new(program: impl Into<PathBuf>, argv0: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.into(),
            arguments: vec![argv0.as_ref().to_owned()],
            environment: Vec::new(),
            descriptors: Vec::new(),
            credentials: None,
            no_new_privs: false,
            die_with_parent: true,
            new_session: false,
        }
    }

    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// The child's environment holds only what is put here.
    pub fn variable(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The first one given becomes 3, the next 4, and so on.
    pub fn descriptor(mut self, fd: impl Into<OwnedFd>) -> Self {
        self.descriptors.push(fd.into());
        self
    }

    /// Runs the child under this identity; without it, under the caller's.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// The child and its children gain no privileges by `execve`.
    pub fn no_new_privs(mut self, on: bool) -> Self {
        self.no_new_privs = on;
        self
    }

    /// On by default: see [`die_with_parent`].
    pub fn die_with_parent(mut self, on: bool) -> Self {
        self.die_with_parent = on;
        self
    }

    /// The child leads a session of its own, away from the terminal's signals.
    pub fn new_session(mut self, on: bool) -> Self {
        self.new_session = on;
        self
    }

    /// Starts the child. Call it on a thread that lives as long as the
    /// process: the parent-death signal is sent when the *thread* that
    /// started the child ends.
    ///
    /// # Errors
    /// What any step up to and including `execve` gave.
    pub fn spawn(self) -> io::Result<Child> {
        if self.descriptors.len() > MAX_INHERITED || !self.program.is_absolute() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (report, report_end) = pipe()?;
        let plan = Plan::new(&self, &report_end)?;
        let pid = fork(&plan)?;
        drop((plan, report_end));
        let mut child = Child::new(pid);
        match read_report(report)? {
            None => Ok(child),
            Some(error) => {
                child.wait()?;
                Err(error)
            }
        }
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC)?)
}

/// The child's `errno`, or `None` when `execve` has closed the pipe.
fn read_report(report: OwnedFd) -> io::Result<Option<io::Error>> {
    let mut bytes = Vec::new();
    File::from(report).take(4).read_to_end(&mut bytes)?;
    let code = bytes.first_chunk().map(|code| i32::from_ne_bytes(*code));
    Ok(code.map(io::Error::from_raw_os_error))
}

/// Everything the child needs, in memory before the fork.
struct Plan {
    program: CString,
    _strings: Vec<CString>,
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
    /// Copies above the places they are put, so that no move overwrites
    /// another's source.
    sources: Vec<OwnedFd>,
    null: OwnedFd,
    report: OwnedFd,
    identity: Option<Identity>,
    no_new_privs: bool,
    die_with_parent: bool,
    new_session: bool,
    parent: libc::pid_t,
}

struct Identity {
    uid: libc::uid_t,
    gid: libc::gid_t,
    groups: Vec<libc::gid_t>,
}

impl Plan {
    fn new(spawn: &Spawn, report: &OwnedFd) -> io::Result<Self> {
        let above = FIRST + RawFd::try_from(MAX_INHERITED).unwrap_or(RawFd::MAX);
        let lift = |fd: &OwnedFd| -> io::Result<OwnedFd> {
            let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(above))?;
            // SAFETY: fcntl has just made this descriptor for us.
            Ok(unsafe { OwnedFd::from_raw_fd(copy) })
        };
        let arguments = spawn.arguments.iter().map(|a| CString::new(a.as_bytes()));
        let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        let variables = spawn
            .environment
            .iter()
            .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()));
        let variables = variables.collect::<Result<Vec<_>, _>>()?;
        let pointers = |strings: &[CString]| {
            let ends = std::iter::once(std::ptr::null());
            strings.iter().map(|s| s.as_ptr()).chain(ends).collect()
        };
        let null = File::options().read(true).write(true).open("/dev/null")?;
        Ok(Self {
            program: CString::new(spawn.program.as_os_str().as_bytes())?,
            argv: pointers(&arguments),
            envp: pointers(&variables),
            _strings: arguments.into_iter().chain(variables).collect(),
            sources: spawn
                .descriptors
                .iter()
                .map(lift)
                .collect::<io::Result<_>>()?,
            null: lift(&null.into())?,
            report: lift(report)?,
            identity: spawn.credentials.as_ref().map(|c| Identity {
                uid: c.uid.0,
                gid: c.gid.0,
                groups: c.groups.iter().map(|g| g.0).collect(),
            }),
            no_new_privs: spawn.no_new_privs,
            die_with_parent: spawn.die_with_parent,
            new_session: spawn.new_session,
            parent: nix::unistd::getpid().as_raw(),
        })
    }
}

/// Forks with all signals blocked, so that no handler of the parent runs in
/// the child.
fn fork(plan: &Plan) -> io::Result<libc::pid_t> {
    let all = nix::sys::signal::SigSet::all();
    let old = all.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_SETMASK)?;
    // SAFETY: the child calls only `run_child`, which keeps to
    // async-signal-safe calls and never returns.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        run_child(plan);
    }
    let failed = (pid < 0).then(io::Error::last_os_error);
    old.thread_set_mask()?;
    failed.map_or(Ok(pid), Err)
}

/// Between fork and exec: allocates nothing, takes no lock, cannot panic.
fn run_child(plan: &Plan) -> ! {
    // SAFETY: plain system calls on numbers and on pointers into `plan`,
    // whose memory this process has its own copy of; argv and envp end with
    // null and point to strings that `plan` owns.
    unsafe {
        if become_child(plan).is_ok() {
            libc::execve(
                plan.program.as_ptr(),
                plan.argv.as_ptr(),
                plan.envp.as_ptr(),
            );
        }
        let code = (*libc::__errno_location()).to_ne_bytes();
        libc::write(plan.report.as_raw_fd(), code.as_ptr().cast(), code.len());
        libc::_exit(EXIT_SETUP)
    }
}

/// Marks a failed step; its reason is in `errno`.
struct Failed;

fn check(result: libc::c_int) -> Result<(), Failed> {
    if result == -1 { Err(Failed) } else { Ok(()) }
}

/// # Safety
/// Only in a freshly forked child.
unsafe fn become_child(plan: &Plan) -> Result<(), Failed> {
    // SAFETY: system calls that take numbers, or pointers with lengths of
    // memory that lives in `plan`; allowed between fork and exec.
    unsafe {
        if plan.new_session {
            check(libc::setsid())?;
        }
        place_descriptors(plan)?;
        libc::umask(CHILD_UMASK);
        check(libc::chdir(c"/".as_ptr()))?;
        if let Some(identity) = &plan.identity {
            check(libc::setgroups(
                identity.groups.len(),
                identity.groups.as_ptr(),
            ))?;
            check(libc::setresgid(identity.gid, identity.gid, identity.gid))?;
            check(libc::setresuid(identity.uid, identity.uid, identity.uid))?;
        }
        if plan.no_new_privs {
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        }
        if plan.die_with_parent {
            // After the change of user, which clears it.
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM, 0, 0, 0))?;
            if libc::getppid() != plan.parent {
                libc::_exit(EXIT_SETUP);
            }
        }
        reset_signals();
    }
    Ok(())
}

/// # Safety
/// Only in a freshly forked child.
unsafe fn place_descriptors(plan: &Plan) -> Result<(), Failed> {
    // SAFETY: dup2 and close_range on numbers; the sources lie above every
    // target, so none is overwritten.
    unsafe {
        for target in [0, 1] {
            check(libc::dup2(plan.null.as_raw_fd(), target))?;
        }
        let mut next = FIRST;
        for source in &plan.sources {
            check(libc::dup2(source.as_raw_fd(), next))?;
            next += 1;
        }
        // Whatever else is open ends at exec, should anybody have forgotten
        // the flag; a kernel without this call relies on the flags alone.
        libc::syscall(
            libc::SYS_close_range,
            next.cast_unsigned(),
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        );
    }
    Ok(())
}

/// # Safety
/// Only in a freshly forked child with all signals blocked.
unsafe fn reset_signals() {
    // SAFETY: signal and sigprocmask take numbers and a set on our stack;
    // the two that cannot be changed just fail.
    unsafe {
        for signal in 1..=libc::SIGRTMAX() {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

#[cfg(test)]
mod tests;
