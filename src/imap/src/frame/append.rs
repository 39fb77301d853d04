//! The states of an APPEND or REPLACE whose messages are streamed.

use super::framer::{Progress, State, Step};
use super::literal::Literal;
use super::{AppendStart, Frame, Framer};
use crate::command::{AppendMessage, Tag};
use crate::parse::append as grammar;
use memchr::memchr;

pub(super) struct Appending {
    pub tag: Tag,
    /// Messages announced so far.
    pub messages: usize,
    /// The most that it may have.
    pub most: usize,
    pub phase: Phase,
}

pub(super) enum Phase {
    /// The caller has to accept or refuse a message.
    Decide { size: u64, sync: bool },
    /// Octets of an accepted message are handed out.
    Message { left: u64 },
    /// Behind a message: the end of the command, or another message. So many
    /// octets were searched for a line end.
    Rest { scanned: usize },
}

/// What a literal is to the command that announces it.
pub(super) enum Role {
    /// An ordinary argument.
    Argument,
    /// The first message of an APPEND.
    Message(AppendStart),
    /// Something that an APPEND cannot have.
    Bad(&'static str),
}

/// Whether the command that begins so is one with a message: the name must
/// be complete.
pub(super) fn takes_message(command: &[u8]) -> bool {
    let Some(blank) = memchr(b' ', command).filter(|&tag| tag > 0) else {
        return false;
    };
    let rest = command.get(blank..).unwrap_or_default();
    match word(rest) {
        Some((name, _)) if is(name, b"APPEND") || is(name, b"REPLACE") => true,
        Some((name, rest)) if is(name, b"UID") => {
            word(rest).is_some_and(|(name, _)| is(name, b"REPLACE"))
        }
        _ => false,
    }
}

fn is(name: &[u8], expected: &[u8]) -> bool {
    name.eq_ignore_ascii_case(expected)
}

/// The next word that a blank follows, and the rest from that blank on.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start();
    text.split_at_checked(memchr(b' ', text)?)
}

/// The role of the literal at the end of `command`, which has one so far.
pub(super) fn role(command: &[u8], literal: Literal) -> Role {
    let head = before(command, literal);
    match grammar::head(head) {
        Ok(grammar::Head::ArgumentMissing) => Role::Argument,
        Ok(grammar::Head::Complete {
            tag,
            replaced,
            mailbox,
            encrypted,
            args,
        }) => Role::Message(AppendStart {
            tag,
            replaced,
            mailbox,
            encrypted,
            message: message(args, literal),
        }),
        Err(reason) => Role::Bad(reason),
    }
}

/// The arguments of another message, from the line behind the one before.
fn next_message(line: &[u8], literal: Literal) -> Result<AppendMessage, &'static str> {
    grammar::next(before(line, literal)).map(|args| message(args, literal))
}

fn before(text: &[u8], literal: Literal) -> &[u8] {
    text.get(..text.len().saturating_sub(literal.len))
        .unwrap_or_default()
}

fn message(args: grammar::MessageArgs, literal: Literal) -> AppendMessage {
    AppendMessage {
        flags: args.flags,
        date: args.date,
        size: literal.size,
        sync: literal.sync,
        literal8: literal.literal8,
    }
}

fn decide(message: &AppendMessage) -> Phase {
    Phase::Decide {
        size: message.size,
        sync: message.sync,
    }
}

const TOO_MANY: &str = "Too many messages in one command";

/// How the framer goes through an APPEND.
impl Framer {
    /// Takes the announced message: its octets come next. When the literal is
    /// synchronizing, the caller also sends a continuation.
    pub fn accept_append(&mut self) {
        if let State::Append(append) = &mut self.state
            && let Phase::Decide { size, .. } = append.phase
        {
            append.phase = match size {
                0 => Phase::Rest { scanned: 0 },
                left => Phase::Message { left },
            };
        }
    }

    /// Gives up the APPEND, before or while a message comes: the rest of the
    /// command is read away, and [`Frame::AppendEnd`] reports its end.
    pub fn refuse_append(&mut self) {
        let State::Append(append) = &self.state else {
            return;
        };
        self.state = match append.phase {
            Phase::Decide { sync: true, .. } => State::Ready(Frame::AppendEnd),
            Phase::Decide { size: left, .. } | Phase::Message { left } => {
                self.discard(left, Frame::AppendEnd)
            }
            Phase::Rest { .. } => self.discard(0, Frame::AppendEnd),
        };
    }

    pub(super) fn start_append(&mut self, p: Progress, start: AppendStart) -> Step {
        self.consume(p.scanned);
        self.state = State::Append(Appending {
            tag: start.tag.clone(),
            messages: 1,
            most: match start.replaced {
                Some(_) => 1,
                None => self.limits.append_messages,
            },
            phase: decide(&start.message),
        });
        Step::Frame(Frame::AppendStart(Box::new(start)))
    }

    pub(super) fn read_append(&mut self, mut append: Appending) -> Step {
        match append.phase {
            Phase::Decide { .. } => {
                self.state = State::Append(append);
                Step::Wait
            }
            Phase::Message { left } => {
                let have = self.buffered();
                if have == 0 {
                    self.state = State::Append(append);
                    return Step::Wait;
                }
                let n = usize::try_from(left).map_or(have, |left| left.min(have));
                append.phase = match left - n as u64 {
                    0 => Phase::Rest { scanned: 0 },
                    left => Phase::Message { left },
                };
                self.state = State::Append(append);
                Step::Frame(Frame::AppendData(self.take(n, n)))
            }
            Phase::Rest { scanned } => self.read_append_rest(append, scanned),
        }
    }

    /// Reads behind a message: the line end, or what announces another one.
    fn read_append_rest(&mut self, mut append: Appending, scanned: usize) -> Step {
        let mut p = Progress::in_line(scanned);
        let end = self.find_line_end(&mut p);
        if p.scanned > self.limits.line {
            let tag = Some(append.tag);
            self.state = self.discard(0, Frame::TooLong { tag });
            return Step::Again;
        }
        let Some(end) = end else {
            append.phase = Phase::Rest { scanned: p.scanned };
            self.state = State::Append(append);
            return Step::Wait;
        };
        let line = self.unread().get(..end).unwrap_or_default();
        if line.iter().all(|&b| b == b' ') {
            self.consume(p.scanned);
            return self.start_over(Frame::AppendEnd);
        }
        let literal = Literal::at_end(line);
        let message = match literal {
            None => Err("Unexpected text behind the message"),
            Some(_) if append.messages >= append.most => Err(TOO_MANY),
            Some(literal) => next_message(line, literal),
        };
        self.consume(p.scanned);
        match (message, literal) {
            (Ok(message), _) => {
                append.messages += 1;
                append.phase = decide(&message);
                self.state = State::Append(append);
                Step::Frame(Frame::AppendNext(message))
            }
            (Err(reason), literal) => {
                let tag = Some(append.tag);
                let bad = Frame::Bad { tag, reason };
                match literal {
                    Some(literal) => self.refuse(literal, bad),
                    None => self.start_over(bad),
                }
            }
        }
    }
}
