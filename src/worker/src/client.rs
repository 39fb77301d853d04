//! What one session does in one go: octets in, frames, steps, octets out,
//! until it has to wait for something or others should have the thread.
//!
//! Commands are carried out strictly in the order in which they came. Between
//! two steps of a long command the connection is looked at, so that a client
//! that is gone stops its job. One that has only closed its own side, as `nc`
//! does behind piped commands, gets all its answers.

use crate::changes::Changes;
use crate::control::{Answer, Wish};
use crate::ending::Ending;
use crate::links::Links;
use crate::stream::Stream;
use crate::trace::Trace;
use roost_imap::write;
use roost_imap::{Frame, Framer, Limits, Tag};
use roost_ipc::{EndReason, SessionCounts};
use roost_session::session::Progress;
use roost_session::{End, LinkId, Session};
use roost_types::SessionId;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use tokio::sync::watch::Receiver;

/// Output is sent when there is so much of it.
const FLUSH: usize = 64 << 10;
/// Less of it waits no longer than this while a command runs.
const LINGER: Duration = Duration::from_millis(500);
/// Input is not read ahead beyond this while a command runs.
pub const READ_AHEAD: usize = 64 << 10;
/// A client that has closed its side may still wait for answers; a command
/// that has none for so long is given up then.
pub const HALF_CLOSED: Duration = Duration::from_secs(5);
/// A LOGOUT that comes so long after the command that runs was not sent to be
/// answered behind it: whoever sent it wants to leave.
const IMPATIENT: Duration = Duration::from_secs(1);
/// After so long others get the thread.
const TURN: Duration = Duration::from_millis(20);

/// A session and its connection.
pub struct Client {
    pub id: SessionId,
    /// The client is a session of another account.
    pub link: bool,
    pub stream: Stream,
    pub(crate) framer: Framer,
    /// `None` after a panic.
    pub(crate) session: Option<Session>,
    pub(crate) out: Vec<u8>,
    pub(crate) progress: Progress,
    /// Sessions on other accounts, once there has been one.
    pub links: Option<Box<Links>>,
    /// Of the supervisor, which was asked.
    pub answer: Option<Box<Answer>>,
    /// In IDLE, and where the client has asked for it by NOTIFY: wakes when
    /// there is something to tell.
    pub changes: Option<Changes>,
    /// It has woken.
    pub woken: bool,
    ending: Ending,
    /// When the client was last heard.
    pub heard: Instant,
    /// When output last went out.
    flushed: Instant,
    /// When the client, its side being closed, last took anything.
    pub(crate) half_closed: Option<Instant>,
    /// Since when a command runs in steps.
    running: Option<Instant>,
    /// A LOGOUT has come that is not to wait for the command that runs.
    leaving: bool,
    /// Where its protocol is logged.
    trace: Option<Box<Trace>>,
}

/// What a session waits for.
pub enum Pause {
    /// Only for its next turn.
    Turn,
    /// For the client to take what is queued.
    Output,
    /// For octets from the client.
    Input,
    /// The same, and for changes.
    Idle,
    /// For this link to bring something.
    Relay(LinkId),
    /// For this link to take what was sent.
    LinkOutput(LinkId),
    /// For the supervisor's answer.
    Ask(Wish),
    End(Stop),
}

/// What ends a session.
pub enum Stop {
    Reason(EndReason),
    Io(io::Error),
    Panic,
}

