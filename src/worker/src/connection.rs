//! Drives one session over its connection: octets in, frames, steps, octets
//! out.
//!
//! Commands are carried out strictly in the order in which they came. Output
//! goes out when it has grown, and before anything is waited for; between two
//! steps of a long command the connection is looked at, so that a client that
//! is gone stops its job. One that has only closed its own side, as `nc` does
//! behind piped commands, gets all its answers.

use crate::stream::Stream;
use roost_imap::write::{self, Status};
use roost_imap::{Frame, Framer, Limits, ResponseCode, Tag};
use roost_ipc::log::escape;
use roost_ipc::{EndReason, LogLevel, SessionCounts, SessionEnd, slog};
use roost_session::session::Progress;
use roost_session::{End, Session};
use roost_types::SessionId;
use std::io;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// Output is sent when there is so much of it.
const FLUSH: usize = 32 << 10;
/// Less of it waits no longer than this while a command runs.
const LINGER: Duration = Duration::from_millis(500);
/// Input is not read ahead beyond this while a command runs.
const READ_AHEAD: usize = 64 << 10;
/// A client that has closed its side may still wait for answers; a command
/// that has none for so long is given up then.
const HALF_CLOSED: Duration = Duration::from_secs(5);
/// Between two signs of life in IDLE, for clients and for NAT boxes.
const KEEP_ALIVE: Duration = Duration::from_secs(120);
/// For a last word to a client that may no longer listen.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Why a session is to end, from outside; `None` while it may go on.
pub type Ending = watch::Receiver<Option<EndReason>>;

pub struct Connection {
    stream: Stream,
    framer: Framer,
    /// `None` only while a step has it, and after a panic.
    session: Option<Box<Session>>,
    id: SessionId,
    out: Vec<u8>,
    ending: Ending,
    idle_timeout: Duration,
    /// When the client was last heard.
    heard: Instant,
    /// When output last went out.
    flushed: Instant,
    /// When the client, its side being closed, last took anything.
    half_closed: Option<Instant>,
}

/// What ends the loop.
enum Stop {
    Reason(EndReason),
    Io(io::Error),
    Panic,
}

impl From<io::Error> for Stop {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

impl Connection {
    pub fn new(
        mut stream: Stream,
        session: Session,
        leftover: &[u8],
        ending: Ending,
        idle_timeout: Duration,
    ) -> Self {
        let mut framer = Framer::new(Limits::AUTHENTICATED);
        framer.push(leftover);
        stream.bytes_in += leftover.len() as u64;
        let id = session.identity().session;
        Self {
            stream,
            framer,
            session: Some(Box::new(session)),
            id,
            out: Vec::new(),
            ending,
            idle_timeout,
            heard: Instant::now(),
            flushed: Instant::now(),
            half_closed: None,
        }
    }

    /// Answers the login command `tag` and serves the client to the end.
    pub async fn run(mut self, tag: &Tag) -> SessionEnd {
        if let Some(session) = &self.session {
            session.greet(tag, &mut self.out);
        }
        let reason = match self.serve().await {
            Stop::Reason(reason) => reason,
            Stop::Io(e) => {
                slog!(self.id, LogLevel::LowLevel, "connection: {e}");
                EndReason::Disconnected
            }
            Stop::Panic => {
                write::bye(&mut self.out, None, "Internal error");
                EndReason::ServerError
            }
        };
        self.last_word(reason).await;
        SessionEnd {
            session: self.id,
            reason,
            counts: self.counts(),
        }
    }

    fn counts(&self) -> SessionCounts {
        let session = self.session.as_deref();
        let done = session.map(Session::counters).unwrap_or_default();
        SessionCounts {
            bytes_in: self.stream.bytes_in,
            bytes_out: self.stream.bytes_out,
            deleted: done.deleted,
            expunged: done.expunged,
            header_count: done.header_count,
            header_bytes: done.header_bytes,
            body_count: done.body_count,
            body_bytes: done.body_bytes,
        }
    }

