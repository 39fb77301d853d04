//! A role's process and its place in the supervisor: started, watched, ended.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use roost_ipc::{AuthToSupervisor, GateToSupervisor, Message, WorkerToSupervisor};
use roost_os::identity::Credentials;
use roost_os::spawn::{Child, Spawn};
use roost_os::{UserId, fdpass};
use tokio::sync::mpsc;

use crate::control::Asked;
use crate::link::{Inbound, Link, collect_log};
use crate::logger::Log;
use crate::roles::Role;

/// What a dead process sent last may still be on its way to us.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Something from outside, mostly from a child; `generation` tells a process from the one that
/// had its place before.
#[derive(Debug)]
pub enum Event {
    Gate(u64, Inbound<GateToSupervisor>),
    Auth(u64, Inbound<AuthToSupervisor>),
    Worker(UserId, u64, Inbound<WorkerToSupervisor>),
    /// From a local program.
    Control(Asked),
}

/// What to start.
pub struct Plan<'a> {
    pub role: Role,
    pub program: &'a Path,
    /// Taken between fork and exec; `None`: the supervisor's own.
    pub credentials: Option<Credentials>,
    pub no_new_privs: bool,
    /// Descriptor 5.
    pub peer: Option<OwnedFd>,
    pub generation: u64,
    pub log: &'a Log,
}

/// A live process with its control socket.
pub struct Running<Tx> {
    pub link: Link<Tx>,
    pub generation: u64,
    /// The process has said that its setup is in force.
    pub ready: bool,
    pub started: Instant,
    child: Child,
    role: Role,
    /// It was reaped, but its socket's end has not been seen yet.
    ended: Option<Instant>,
}

impl<Tx: Message + Send + Sync + 'static> Running<Tx> {
    /// Starts the process; `event` makes events of what it says.
    pub fn start<Rx, E>(plan: Plan<'_>, events: mpsc::Sender<Event>, event: E) -> io::Result<Self>
    where
        Rx: Message + Send + Sync + 'static,
        E: Fn(Inbound<Rx>) -> Event + Send + Sync + 'static,
    {
        let (control, control_end) = fdpass::seqpacket_pair()?;
        let (records, records_end) = fdpass::seqpacket_pair()?;
        fdpass::refuse_descriptors(&records);
        if plan.role == Role::Worker {
            fdpass::refuse_descriptors(&control);
        }
        let link = Link::open(control, move |inbound| {
            let events = events.clone();
            let event = event(inbound);
            async move { events.send(event).await.is_ok() }
        })?;
        let mut spawn = Spawn::new(plan.program, plan.role.executable())
            .descriptor(control_end)
            .descriptor(records_end)
            // Ctrl-C at the terminal is the supervisor's to deal with.
            .new_session(true)
            .no_new_privs(plan.no_new_privs);
        if let Some(peer) = plan.peer {
            spawn = spawn.descriptor(peer);
        }
        if let Some(credentials) = plan.credentials {
            spawn = spawn.credentials(credentials);
        }
        let child = spawn.spawn()?;
        let log = plan.log.clone();
        let writes_whole = plan.role != Role::Worker;
        collect_log(records, pid(&child), writes_whole, move |pid, record| {
            log.put(pid, record);
        })?;
        log::debug!("{} started, pid {}", plan.role.executable(), child.pid());
        Ok(Self {
            link,
            generation: plan.generation,
            ready: false,
            started: Instant::now(),
            child,
            role: plan.role,
            ended: None,
        })
    }
}

fn pid(child: &Child) -> u32 {
    child.pid().unsigned_abs()
}

impl<Tx> Running<Tx> {
    pub fn pid(&self) -> u32 {
        pid(&self.child)
    }

    /// Reaps the process if it has ended. Its socket's end is the signal to
    /// act on; [`Running::overdue`] is for sockets that a grandchild keeps.
    pub fn reap(&mut self, now: Instant, expected: bool) {
        if self.ended.is_some() {
            return;
        }
        match self.child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => {
                report(self.role, self.child.pid(), status, expected);
                self.ended = Some(now + LAST_WORDS);
            }
            Err(error) => log::error!("cannot wait for {}: {error}", self.role.executable()),
        }
    }

    /// When a process that was reaped counts as gone though its socket is
    /// open still.
    pub fn overdue(&self) -> Option<Instant> {
        self.ended
    }

    /// Gives up the process: it is killed at `kill_at` unless it ends before.
    pub fn retire(self, kill_at: Option<Instant>, expected: bool) -> Retired {
        let mut retired = Retired {
            child: self.child,
            role: self.role,
            kill_at,
            expected,
            reported: self.ended.is_some(),
        };
        if kill_at.is_none() {
            retired.kill();
        }
        retired
    }
}

/// A process that has no place any more and is only waited for.
pub struct Retired {
    child: Child,
    role: Role,
    kill_at: Option<Instant>,
    expected: bool,
    reported: bool,
}

impl Retired {
    /// True when it is gone for good.
    pub fn reap(&mut self, now: Instant) -> bool {
        match self.child.try_wait() {
            Ok(None) => {
                if self.kill_at.is_some_and(|at| at <= now) {
                    log::warn!(
                        "{} (pid {}) does not end and is killed",
                        self.role.executable(),
                        self.child.pid()
                    );
                    self.kill();
                }
                false
            }
            Ok(Some(status)) => {
                if !self.reported {
                    report(self.role, self.child.pid(), status, self.expected);
                }
                true
            }
            Err(error) => {
                log::error!("cannot wait for {}: {error}", self.role.executable());
                true
            }
        }
    }

    pub fn kill_at(&self) -> Option<Instant> {
        self.kill_at
    }

    pub fn kill(&mut self) {
        self.kill_at = None;
        if let Err(error) = self.child.kill() {
            log::error!("cannot kill {}: {error}", self.role.executable());
        }
    }
}

fn report(role: Role, pid: i32, status: ExitStatus, expected: bool) {
    let name = role.executable();
    if expected && status.success() {
        log::debug!("{name} (pid {pid}) ended");
    } else {
        log::error!("{name} (pid {pid}) ended: {status}");
    }
}
