//! Other programs that work as an account's owner, who may stop them, or have
//! them say what he likes.
//!
//! What must stay true: nobody is waited for who says nothing, and of what is said
//! on standard error no more is kept than a person reads.

use std::fmt;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

/// Octets of standard error that are kept.
const MAX_ERRORS: usize = 64 << 10;
const CHUNK: usize = 64 << 10;
/// Chunks that wait to be taken.
const CHUNKS: usize = 4;
/// Between two looks at whether one that says no more has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// How a program ended that did.
pub struct Ended {
    pub status: ExitStatus,
    /// What it said of errors.
    pub errors: String,
}

impl Ended {
    /// `None` if a signal ended it.
    pub fn code(&self) -> Option<u8> {
        self.status.code().and_then(|code| u8::try_from(code).ok())
    }
}

/// Why it came to no end of its own.
#[derive(Debug)]
pub enum Trouble {
    Start(io::Error),
    /// For so long.
    Silent(Duration),
    TooMuch,
}

impl Trouble {
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Start(e) if e.kind() == io::ErrorKind::NotFound)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(e) => e.fmt(f),
            Self::Silent(time) => write!(f, "it said nothing for {} seconds", time.as_secs()),
            Self::TooMuch => f.write_str("it says more than is read"),
        }
    }
}

enum Heard {
    Output(Vec<u8>),
    Error(Vec<u8>),
}

/// Runs it to its end; `take` is given its output in pieces, and says false where
/// that is too much. It is ended where it says nothing for the time of `silence`.
pub fn run(
    command: &mut Command,
    silence: Duration,
    take: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<Ended, Trouble> {
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(Trouble::Start)?;
    let mut errors = Vec::new();
    let status = listen(&mut child)
        .and_then(|heard| follow(&heard, silence, take, &mut errors))
        .and_then(|()| await_end(&mut child, silence));
    if status.is_err() {
        // One that is stopped ends by this, too.
        let _ = child.kill();
        let _ = child.wait();
    }
    Ok(Ended {
        status: status?,
        errors: String::from_utf8_lossy(&errors).into_owned(),
    })
}

fn listen(child: &mut Child) -> Result<Receiver<Heard>, Trouble> {
    let (to, heard) = mpsc::sync_channel(CHUNKS);
    if let Some(pipe) = child.stdout.take() {
        hear(pipe, to.clone(), Heard::Output).map_err(Trouble::Start)?;
    }
    if let Some(pipe) = child.stderr.take() {
        hear(pipe, to, Heard::Error).map_err(Trouble::Start)?;
    }
    Ok(heard)
}

fn hear(
    mut pipe: impl Read + Send + 'static,
    to: SyncSender<Heard>,
    heard: fn(Vec<u8>) -> Heard,
) -> io::Result<()> {
    let read = move || {
        let mut buffer = vec![0; CHUNK];
        while let Ok(n @ 1..) = pipe.read(&mut buffer) {
            let chunk = buffer.get(..n).unwrap_or_default().to_vec();
            if to.send(heard(chunk)).is_err() {
                break;
            }
        }
    };
    thread::Builder::new().spawn(read).map(drop)
}

/// Until it has closed both.
fn follow(
    heard: &Receiver<Heard>,
    silence: Duration,
    take: &mut dyn FnMut(&[u8]) -> bool,
    errors: &mut Vec<u8>,
) -> Result<(), Trouble> {
    loop {
        match heard.recv_timeout(silence) {
            Ok(Heard::Output(chunk)) => {
                if !take(&chunk) {
                    return Err(Trouble::TooMuch);
                }
            }
            Ok(Heard::Error(mut chunk)) => {
                chunk.truncate(MAX_ERRORS.saturating_sub(errors.len()));
                errors.append(&mut chunk);
            }
            Err(RecvTimeoutError::Timeout) => return Err(Trouble::Silent(silence)),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn await_end(child: &mut Child, silence: Duration) -> Result<ExitStatus, Trouble> {
    let since = Instant::now();
    loop {
        match child.try_wait().map_err(Trouble::Start)? {
            Some(status) => return Ok(status),
            None if since.elapsed() > silence => return Err(Trouble::Silent(silence)),
            None => thread::sleep(PAUSE),
        }
    }
}

/// A sink for [`run`] that keeps all of it, up to `max` octets.
pub fn up_to(max: usize, all: &mut Vec<u8>) -> impl FnMut(&[u8]) -> bool + '_ {
    move |chunk| {
        all.extend_from_slice(chunk);
        all.len() <= max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVER: Duration = Duration::from_secs(3600);

    fn sh(script: &str, silence: Duration, max: usize) -> (Result<Ended, Trouble>, Vec<u8>) {
        let mut all = Vec::new();
        let mut command = Command::new("sh");
        let ended = run(
            command.args(["-c", script]),
            silence,
            &mut up_to(max, &mut all),
        );
        (ended, all)
    }

    #[test]
    fn what_it_says_and_how_it_ends() {
        let (ended, said) = sh("echo out; echo error >&2; exit 7", EVER, 100);
        let ended = ended.unwrap();
        assert_eq!((ended.code(), said.as_slice()), (Some(7), &b"out\n"[..]));
        assert_eq!(ended.errors, "error\n");
        assert_eq!(sh("kill -9 $$", EVER, 100).0.unwrap().code(), None);
        let many = "head -c 200000 /dev/zero >&2";
        assert_eq!(sh(many, EVER, 100).0.unwrap().errors.len(), MAX_ERRORS);
    }

    /// Its owner may stop it at any moment.
    #[test]
    fn one_that_is_stopped_is_given_up() {
        let soon = Duration::from_millis(100);
        for script in ["kill -STOP $$", "exec >&- 2>&-; kill -STOP $$"] {
            let (ended, _) = sh(script, soon, 100);
            assert!(matches!(ended, Err(Trouble::Silent(_))), "{script}");
        }
    }

    #[test]
    fn one_that_talks_for_ever_is_cut_short() {
        let (ended, said) = sh("yes", EVER, 10_000);
        assert!(matches!(ended, Err(Trouble::TooMuch)));
        assert!(said.len() <= 10_000 + CHUNK);
        let mut missing = Command::new("/no/such/program");
        let trouble = run(&mut missing, EVER, &mut |_| true).err().unwrap();
        assert!(trouble.is_missing());
    }
}
