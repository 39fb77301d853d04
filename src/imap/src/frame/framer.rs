//! The framer's states and how it goes from one to the next.

use super::append::{self, Appending, Role};
use super::discard::{Discard, Outcome, trim_line_end};
use super::literal::Literal;
use super::{Frame, Limits};
use crate::command::Tag;
use crate::parse::tag_of;
use memchr::memchr;
use std::mem;

/// Splits a client's stream into [`Frame`]s.
///
/// Push what was read, then take frames until there are none; only then is
/// what it holds bounded by its limits, so read no more from a client whose
/// frames are not yet taken. Holds no memory between commands.
pub struct Framer {
    pub(super) limits: Limits,
    buf: Vec<u8>,
    /// Octets at the beginning of `buf` that are done with.
    start: usize,
    expect: Expect,
    pub(super) state: State,
}

/// What kind of line comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Command,
    Done,
    Line,
}

pub(super) enum State {
    Command(Progress),
    Append(Appending),
    Discard(Discard),
    /// A frame that is ready though nothing was read.
    Ready(Frame),
    Dead,
}

/// How far an unfinished command was looked at; offsets from its beginning.
#[derive(Clone, Copy, Default)]
pub(super) struct Progress {
    pub(super) scanned: usize,
    /// Where the text behind the last literal begins.
    line: usize,
    /// Octets of a literal still to come.
    literal: usize,
    literals: usize,
    literal_total: usize,
}

impl Progress {
    /// At the beginning of a line, `scanned` octets of which have no line end.
    pub(super) fn in_line(scanned: usize) -> Self {
        Self {
            scanned,
            ..Self::default()
        }
    }
}

pub(super) enum Step {
    Frame(Frame),
    /// The state has changed: look again.
    Again,
    /// More octets are needed, or a decision of the caller's.
    Wait,
}

/// Capacity that is not worth giving back in the middle of a command.
const SPARE: usize = 4096;