    async fn serve(&mut self) -> Stop {
        let mut progress = Progress::Next;
        loop {
            let next = match progress {
                Progress::More => self.more().await,
                Progress::Next => self.next().await,
                Progress::AcceptAppend => {
                    self.framer.accept_append();
                    Ok(Progress::Next)
                }
                Progress::RefuseAppend => {
                    self.framer.refuse_append();
                    Ok(Progress::Next)
                }
                Progress::Idle => self.idle().await,
                Progress::End(end) => Err(Stop::Reason(reason_of(end))),
            };
            match next {
                Ok(next) => progress = next,
                Err(stop) => return stop,
            }
        }
    }

    /// The next step of a command; what the step before produced goes out
    /// first once it is worth a packet.
    async fn more(&mut self) -> Result<Progress, Stop> {
        let waits = !self.out.is_empty() && self.flushed.elapsed() >= LINGER;
        if waits || self.out.len() >= FLUSH {
            self.flush().await?;
        }
        self.look_at_the_client()?;
        self.step(Session::step).await
    }

    async fn next(&mut self) -> Result<Progress, Stop> {
        loop {
            if let Some(frame) = self.framer.next_frame() {
                return self.take(frame).await;
            }
            self.flush().await?;
            self.fill().await?;
        }
    }

    async fn take(&mut self, frame: Frame) -> Result<Progress, Stop> {
        self.trace(&frame);
        if let Frame::NeedContinuation = frame {
            // The session has no part in it, but the client waits.
            write::continuation(&mut self.out, "OK");
            return Ok(Progress::Next);
        }
        if self.out.len() >= FLUSH {
            self.flush().await?;
        }
        self.step(move |session, out| session.take(frame, out))
            .await
    }

    /// In IDLE: waits for DONE, for changes, and for the time to say
    /// something.
    async fn idle(&mut self) -> Result<Progress, Stop> {
        self.framer.expect_done();
        let mut changes = self.session.as_deref().and_then(Session::watch);
        let mut keep_alive = Instant::now() + KEEP_ALIVE;
        // What happened between the session's last look and this watch.
        if changes.is_some() {
            let progress = self.step(Session::changed).await?;
            if progress != Progress::Idle {
                return Ok(progress);
            }
        }
        loop {
            if let Some(frame) = self.framer.next_frame() {
                return self.take(frame).await;
            }
            self.flush().await?;
            tokio::select! {
                filled = fill(&mut self.stream, &mut self.framer) => {
                    filled?;
                    self.heard = Instant::now();
                }
                () = changed(&mut changes) => {
                    let progress = self.step(Session::changed).await?;
                    if progress != Progress::Idle {
                        return Ok(progress);
                    }
                }
                () = sleep_until(keep_alive) => {
                    write::untagged(&mut self.out, Status::Ok, None, "Still here");
                    keep_alive = Instant::now() + KEEP_ALIVE;
                }
                () = sleep_until(self.heard + self.idle_timeout) => {
                    return Err(Stop::Reason(EndReason::Timeout));
                }
                reason = ended(&mut self.ending) => return Err(Stop::Reason(reason)),
            }
        }
    }

    /// Waits for octets from the client, within the time for that.
    async fn fill(&mut self) -> Result<(), Stop> {
        tokio::select! {
            filled = fill(&mut self.stream, &mut self.framer) => filled?,
            () = sleep_until(self.heard + self.idle_timeout) => {
                return Err(Stop::Reason(EndReason::Timeout));
            }
            reason = ended(&mut self.ending) => return Err(Stop::Reason(reason)),
        }
        self.heard = Instant::now();
        Ok(())
    }

