//! What a task does with links: it finds the one to an account, has the session
//! there told what it must know first, and sends. What must stay true: nothing is
//! sent ahead of a command with numbers that could make these mean other
//! messages there.

use super::reader::Text;
use super::{Next, Turn, alias, lost};
use crate::error::Error;
use crate::link::LinkId;
use crate::session::State;
use roost_imap::CommandKind;
use std::mem;

impl Turn<'_> {
    /// The link to an account, or to what an alias stands for now; `Err` where
    /// it has to be asked for first.
    pub fn link(&mut self, shown: &str) -> Result<LinkId, Next> {
        let ask = alias::ask(self.session, shown);
        let links = self.session.links_mut();
        if let Some(id) = links.to(shown) {
            if links.get(id).is_some_and(|link| link.ask == ask) {
                return Ok(id);
            }
            links.close(id);
            self.session.forget_closed();
        }
        Err(Next::Ask(ask))
    }

    /// Passes on what the other account says.
    pub fn pass(&mut self, text: Text<'_>) {
        self.out.extend_from_slice(text.bytes);
        *self.partial = !text.ends;
    }

    /// The answer to its command has come.
    pub fn answered(&mut self, id: LinkId) {
        if let Some(link) = self.session.links_mut().get(id) {
            link.expects = None;
        }
    }

    pub fn pass_octets(&mut self, octets: &[u8]) {
        self.out.extend_from_slice(octets);
    }

    /// Sends a command of the client's, without its line end, after what the
    /// session there has to know first.
    pub fn send(&mut self, id: LinkId, command: &[u8]) -> Result<Next, Error> {
        self.prepare(id)?;
        let tag = self.tag.as_str();
        let link = self.session.links_mut().get(id).ok_or_else(lost)?;
        link.send(tag, command);
        Ok(Next::Read(id))
    }

    /// Sends the beginning of a command whose rest goes into the output.
    pub fn begin(&mut self, id: LinkId, head: &[u8]) -> Result<(), Error> {
        self.prepare(id)?;
        let tag = self.tag.as_str();
        let link = self.session.links_mut().get(id).ok_or_else(lost)?;
        link.begin(tag);
        link.output.extend_from_slice(head);
        Ok(())
    }

    /// What is to be sent on a link.
    pub fn output(&mut self, id: LinkId) -> Result<&mut Vec<u8>, Error> {
        let link = self.session.links_mut().get(id).ok_or_else(lost)?;
        Ok(&mut link.output)
    }

    /// Has the session there close the mailbox that the client has left, enable
    /// what the client has enabled, and tell what it wants to be told.
    pub fn prepare(&mut self, id: LinkId) -> Result<(), Error> {
        let enabled = self.session.enabled;
        let notify = self.session.wants_of_selected();
        let selected =
            matches!(&self.session.state, State::Foreign(remote) if remote.link == Some(id));
        let link = self.session.links_mut().get(id).ok_or_else(lost)?;
        // Expunges are told with the answer to ENABLE, and numbers in the
        // command behind it would mean other messages.
        if selected && !may_tell_expunges(self.kind) {
            return Ok(());
        }
        if !selected && mem::take(&mut link.selected) {
            link.send_silently(b"UNSELECT");
        }
        link.enable(enabled);
        if let Some(notify) = notify
            && link.notified.as_ref() != Some(&notify)
        {
            link.send_silently(&notify);
            link.notified = Some(notify);
        }
        Ok(())
    }
}

/// Commands without message numbers.
fn may_tell_expunges(kind: CommandKind) -> bool {
    use CommandKind as K;
    matches!(
        kind,
        K::Noop | K::Check | K::Idle | K::Select | K::Examine | K::Enable | K::Notify
    )
}