impl Framer {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buf: Vec::new(),
            start: 0,
            expect: Expect::Command,
            state: State::Command(Progress::default()),
        }
    }

    /// For what follows; a command under way keeps what it has already used.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Takes octets read from the client.
    pub fn push(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Dead) {
            self.buf.extend_from_slice(bytes);
        }
    }

    /// Octets pushed that are in no frame yet.
    pub fn buffered(&self) -> usize {
        self.unread().len()
    }

    /// Octets of memory held for what was pushed.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.buf.capacity()
    }

    /// Between two commands, with nothing of the next one here.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Command(_)) && self.buffered() == 0
    }

    /// Whether the next command is here already and is LOGOUT.
    pub fn logout_is_next(&self) -> bool {
        let State::Command(_) = self.state else {
            return false;
        };
        let unread = self.unread();
        let line = memchr(b'\n', unread).and_then(|end| unread.get(..end));
        let mut words = line
            .unwrap_or_default()
            .trim_ascii_end()
            .split(|&b| b == b' ');
        let (tag, name, more) = (words.next(), words.next(), words.next());
        let logout = name.is_some_and(|name| name.eq_ignore_ascii_case(b"LOGOUT"));
        tag.is_some_and(|tag| !tag.is_empty()) && logout && more.is_none()
    }

    /// Takes the octets that are in no frame yet, as to be done after the
    /// frame of the last command that is read here.
    pub fn take_rest(&mut self) -> Vec<u8> {
        self.expect = Expect::Command;
        self.state = State::Command(Progress::default());
        let mut rest = mem::take(&mut self.buf);
        rest.drain(..mem::take(&mut self.start).min(rest.len()));
        rest
    }

    /// The next line has to be DONE (RFC 9051 §6.3.13): call this on IDLE
    /// before the next frame is taken. Holds for one line, whatever it is.
    pub fn expect_done(&mut self) {
        self.expect = Expect::Done;
    }

    /// The next line answers a SASL challenge (RFC 9051 §6.2.2): call this
    /// before the next frame is taken. Holds for one line.
    pub fn expect_line(&mut self) {
        self.expect = Expect::Line;
    }

    /// The next frame, `None` when more octets are needed (or, in an APPEND,
    /// the caller's decision).
    pub fn next_frame(&mut self) -> Option<Frame> {
        loop {
            match self.step() {
                Step::Frame(frame) => return Some(frame),
                Step::Again => {}
                Step::Wait => {
                    self.compact();
                    return None;
                }
            }
        }
    }

    fn step(&mut self) -> Step {
        match mem::replace(&mut self.state, State::Dead) {
            State::Command(progress) => match self.expect {
                Expect::Command => self.read_command(progress),
                Expect::Done => self.read_done(progress),
                Expect::Line => self.read_line(progress),
            },
            State::Append(append) => self.read_append(append),
            State::Discard(discard) => self.read_away(discard),
            State::Ready(frame) => {
                self.state = State::Command(Progress::default());
                Step::Frame(frame)
            }
            State::Dead => Step::Wait,
        }
    }

    pub(super) fn unread(&self) -> &[u8] {
        self.buf.get(self.start..).unwrap_or_default()
    }

    /// `n` unread octets are done with.
    pub(super) fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.buf.len());
    }

    /// The first `end` of `n` unread octets as a buffer of their own, all `n`
    /// of them done with. Does not copy when there are no others.
    pub(super) fn take(&mut self, end: usize, n: usize) -> Vec<u8> {
        if self.start == 0 && n >= self.buf.len() {
            let mut taken = mem::take(&mut self.buf);
            taken.truncate(end);
            return taken;
        }
        let taken = self.unread().get(..end).unwrap_or_default().to_vec();
        self.consume(n);
        taken
    }

    fn compact(&mut self) {
        if self.start >= self.buf.len() {
            self.buf = Vec::new();
        } else {
            self.buf.drain(..self.start);
            // A client that stops within a command keeps no more than it needs.
            if self.buf.capacity() > SPARE && self.buf.len() < self.buf.capacity() / 4 {
                self.buf.shrink_to_fit();
            }
        }
        self.start = 0;
    }

    fn read_command(&mut self, mut p: Progress) -> Step {
        if p.literal > 0 {
            let n = p.literal.min(self.unread().len() - p.scanned);
            p.scanned += n;
            p.literal -= n;
            if p.literal > 0 {
                return self.wait(p);
            }
        }
        let Some(end) = self.find_line_end(&mut p) else {
            if p.scanned - p.literal_total > self.limits.line {
                return self.too_long(p.line);
            }
            return self.wait(p);
        };
        if p.scanned - p.literal_total > self.limits.line {
            return self.too_long(p.line);
        }
        let line = self.unread().get(p.line..end).unwrap_or_default();
        match Literal::at_end(line) {
            Some(literal) => self.announced(p, end, literal),
            None if end == 0 => {
                self.consume(p.scanned);
                self.start_over(Frame::Bad {
                    tag: None,
                    reason: "Empty command line",
                })
            }
            None => {
                let command = self.take(end, p.scanned);
                self.start_over(Frame::Command(command))
            }
        }
    }

    /// Searches on for a line end; gives where the line's text ends.
    pub(super) fn find_line_end(&self, p: &mut Progress) -> Option<usize> {
        let unread = self.unread();
        let found = memchr(b'\n', unread.get(p.scanned..)?);
        p.scanned = found.map_or(unread.len(), |i| p.scanned + i + 1);
        found?;
        let line = unread.get(p.line..p.scanned)?;
        Some(p.line + trim_line_end(line).len())
    }

    fn announced(&mut self, mut p: Progress, end: usize, literal: Literal) -> Step {
        let command = self.unread().get(..end).unwrap_or_default();
        if append::takes_message(command) {
            let role = match self.limits.append_messages {
                0 => Role::Bad("APPEND is not allowed now"),
                _ => append::role(command, literal),
            };
            match role {
                Role::Argument => {}
                Role::Message(start) => return self.start_append(p, start),
                Role::Bad(reason) => {
                    let tag = self.tag();
                    self.consume(p.scanned);
                    return self.refuse(literal, Frame::Bad { tag, reason });
                }
            }
        }
        let room = self.limits.literal_total.saturating_sub(p.literal_total);
        match usize::try_from(literal.size) {
            Ok(size) if size <= room && p.literals < self.limits.literals => {
                p.literal = size;
                p.literal_total += size;
                p.literals += 1;
                p.line = p.scanned + size;
                self.state = State::Command(p);
                if literal.sync {
                    Step::Frame(Frame::NeedContinuation)
                } else {
                    Step::Again
                }
            }
            _ => {
                let tag = self.tag();
                self.consume(p.scanned);
                self.refuse(literal, Frame::TooLong { tag })
            }
        }
    }

    /// Refuses a command at a literal, which is the next to come if the client
    /// does not wait.
    pub(super) fn refuse(&mut self, literal: Literal, after: Frame) -> Step {
        if literal.sync {
            return self.start_over(after);
        }
        self.state = self.discard(literal.size, after);
        Step::Again
    }

    /// Refuses a command at a line that is too long and begins `line` octets
    /// into it.
    fn too_long(&mut self, line: usize) -> Step {
        let tag = match self.expect {
            Expect::Line => None,
            Expect::Command | Expect::Done => self.tag(),
        };
        self.consume(line);
        self.state = self.discard(0, Frame::TooLong { tag });
        Step::Again
    }

    pub(super) fn discard(&self, left: u64, after: Frame) -> State {
        State::Discard(Discard::new(left, self.limits.swallow, after))
    }

    fn read_away(&mut self, discard: Discard) -> Step {
        let n = self.buffered();
        match discard.feed(self.unread()) {
            Outcome::More(discard) => {
                self.consume(n);
                self.state = State::Discard(discard);
                Step::Wait
            }
            Outcome::End(n, after) => {
                self.consume(n);
                self.start_over(after)
            }
            Outcome::Exceeded => {
                self.consume(n);
                self.state = State::Dead;
                Step::Frame(Frame::Fatal {
                    reason: "Too much data in a refused command",
                })
            }
        }
    }

    fn read_done(&mut self, mut p: Progress) -> Step {
        let end = self.find_line_end(&mut p);
        if p.scanned > self.limits.line {
            return self.too_long(0);
        }
        let Some(end) = end else {
            return self.wait(p);
        };
        let line = self.unread().get(..end).unwrap_or_default();
        let done = line.trim_ascii_end().eq_ignore_ascii_case(b"DONE");
        let literal = Literal::at_end(line);
        let tag = self.tag();
        self.consume(p.scanned);
        if done {
            return self.start_over(Frame::Done);
        }
        let bad = Frame::Bad {
            tag,
            reason: "DONE expected",
        };
        match literal {
            Some(literal) => self.refuse(literal, bad),
            None => self.start_over(bad),
        }
    }

    fn read_line(&mut self, mut p: Progress) -> Step {
        let end = self.find_line_end(&mut p);
        if p.scanned > self.limits.sasl_line {
            return self.too_long(0);
        }
        let Some(end) = end else {
            return self.wait(p);
        };
        let line = self.take(end, p.scanned);
        self.start_over(match line.as_slice() {
            b"*" => Frame::Cancel,
            _ => Frame::Line(line),
        })
    }

    fn wait(&mut self, progress: Progress) -> Step {
        self.state = State::Command(progress);
        Step::Wait
    }

    /// Reports a frame behind which a new command begins.
    pub(super) fn start_over(&mut self, frame: Frame) -> Step {
        self.expect = Expect::Command;
        self.state = State::Command(Progress::default());
        Step::Frame(frame)
    }

    /// The tag of the command that is being read, if it is there as a whole.
    /// Looks no further than a line may go, so that it does not depend on how
    /// much has arrived.
    fn tag(&self) -> Option<Tag> {
        let unread = self.unread();
        let start = unread.get(..self.limits.line).unwrap_or(unread);
        tag_of(start).filter(|tag| tag.as_str().len() < start.len())
    }
}
