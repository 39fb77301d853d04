//! The end of a command: what it and others have changed, then its answer.

use super::drive::looks_afterwards;
use super::notify::Telling;
use super::{End, Phase, Progress, Session, State, end_of};
use crate::error::{Answer, Error, Fatal, answer, is_for_the_log};
use crate::job::Reply;
use roost_imap::write::{self, Dialect, Status};
use roost_imap::{CommandKind, ResponseCode, Tag};

impl Session {
    pub(crate) fn failed(
        &mut self,
        tag: Tag,
        kind: CommandKind,
        error: &Error,
        out: &mut Vec<u8>,
    ) -> Progress {
        if is_for_the_log(error) {
            self.log_problem(error);
        }
        match answer(error) {
            Answer::Tagged(reply) => self.finish(tag, kind, reply, out),
            Answer::Bye(fatal) => self.fatal(fatal, out),
        }
    }

    /// Tells what the command and others changed, then answers.
    pub(crate) fn finish(
        &mut self,
        tag: Tag,
        kind: CommandKind,
        reply: Reply,
        out: &mut Vec<u8>,
    ) -> Progress {
        // Who wants to hear of none still hears of those by its own command.
        let wanted = self.policy().messages || expunges(kind);
        let expunges = wanted && !kind.facts().holds_expunge;
        let news = match looks_afterwards(kind) {
            true => self.look(expunges),
            false => self.news(expunges),
        };
        let changes = match news {
            Ok(changes) => changes,
            Err(fatal) => return self.fatal(fatal, out),
        };
        self.phase = Phase::After {
            tag,
            kind,
            reply,
            telling: Telling::new(changes),
        };
        self.step(out)
    }

    pub(super) fn reply(
        &mut self,
        tag: &Tag,
        kind: CommandKind,
        reply: &Reply,
        out: &mut Vec<u8>,
    ) -> Progress {
        let (session, status) = (self.identity.session.0, reply.status.word());
        log::debug!(session = session; "{}: {status}", kind.name());
        let highest = self.modseq_due();
        let mut code = reply.code.as_ref();
        if let Some(highest) = &highest {
            match code {
                None if reply.status == Status::Ok => code = Some(highest),
                _ => write::untagged(out, Status::Ok, Some(highest), "Highest"),
            }
        }
        if reply.status == Status::Bad {
            return self.bad(Some(tag), code, &reply.text, out);
        }
        self.tell_fullness_after(kind, out);
        write::tagged(out, tag, reply.status, code, &reply.text);
        if kind == CommandKind::Compress && reply.status == Status::Ok {
            self.phase = Phase::Ready;
            return Progress::Compress;
        }
        match self.state {
            State::LoggedOut => {
                self.phase = Phase::Ended(End::Logout);
                Progress::End(End::Logout)
            }
            State::Authenticated | State::Selected(_) | State::Foreign(_) => {
                self.phase = Phase::Ready;
                Progress::Next
            }
        }
    }

    /// HIGHESTMODSEQ, where the client would take another value for it
    /// (RFC 7162 §3.2 and §6).
    fn modseq_due(&mut self) -> Option<ResponseCode> {
        match &mut self.state {
            State::Selected(selected) if self.enabled.qresync && selected.keeps_modseqs() => {
                selected.modseq_due().map(ResponseCode::HighestModSeq)
            }
            _ => None,
        }
    }

    /// Answers BAD, and BYE after too many of them in a row.
    pub(super) fn bad(
        &mut self,
        tag: Option<&Tag>,
        code: Option<&ResponseCode>,
        text: &str,
        out: &mut Vec<u8>,
    ) -> Progress {
        write::status_line(out, tag, Status::Bad, code, text, Dialect::Ascii);
        // An APPEND or IDLE that this ended leaves nothing behind.
        self.phase = Phase::Ready;
        self.bad_commands += 1;
        let most = self.settings.max_bad_commands;
        if most > 0 && self.bad_commands >= most {
            return self.fatal(Fatal::TooManyBad, out);
        }
        Progress::Next
    }

    pub(crate) fn fatal(&mut self, fatal: Fatal, out: &mut Vec<u8>) -> Progress {
        // A client would take the BYE for a part of the broken response.
        if fatal != Fatal::Truncated {
            write::bye(out, None, &fatal.to_string());
        }
        let end = end_of(fatal);
        self.phase = Phase::Ended(end);
        Progress::End(end)
    }
}

/// Commands that expunge messages and tell so.
fn expunges(kind: CommandKind) -> bool {
    use CommandKind as K;
    matches!(
        kind,
        K::Expunge | K::UidExpunge | K::Move | K::UidMove | K::Replace | K::UidReplace
    )
}
