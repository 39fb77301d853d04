//! What comes over a link, piece by piece: whose it is, and what becomes of it.
//! What must stay true: an answer ends only the command that waits for it, the
//! client hears nothing untagged of a mailbox that it has not selected, nor of
//! what this side has sent for itself, and a piece of a response is followed by
//! its next one only.

use super::Event;
use super::links::Watch;
use super::reader::{Piece, Text};
use crate::link::LinkId;
use crate::session::{End, Phase, Progress, Session, State};
use roost_imap::write::{self, Status};

impl Session {
    /// One piece of what comes over a link.
    pub(super) fn piece(
        &mut self,
        id: LinkId,
        piece: Piece<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Progress> {
        match piece {
            Piece::Text(text) if text.begins => self.response(id, text, out),
            _ if self.links_mut().get(id)?.swallows => None,
            Piece::Text(text) => self.untagged(id, text, out),
            Piece::Literal(octets) => match &self.phase {
                Phase::Foreign(_) => Some(self.event(Event::Literal(id, octets), out)),
                _ => {
                    out.extend_from_slice(octets);
                    None
                }
            },
        }
    }

    /// The beginning of a response.
    fn response(&mut self, id: LinkId, text: Text<'_>, out: &mut Vec<u8>) -> Option<Progress> {
        let selected = matches!(&self.state, State::Foreign(remote) if remote.link == Some(id));
        let link = self.links_mut().get(id)?;
        link.swallows = false;
        if text.bytes.starts_with(b"* ") && link.watch == Watch::Lasts {
            link.swallows = !text.ends;
            if text.ends {
                self.told_of_changes(id, text.bytes, out);
            }
            return None;
        }
        if text.bytes.starts_with(b"* ") {
            let hidden = !link.silent.is_empty() && text.bytes.starts_with(b"* ENABLED");
            if let Some(mark) = text.bytes.strip_prefix(write::MARK) {
                link.swallows = true;
                if let State::Foreign(remote) = &mut self.state
                    && remote.link == Some(id)
                {
                    remote.told.marked(mark);
                }
                return None;
            }
            link.swallows =
                hidden || !selected && (!link.silent.is_empty() || link.expects.is_none());
            if text.bytes.starts_with(b"* BYE") {
                return Some(self.bye(id, selected, text.bytes, out));
            }
            if link.swallows {
                return None;
            }
            self.hears(id, text.bytes);
            return self.untagged(id, text, out);
        }
        let blank = text.bytes.iter().position(|&b| b == b' ');
        let (tag, rest) = text.bytes.split_at_checked(blank.unwrap_or(0))?;
        let expected =
            link.silent.is_empty() && link.expects.as_deref() == str::from_utf8(tag).ok();
        let status = match rest.trim_ascii_start() {
            [b'O' | b'o', ..] => Status::Ok,
            [b'N' | b'n', ..] => Status::No,
            _ => Status::Bad,
        };
        if !text.ends {
            if expected {
                return Some(self.event(Event::Ending(id, status, text), out));
            }
            // These have no literals, and are never long.
            let link = self.links_mut().close(id)?;
            return Some(self.lose(&link, out));
        }
        if text.bytes.starts_with(b"+") {
            let waits = link.silent.is_empty() && link.expects.is_some();
            return waits.then(|| self.event(Event::Continue(id), out));
        }
        if link
            .silent
            .front()
            .is_some_and(|silent| silent.as_bytes() == tag)
        {
            link.silent.pop_front();
            return None;
        }
        if !expected {
            return None;
        }
        link.expects = None;
        Some(self.event(Event::Tagged(id, status, text.bytes), out))
    }

    /// Something untagged that is not for this side.
    fn untagged(&mut self, id: LinkId, text: Text<'_>, out: &mut Vec<u8>) -> Option<Progress> {
        match &self.phase {
            Phase::Foreign(_) => Some(self.event(Event::Text(id, text), out)),
            _ => {
                out.extend_from_slice(text.bytes);
                None
            }
        }
    }

    /// Takes note of what the client is told of its selected mailbox.
    fn hears(&mut self, id: LinkId, line: &[u8]) {
        let State::Foreign(remote) = &mut self.state else {
            return;
        };
        if remote.link != Some(id) {
            return;
        }
        remote.hears(line);
        if line.starts_with(b"* OK [CLOSED]") {
            self.state = State::Authenticated;
            if let Some(link) = self.links_mut().get(id) {
                link.selected = false;
            }
        }
    }

    /// The other session ends. As with an own mailbox, that of a client that
    /// has it selected ends, too.
    fn bye(&mut self, id: LinkId, selected: bool, line: &[u8], out: &mut Vec<u8>) -> Progress {
        if !selected {
            self.links_mut().close(id);
            return self.event(Event::Lost(id), out);
        }
        out.extend_from_slice(line);
        self.phase = Phase::Ended(End::Fatal);
        Progress::End(End::Fatal)
    }
}