impl From<io::Error> for Stop {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

/// The first word to a client.
pub enum Welcome {
    /// It answers the login command.
    Answer(Tag),
    Greeting,
}

impl Welcome {
    /// None if `tag` is neither a tag nor empty.
    pub fn new(tag: &str) -> Option<Self> {
        match tag {
            "" => Some(Self::Greeting),
            tag => Tag::new(tag.as_bytes()).map(Self::Answer),
        }
    }
}

impl Client {
    pub fn new(mut stream: Stream, session: Session, leftover: &[u8], ending: Ending) -> Self {
        let limits = match session.identity().asker {
            Some(_) => Limits::LINK,
            None => Limits::AUTHENTICATED,
        };
        let mut framer = Framer::new(limits);
        framer.push(leftover);
        stream.bytes_in += leftover.len() as u64;
        Self {
            id: session.identity().session,
            link: session.identity().asker.is_some(),
            stream,
            framer,
            session: Some(session),
            out: Vec::new(),
            progress: Progress::Next,
            links: None,
            answer: None,
            changes: None,
            woken: false,
            ending,
            heard: Instant::now(),
            flushed: Instant::now(),
            half_closed: None,
            running: None,
            leaving: false,
            trace: None,
        }
    }

    /// Needs no thread, unless commands have come already.
    pub fn greet(&mut self, welcome: &Welcome) -> Pause {
        let sent = self.say(|session, out| match (session, welcome) {
            (Some(session), Welcome::Answer(tag)) => session.greet(tag, out),
            (Some(session), Welcome::Greeting) => session.greet_known(out),
            (None, _) => {}
        });
        match sent.and_then(|()| self.stream.try_flush()) {
            Ok(true) if self.framer.buffered() == 0 => Pause::Input,
            Ok(_) => Pause::Turn,
            Err(e) => Pause::End(Stop::Io(e)),
        }
    }

    /// Appends to what the client is sent next.
    pub fn say(
        &mut self,
        words: impl FnOnce(Option<&mut Session>, &mut Vec<u8>),
    ) -> io::Result<()> {
        words(self.session.as_mut(), &mut self.out);
        self.stream.queue(&mut self.out)
    }

    /// Whether a BYE would be understood.
    pub fn can_say_bye(&self) -> bool {
        self.session.as_ref().is_none_or(Session::can_say_bye)
    }

    /// Whether all that was said has gone out.
    pub fn has_sent_all(&self) -> bool {
        self.out.is_empty() && !self.stream.is_behind()
    }

