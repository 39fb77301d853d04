//! APPEND into a mailbox of another account, and REPLACE within one. The
//! client is asked for a message only when the session there takes it.

use super::{ClientFrame, Event, Next, Task, Turn, announce, lost, no_link};
use crate::error::Error;
use crate::job::STEP_OCTETS;
use crate::link::LinkId;
use roost_imap::command::{AppendMessage, Replaced};
use roost_imap::frame::AppendStart;
use roost_imap::write;
use roost_types::SetBound;

pub(super) struct Append {
    shown: String,
    /// See [`super::sending::destination`].
    to: Vec<u8>,
    replaced: Option<Replaced>,
    message: AppendMessage,
    stage: Stage,
}

enum Stage {
    Begins,
    /// The session there has been asked whether it takes a message.
    Asks(LinkId),
    /// It gets one.
    Sends(LinkId),
    /// It has got all.
    Ends,
    /// It has refused, or there is no link: the client's command is read away.
    Refused(Refusal),
}

enum Refusal {
    Answer(Vec<u8>),
    Error(Error),
}

impl Append {
    pub fn new(shown: String, to: Vec<u8>, start: AppendStart) -> Self {
        Self {
            shown,
            to,
            replaced: start.replaced,
            message: start.message,
            stage: Stage::Begins,
        }
    }

    /// All has been sent there.
    pub fn is_complete(&self) -> bool {
        matches!(self.stage, Stage::Ends)
    }

    fn begin(&mut self, turn: &mut Turn<'_>) -> Result<Next, Error> {
        let id = match turn.link(&self.shown) {
            Ok(id) => id,
            Err(ask) => return Ok(ask),
        };
        let mut head = turn.tag.as_str().as_bytes().to_vec();
        match &self.replaced {
            None => head.extend_from_slice(b" APPEND "),
            Some(replaced) => {
                head.extend_from_slice(if replaced.uid {
                    b" UID REPLACE "
                } else {
                    b" REPLACE "
                });
                let message = match replaced.message {
                    SetBound::Number(n) => n.to_string(),
                    SetBound::Star => "*".into(),
                };
                head.extend_from_slice(message.as_bytes());
                head.push(b' ');
            }
        }
        head.extend_from_slice(&self.to);
        turn.begin(id, &head)?;
        self.ask(turn, id)
    }

    /// Announces the message.
    fn ask(&mut self, turn: &mut Turn<'_>, id: LinkId) -> Result<Next, Error> {
        let short_mdn = turn.session.enabled.short_mdn;
        let output = turn.output(id)?;
        let AppendMessage {
            flags,
            date,
            size,
            literal8,
            ..
        } = &self.message;
        announce(output, flags.system, &flags.keywords, short_mdn, *date);
        output.extend_from_slice(if *literal8 { b"~{" } else { b"{" });
        write::number64(output, *size);
        output.extend_from_slice(b"}\r\n");
        self.stage = Stage::Asks(id);
        Ok(Next::Read(id))
    }

    fn refuse(&mut self, refusal: Refusal) -> Result<Next, Error> {
        self.stage = Stage::Refused(refusal);
        Ok(Next::Refuse)
    }

    fn frame(&mut self, turn: &mut Turn<'_>, frame: ClientFrame) -> Result<Next, Error> {
        match (std::mem::replace(&mut self.stage, Stage::Ends), frame) {
            (Stage::Sends(id), ClientFrame::Data(octets)) => {
                self.stage = Stage::Sends(id);
                let output = turn.output(id)?;
                output.extend_from_slice(&octets);
                Ok(match output.len() < STEP_OCTETS {
                    true => Next::Frame,
                    false => Next::Write,
                })
            }
            (Stage::Sends(id), ClientFrame::Next(message)) => {
                self.message = message;
                self.ask(turn, id)
            }
            (Stage::Sends(id), ClientFrame::End) => {
                turn.output(id)?.extend_from_slice(b"\r\n");
                Ok(Next::Read(id))
            }
            (Stage::Refused(Refusal::Answer(line)), ClientFrame::End) => {
                turn.out.extend_from_slice(&line);
                Ok(Next::Passed)
            }
            (Stage::Refused(Refusal::Error(error)), ClientFrame::End) => Err(error),
            (stage @ Stage::Refused(_), _) => {
                self.stage = stage;
                Ok(Next::Refuse)
            }
            _ => Err(lost()),
        }
    }
}

/// A mailbox name as the client wrote it.
pub(super) fn write_name(out: &mut Vec<u8>, raw: &[u8]) {
    match write::quotable(raw, write::Dialect::Utf8) {
        true => write::quoted(out, raw),
        false => {
            out.push(b'{');
            write::number64(out, raw.len() as u64);
            out.extend_from_slice(b"+}\r\n");
            out.extend_from_slice(raw);
        }
    }
}

impl Task for Append {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error> {
        match event {
            Event::Go => match self.stage {
                Stage::Begins => self.begin(turn),
                _ => Ok(Next::Frame),
            },
            Event::Continue(id) => match self.stage {
                Stage::Asks(_) => {
                    self.stage = Stage::Sends(id);
                    if self.message.sync {
                        write::continuation(turn.out, "OK");
                    }
                    Ok(Next::Accept)
                }
                _ => Ok(Next::Read(id)),
            },
            Event::Tagged(_, _, line) if matches!(self.stage, Stage::Asks(_)) => {
                self.refuse(Refusal::Answer(line.to_vec()))
            }
            Event::NoLink(error) => self.refuse(Refusal::Error(no_link(turn.kind, error))),
            Event::Lost(id) => match &self.stage {
                Stage::Asks(of) | Stage::Sends(of) if *of == id => {
                    self.refuse(Refusal::Error(lost()))
                }
                Stage::Ends => Err(lost()),
                _ => Ok(Next::Frame),
            },
            Event::Frame(frame) => self.frame(turn, frame),
            other => turn.usual(&other),
        }
    }
}
