//! A turn's part in what a session relays; see `roost_session::foreign`.
//!
//! Octets of a link are read only when the client has taken what came before,
//! so that a client that reads slowly holds up the other account's session and
//! fills no memory here; and the client's are read only when the link has taken
//! its own.

use crate::client::{Client, Pause, Stop};
use crate::control::{Answer, Wish};
use crate::links::Heard;
use roost_session::session::Progress;
use roost_session::{LinkError, LinkId};
use std::time::Instant;

impl Client {
    /// The session asks the supervisor.
    pub fn ask(&mut self) -> Result<Option<Pause>, Stop> {
        self.drop_links();
        let answer = self.answer.take();
        let links = &mut self.links;
        let link = self.link;
        let (session, out) = (self.session.as_mut().ok_or(Stop::Panic)?, &mut self.out);
        let answer = match (answer, session.asks()) {
            (None, Some(ask)) if !link => {
                let wish = Wish::of(ask);
                return Ok(Some(match self.send()? {
                    true => Pause::Ask(wish),
                    false => Pause::Output,
                }));
            }
            // Who asks for mailboxes of this account gets none of a third.
            (None, _) => Answer::Link(Err(LinkError::NoSuchAccount)),
            (Some(answer), _) => *answer,
        };
        self.progress = match answer {
            Answer::Link(Ok(fd)) => {
                let added = links.get_or_insert_default().add(fd);
                session.linked(added.map_err(|_| LinkError::Unavailable), out)
            }
            Answer::Link(Err(error)) => session.linked(Err(error), out),
            Answer::Shares(owners) => session.shares(owners, out),
        };
        Ok(None)
    }

    /// A command is relayed: to the link, and back to the client.
    pub fn relay(&mut self) -> Result<Option<Pause>, Stop> {
        self.look_at_the_client()?;
        if self.progress != Progress::Relay {
            return Ok(None);
        }
        if let Some(id) = self.tell_links()? {
            return Ok(Some(Pause::LinkOutput(id)));
        }
        let (session, out) = self.session()?;
        let Some(id) = session.link() else {
            self.progress = session.step(out);
            return Ok(None);
        };
        if self.hear(id)? {
            return Ok(None);
        }
        // Nothing more comes by now, so the client shall have what came.
        Ok(Some(match self.send()? {
            true => Pause::Relay(id),
            false => Pause::Output,
        }))
    }

    /// Between commands and in IDLE: what goes to links, and what has come by
    /// now from the one that is listened to.
    pub fn look_at_links(&mut self) -> Result<Option<Pause>, Stop> {
        if self.links.is_none() {
            return Ok(None);
        }
        if let Some(id) = self.tell_links()? {
            return Ok(Some(Pause::LinkOutput(id)));
        }
        let before = self.progress;
        for id in self.heard_links() {
            let (session, out) = self.session()?;
            // What came before may have been the first part of something.
            if !session.heard().contains(&id) {
                continue;
            }
            self.progress = session.relayed(id, &[], out);
            if self.progress == before {
                self.hear(id)?;
            }
            // One that is in the middle of a response is heard alone.
            if self.progress != before {
                break;
            }
        }
        Ok(None)
    }

    /// The links that are waited for beside the client.
    pub fn heard_links(&self) -> Vec<LinkId> {
        match (&self.links, &self.session) {
            (Some(_), Some(session)) => session.heard(),
            _ => Vec::new(),
        }
    }

    /// Sends what links have for output; names one that does not take it all.
    fn tell_links(&mut self) -> Result<Option<LinkId>, Stop> {
        self.drop_links();
        let session = self.session.as_mut().ok_or(Stop::Panic)?;
        let Some(links) = &mut self.links else {
            return Ok(None);
        };
        while let Some(id) = session.link_to_write()
            && let Some(output) = session.link_output(id)
        {
            links.send(id, output);
            output.clear();
        }
        Ok(links.behind())
    }

    /// Hands over what has come; false if there was nothing.
    fn hear(&mut self, id: LinkId) -> Result<bool, Stop> {
        let (Some(session), Some(links)) = (&mut self.session, &mut self.links) else {
            return Err(Stop::Panic);
        };
        let (progress, out) = (&mut self.progress, &mut self.out);
        let heard = links.hear(id, |octets| *progress = session.relayed(id, octets, out));
        match heard {
            Heard::Octets => Ok(true),
            Heard::Nothing => Ok(false),
            Heard::End => {
                links.drop_link(id);
                *progress = session.link_lost(id, out);
                Ok(true)
            }
        }
    }

    /// Lets go of the links that the session has no use for.
    pub fn drop_links(&mut self) {
        if let (Some(session), Some(links)) = (&mut self.session, &mut self.links) {
            for id in session.closed_links() {
                links.drop_link(id);
            }
        }
    }

    /// How long a command may still run for a client that has closed its side.
    pub fn patience(&self) -> Option<Instant> {
        self.half_closed
            .map(|since| since + crate::client::HALF_CLOSED)
    }

    /// Whether the client's octets are taken while its command runs.
    pub fn reads_ahead(&self) -> bool {
        self.half_closed.is_none() && self.framer.buffered() < crate::client::READ_AHEAD
    }
}