    pub fn counts(&self) -> SessionCounts {
        let done = self.session.as_ref().map(Session::counters);
        let done = done.unwrap_or_default();
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

    /// Gives back the memory and the links that an idle session can do without;
    /// tells when there will be more to give back.
    pub fn rest(&mut self, now: Instant) -> Option<Instant> {
        self.stream.rest();
        self.out = Vec::new();
        let (Some(session), Some(links)) = (&mut self.session, &mut self.links) else {
            return None;
        };
        let again = session.rest(now);
        links.rest();
        self.drop_links();
        again
    }

    /// One turn; it may block on the disk. A panic loses the session, not the
    /// worker.
    pub fn turn(&mut self) -> Pause {
        match catch_unwind(AssertUnwindSafe(|| self.work())) {
            Ok(Ok(pause)) => pause,
            Ok(Err(stop)) => Pause::End(stop),
            Err(_panic) => {
                self.session = None;
                Pause::End(Stop::Panic)
            }
        }
    }

    fn work(&mut self) -> Result<Pause, Stop> {
        let end = Instant::now() + TURN;
        loop {
            let waits = !self.out.is_empty() && self.flushed.elapsed() >= LINGER;
            if (waits || self.out.len() >= FLUSH) && !self.send()? {
                return Ok(Pause::Output);
            }
            let (ran, said) = (self.runs(), self.out.len());
            let pause = match self.progress {
                Progress::More => self.go_on()?,
                Progress::Next => self.next()?,
                Progress::Idle => self.idle()?,
                Progress::AcceptAppend => {
                    self.framer.accept_append();
                    self.progress = Progress::Next;
                    None
                }
                Progress::RefuseAppend => {
                    self.framer.refuse_append();
                    self.progress = Progress::Next;
                    None
                }
                Progress::Compress => {
                    self.stream.queue(&mut self.out)?;
                    self.stream.compress(self.framer.take_rest());
                    self.progress = Progress::Next;
                    None
                }
                Progress::Ask => self.ask()?,
                Progress::Relay => self.relay()?,
                Progress::End(end) => Some(match self.send()? {
                    true => Pause::End(Stop::Reason(reason_of(end))),
                    false => Pause::Output,
                }),
            };
            if !self.runs() {
                if ran {
                    self.trace_answer(said);
                }
                self.running = None;
                self.leaving = false;
            }
            match pause {
                Some(pause) => return Ok(pause),
                None if Instant::now() >= end => return Ok(Pause::Turn),
                None => {}
            }
        }
    }

    /// Sends what there is; false when the client does not take it all now.
    pub(crate) fn send(&mut self) -> io::Result<bool> {
        self.stream.queue(&mut self.out)?;
        let all = self.stream.try_flush()?;
        self.flushed = Instant::now();
        if all {
            self.half_closed = self.half_closed.map(|_| self.flushed);
        }
        Ok(all)
    }

    pub(crate) fn session(&mut self) -> Result<(&mut Session, &mut Vec<u8>), Stop> {
        match &mut self.session {
            Some(session) => Ok((session, &mut self.out)),
            None => Err(Stop::Panic),
        }
    }

    /// The next step of a command.
    fn go_on(&mut self) -> Result<Option<Pause>, Stop> {
        self.look_at_the_client()?;
        if self.progress == Progress::More {
            let (session, out) = self.session()?;
            self.progress = session.step(out);
        }
        Ok(None)
    }

    /// A command is under way that needs nothing of the client.
    fn runs(&self) -> bool {
        use Progress as P;
        matches!(self.progress, P::More | P::Ask | P::Relay)
    }

    /// The next frame, from what has come by now; `nothing` when there is
    /// none.
    fn next_frame(&mut self, nothing: Pause) -> Result<Option<Pause>, Stop> {
        if let Some(frame) = self.framer.next_frame() {
            self.take(frame)?;
            return Ok(None);
        }
        if !self.send()? {
            return Ok(Some(Pause::Output));
        }
        let framer = &mut self.framer;
        match self.stream.try_read(|bytes| framer.push(bytes))? {
            Some(0) => Err(Stop::Reason(EndReason::Disconnected)),
            Some(_) => {
                self.heard = Instant::now();
                Ok(None)
            }
            None => {
                if !self.framer.is_idle() {
                    self.stream.acknowledge();
                }
                Ok(Some(nothing))
            }
        }
    }

    fn take(&mut self, frame: Frame) -> Result<(), Stop> {
        if let Some(trace) = self.trace() {
            trace.frame(&frame);
        }
        self.changes = None;
        if let Frame::NeedContinuation = frame {
            // The session has no part in it, but the client waits; other
            // sessions do not.
            if !self.link {
                write::continuation(&mut self.out, "OK");
            }
            self.progress = Progress::Next;
            return Ok(());
        }
        let (session, out) = self.session()?;
        let said = out.len();
        self.progress = session.take(frame, out);
        self.running = self.runs().then(Instant::now);
        if self.running.is_none() {
            self.trace_answer(said);
        }
        Ok(())
    }

    /// Whether alerts can be shown while the client is waited for: not in the
    /// middle of a command or of a response.
    pub fn takes_alerts(&self) -> bool {
        let between = self.progress == Progress::Idle || self.framer.is_idle();
        between && !self.link && self.can_say_bye()
    }

    fn trace(&mut self) -> Option<&mut Trace> {
        Trace::of(&mut self.trace, self.id, self.ending.is_traced())
    }

    /// A command is over, or waits for the client; what it said last begins in
    /// `out` behind `said`.
    fn trace_answer(&mut self, said: usize) {
        let trace = Trace::of(&mut self.trace, self.id, self.ending.is_traced());
        if let (Some(trace), Some(out)) = (trace, self.out.get(said..)) {
            trace.answer(out);
        }
    }

    /// Alerts, where a response may begin now.
    fn show_alerts(&mut self) {
        if !self.ending.has_alerts() || !self.takes_alerts() {
            return;
        }
        let Some(session) = &self.session else {
            return;
        };
        for alert in self.ending.take_alerts() {
            session.alert(&alert.text, &mut self.out);
        }
    }

    /// In IDLE: waits for DONE and for changes.
    fn idle(&mut self) -> Result<Option<Pause>, Stop> {
        self.framer.expect_done();
        self.show_alerts();
        if let Some(pause) = self.look_at_links()? {
            return Ok(Some(pause));
        }
        if self.progress == Progress::Idle {
            self.tell_changes(Session::watch_all)?;
        }
        match self.progress {
            Progress::Idle => self.next_frame(Pause::Idle),
            _ => Ok(None),
        }
    }

    /// Between commands: waits for one, and for changes where the client
    /// wants to know of them now (RFC 5465 §3.1).
    fn next(&mut self) -> Result<Option<Pause>, Stop> {
        if let Some(pause) = self.look_at_links()? {
            return Ok(Some(pause));
        }
        if self.progress != Progress::Next {
            return Ok(None);
        }
        if let Some(frame) = self.framer.next_frame() {
            self.take(frame)?;
            return Ok(None);
        }
        // Not in the middle of a command, APPEND above all.
        if self.framer.is_idle() {
            self.show_alerts();
            self.tell_changes(|session| match session.pushes() {
                true => Session::watch_all(session),
                false => [None, None],
            })?;
        } else {
            self.changes = None;
        }
        match self.progress {
            Progress::Next => self.next_frame(Pause::Input),
            _ => Ok(None),
        }
    }

    /// Has the session tell what has changed, if it is woken or has just
    /// begun to wait: `watch` says for what.
    fn tell_changes(
        &mut self,
        watch: impl FnOnce(&Session) -> [Option<Receiver<u64>>; 2],
    ) -> Result<(), Stop> {
        let woken = std::mem::take(&mut self.woken);
        let begins = self.changes.is_none();
        let (session, out) = self.session()?;
        let [mailbox, others] = match begins {
            true => watch(session),
            false => [None, None],
        };
        let watched = mailbox.is_some() || others.is_some();
        // Also what happened between the session's last look and the watch.
        if woken || watched {
            self.progress = session.changed(out);
        }
        if watched {
            self.changes = Some(Changes::new(mailbox, others));
        } else if woken && let Some(changes) = &mut self.changes {
            changes.told();
        }
        Ok(())
    }

    /// While a command runs: is the client still there, may it go on?
    pub(crate) fn look_at_the_client(&mut self) -> Result<(), Stop> {
        if let Some(reason) = self.ending.reason() {
            return Err(Stop::Reason(reason));
        }
        match self.half_closed {
            Some(since) if since.elapsed() >= HALF_CLOSED => {
                return Err(Stop::Reason(EndReason::Disconnected));
            }
            None if self.framer.buffered() < READ_AHEAD => {
                let framer = &mut self.framer;
                match self.stream.try_read(|bytes| framer.push(bytes))? {
                    Some(0) => self.half_closed = Some(Instant::now()),
                    Some(_) => {
                        let long = self.running.is_some_and(|at| at.elapsed() >= IMPATIENT);
                        self.leaving |= long && self.framer.logout_is_next();
                    }
                    None => {}
                }
            }
            Some(_) | None => {}
        }
        if self.leaving {
            let (session, out) = self.session()?;
            if session.give_up(out) {
                self.progress = Progress::Next;
            }
        }
        Ok(())
    }
}

fn reason_of(end: End) -> EndReason {
    match end {
        End::Logout => EndReason::Logout,
        End::Protocol => EndReason::ProtocolError,
        End::Fatal => EndReason::ServerError,
    }
}
