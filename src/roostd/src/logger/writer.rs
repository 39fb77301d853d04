//! The one thread that writes the log. The queue before it is bounded and
//! putting a line into it never waits, so that a syslogd that hangs or is
//! away costs log lines, never mail service; how many is reported once it is
//! back.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use roost_types::LogLevel;

use super::sink::{Line, Sink, Target};

/// Lines that may wait, some 150 octets each as a rule.
const QUEUE: usize = 4096;
/// Waits between two attempts to reach syslogd.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How often a wait looks whether it should end.
const STEP: Duration = Duration::from_millis(50);
/// How long the last lines may take when the program ends.
const FLUSH_TIME: Duration = Duration::from_secs(2);

/// Hands lines to the writer thread.
#[derive(Clone)]
pub struct Queue {
    lines: SyncSender<Item>,
    shared: Arc<Shared>,
}

/// `None` only wakes the thread up.
type Item = Option<Line>;

#[derive(Default)]
struct Shared {
    dropped: AtomicU64,
    closing: AtomicBool,
    /// A target that is to be used from the next line on.
    target: Mutex<Option<Target>>,
}

/// The thread itself; see [`Writer::close`].
pub struct Writer {
    thread: JoinHandle<()>,
    lines: SyncSender<Item>,
    shared: Arc<Shared>,
}

/// Starts the thread.
pub fn start(target: &Target) -> io::Result<(Queue, Writer)> {
    let (lines, receiver) = sync_channel(QUEUE);
    let shared = Arc::new(Shared::default());
    let of_thread = Arc::clone(&shared);
    let sink = Sink::new(target);
    let thread = thread::Builder::new()
        .name("log".into())
        .spawn(move || run(sink, &receiver, &of_thread))?;
    let queue = Queue {
        lines: lines.clone(),
        shared: Arc::clone(&shared),
    };
    let writer = Writer {
        thread,
        lines,
        shared,
    };
    Ok((queue, writer))
}

impl Queue {
    /// Never waits; a line that finds no room is counted.
    pub fn put(&self, line: Line) {
        match self.lines.try_send(Some(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.add_dropped(1),
        }
    }

    /// Counts lines that got lost before they came here.
    pub fn add_dropped(&self, n: u64) {
        self.shared.dropped.fetch_add(n, Ordering::Relaxed);
    }

    pub fn set_target(&self, target: Target) {
        *lock(&self.shared.target) = Some(target);
    }
}

impl Writer {
    /// Writes what is queued and ends; gives up after [`FLUSH_TIME`].
    pub fn close(self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        // With a full queue the thread is awake anyway.
        let _ = self.lines.try_send(None);
        let end = Instant::now() + FLUSH_TIME;
        while !self.thread.is_finished() && Instant::now() < end {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(mut sink: Sink, lines: &Receiver<Item>, shared: &Shared) {
    loop {
        let next = if shared.closing.load(Ordering::Relaxed) {
            lines.try_recv().ok()
        } else {
            lines.recv().ok()
        };
        match next {
            None => return,
            Some(None) => {}
            Some(Some(line)) if write(&mut sink, &line, shared) => {
                report_dropped(&mut sink, shared);
            }
            Some(Some(_)) => {
                shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Writes `line`, however long that takes; false when it had to be given up.
fn write(sink: &mut Sink, line: &Line, shared: &Shared) -> bool {
    let mut wait = FIRST_WAIT;
    loop {
        if let Some(target) = lock(&shared.target).take() {
            *sink = Sink::new(&target);
        }
        let Err(error) = sink.write(line) else {
            return true;
        };
        let too_long = error.raw_os_error() == Some(nix::errno::Errno::EMSGSIZE as i32);
        if too_long || matches!(sink, Sink::Stderr { .. }) {
            return false;
        }
        if !sleep(wait, shared) {
            return false;
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// False when the program is about to end.
fn sleep(wait: Duration, shared: &Shared) -> bool {
    let end = Instant::now() + wait;
    while Instant::now() < end {
        if shared.closing.load(Ordering::Relaxed) {
            return false;
        }
        if lock(&shared.target).is_some() {
            return true;
        }
        thread::sleep(STEP);
    }
    true
}

fn report_dropped(sink: &mut Sink, shared: &Shared) {
    let dropped = shared.dropped.swap(0, Ordering::Relaxed);
    if dropped == 0 {
        return;
    }
    let line = Line {
        level: LogLevel::Failures,
        pid: std::process::id(),
        text: format!("IMAP: {dropped} log records dropped"),
    };
    if sink.write(&line).is_err() {
        shared.dropped.fetch_add(dropped, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    fn line(text: &str) -> Line {
        Line {
            level: LogLevel::Major,
            pid: 1,
            text: text.into(),
        }
    }

    fn receive(socket: &UnixDatagram) -> String {
        let mut buf = [0; 2048];
        let n = socket.recv(&mut buf).unwrap();
        String::from_utf8(buf[..n].to_vec()).unwrap()
    }

    #[test]
    fn lines_wait_for_syslogd_and_drops_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (queue, writer) = start(&Target::Syslog {
            ident: "roost".into(),
            facility: 2,
            socket: path.clone(),
        })
        .unwrap();
        for n in 0..QUEUE + 10 {
            queue.put(line(&format!("line {n}")));
        }
        let server = UnixDatagram::bind(&path).unwrap();
        assert!(receive(&server).ends_with("line 0"));
        let report = receive(&server);
        assert!(report.contains("log records dropped"), "{report}");
        assert!(receive(&server).ends_with("line 1"));
        // Let the thread run free of the full socket.
        let reader = thread::spawn(move || {
            server
                .set_read_timeout(Some(Duration::from_secs(1)))
                .unwrap();
            let mut buf = [0; 2048];
            while server.recv(&mut buf).is_ok() {}
        });
        drop(queue);
        writer.close();
        reader.join().unwrap();
    }

    #[test]
    fn closing_does_not_wait_for_an_absent_syslogd() {
        let (queue, writer) = start(&Target::Syslog {
            ident: "roost".into(),
            facility: 2,
            socket: "/nonexistent/log".into(),
        })
        .unwrap();
        queue.put(line("never seen"));
        let begin = Instant::now();
        writer.close();
        assert!(begin.elapsed() < FLUSH_TIME);
    }

    #[test]
    fn the_target_can_change_while_lines_wait() {
        let dir = tempfile::tempdir().unwrap();
        let syslog = |path: &std::path::Path| Target::Syslog {
            ident: "roost".into(),
            facility: 2,
            socket: path.into(),
        };
        let (queue, writer) = start(&syslog(&dir.path().join("nowhere"))).unwrap();
        queue.put(line("kept"));
        let path = dir.path().join("log");
        let server = UnixDatagram::bind(&path).unwrap();
        queue.set_target(syslog(&path));
        assert!(receive(&server).ends_with("kept"));
        writer.close();
    }
}