    /// While a command runs: is the client still there, may it go on?
    fn look_at_the_client(&mut self) -> Result<(), Stop> {
        if let Some(reason) = *self.ending.borrow() {
            return Err(Stop::Reason(reason));
        }
        match self.half_closed {
            Some(since) if since.elapsed() >= HALF_CLOSED => {
                return Err(Stop::Reason(EndReason::Disconnected));
            }
            None if self.framer.buffered() < READ_AHEAD => {
                let framer = &mut self.framer;
                if self.stream.try_read(|bytes| framer.push(bytes))? == Some(0) {
                    self.half_closed = Some(Instant::now());
                }
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    /// Does `work` on a blocking thread. A panic there loses the session, not
    /// the worker.
    async fn step(
        &mut self,
        work: impl FnOnce(&mut Session, &mut Vec<u8>) -> Progress + Send + 'static,
    ) -> Result<Progress, Stop> {
        let mut session = self.session.take().ok_or(Stop::Panic)?;
        let mut out = std::mem::take(&mut self.out);
        let done = tokio::task::spawn_blocking(move || {
            let progress = work(&mut session, &mut out);
            (session, out, progress)
        });
        let (session, out, progress) = done.await.map_err(|_panic| Stop::Panic)?;
        self.session = Some(session);
        self.out = out;
        Ok(progress)
    }

    async fn flush(&mut self) -> Result<(), Stop> {
        if !self.out.is_empty() {
            // Taken, so that an idle session keeps no buffer.
            let out = std::mem::take(&mut self.out);
            tokio::select! {
                written = self.stream.write_all(&out) => written?,
                reason = ended(&mut self.ending) => return Err(Stop::Reason(reason)),
            }
            self.flushed = Instant::now();
            self.half_closed = self.half_closed.map(|_| self.flushed);
        }
        Ok(())
    }

    /// BYE where one is due and can still be understood, and what is left.
    async fn last_word(&mut self, reason: EndReason) {
        let clean = self.session.as_deref().is_none_or(Session::can_say_bye);
        let text = match reason {
            EndReason::Timeout => Some("Autologout; idle for too long"),
            EndReason::Kicked => Some("Disconnected by the administrator"),
            EndReason::Shutdown => Some("Server shutting down"),
            EndReason::Logout
            | EndReason::Disconnected
            | EndReason::ProtocolError
            | EndReason::ServerError => None,
        };
        if let (true, Some(text)) = (clean, text) {
            let code = (reason == EndReason::Shutdown).then_some(ResponseCode::Unavailable);
            write::bye(&mut self.out, code.as_ref(), text);
        }
        if reason != EndReason::Disconnected {
            let out = std::mem::take(&mut self.out);
            let _ = timeout(LAST_WORD, self.stream.write_all(&out)).await;
        }
    }

    /// The protocol in the log: commands without literals, never message text
    /// and nothing of a second attempt to log in.
    fn trace(&self, frame: &Frame) {
        if log::max_level() < log::LevelFilter::Trace {
            return;
        }
        match frame {
            Frame::Command(bytes) => {
                let line = bytes.split(|&b| b == b'\r').next().unwrap_or_default();
                let word = line.split(|&b| b == b' ').nth(1).unwrap_or_default();
                if word.eq_ignore_ascii_case(b"LOGIN") || word.eq_ignore_ascii_case(b"AUTHENTICATE")
                {
                    slog!(self.id, LogLevel::AllInfo, "C: {} ...", escape(word));
                } else {
                    slog!(self.id, LogLevel::AllInfo, "C: {}", escape(line));
                }
            }
            other => slog!(self.id, LogLevel::AllInfo, "C: {other:?}"),
        }
    }
}

async fn fill(stream: &mut Stream, framer: &mut Framer) -> Result<(), Stop> {
    match stream.read(|bytes| framer.push(bytes)).await? {
        0 => Err(Stop::Reason(EndReason::Disconnected)),
        _ => Ok(()),
    }
}

/// Never returns without a mailbox, or when the mailbox is gone for good.
async fn changed(changes: &mut Option<watch::Receiver<u64>>) {
    let gone = match changes {
        Some(changes) => changes.changed().await.is_err(),
        None => true,
    };
    if gone {
        std::future::pending::<()>().await;
    }
}

/// Waits until the session is to end from outside.
async fn ended(ending: &mut Ending) -> EndReason {
    match ending.wait_for(Option::is_some).await {
        Ok(reason) => reason.unwrap_or(EndReason::Shutdown),
        // Whoever could say so is gone: the worker ends.
        Err(_) => EndReason::Shutdown,
    }
}

fn reason_of(end: End) -> EndReason {
    match end {
        End::Logout => EndReason::Logout,
        End::Protocol => EndReason::ProtocolError,
        End::Fatal => EndReason::ServerError,
    }
}
