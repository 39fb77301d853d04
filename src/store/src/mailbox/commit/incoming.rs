//! A message's file on its way into a mailbox.

use crate::format::name::{FileName, Letters, write_with_flags};
use crate::mailbox::Mailbox;
use crate::mailbox::copy::CopyMode;
use crate::mailbox::flags::Within;
use crate::mailbox::own::Sub;
use crate::mailbox::repair::rebased;
use crate::mailbox::resolve::Location;
use roost_os::file;
use roost_types::{Keyword, SystemFlags};
use std::io;
use std::sync::Arc;

/// A message's file on its way. One in `tmp/` is removed when dropped before
/// it was moved.
pub(in crate::mailbox) struct Incoming {
    pub mailbox: Arc<Mailbox>,
    pub origin: Origin,
    /// Base name to be, with the info part of a copied message if any.
    pub name: Vec<u8>,
    /// Change the base name if the destination has it already.
    pub guid: Option<Vec<u8>>,
    pub flags: SystemFlags,
    pub keywords: Vec<Keyword>,
    /// Octets and RFC822.SIZE, where the name does not tell.
    pub stored: Option<u64>,
    pub size: Option<u64>,
    pub moved: bool,
}

/// Where the file is now.
pub(in crate::mailbox) enum Origin {
    /// In `tmp/`, by this name.
    Temporary(String),
    /// In another mailbox, to be linked from there or taken.
    Message(Arc<Mailbox>, Location, CopyMode),
}

impl Incoming {
    /// Leaves out all flags but these.
    pub fn keep(&mut self, within: Within) {
        self.flags = self.flags & within.system;
        if !within.keywords {
            self.keywords.clear();
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Origin::Temporary(name) = &self.origin
            && !self.moved
        {
            // What cannot be removed now, the cleaning of tmp removes later.
            let _ = file::unlink(&self.mailbox.tmp, name.as_bytes());
        }
    }
}

impl Incoming {
    pub(super) fn place(&mut self, at: &Location) -> io::Result<()> {
        let own = &self.mailbox.marks.own;
        let to = self.mailbox.sub(at.sub);
        own.expect(at.sub, &at.name);
        let placed = match &self.origin {
            Origin::Temporary(name) => {
                file::rename_noreplace(&self.mailbox.tmp, name.as_bytes(), to, &at.name)
            }
            Origin::Message(mailbox, from, CopyMode::Copy) => {
                file::link(mailbox.sub(from.sub), &from.name, to, &at.name)
            }
            Origin::Message(mailbox, from, CopyMode::Move) => {
                mailbox.marks.own.expect(from.sub, &from.name);
                let dir = mailbox.sub(from.sub);
                file::rename_noreplace(dir, &from.name, to, &at.name).inspect_err(|_| {
                    mailbox.marks.own.take(from.sub, &from.name);
                })
            }
        };
        match &placed {
            Ok(()) => self.moved = true,
            Err(_) => {
                own.take(at.sub, &at.name);
            }
        }
        placed
    }

    pub(super) fn take_back(&mut self, at: &Location) -> io::Result<()> {
        self.mailbox.marks.own.expect(at.sub, &at.name);
        let from = self.mailbox.sub(at.sub);
        match &self.origin {
            Origin::Temporary(name) => {
                file::rename_noreplace(from, &at.name, &self.mailbox.tmp, name.as_bytes())?;
            }
            Origin::Message(_, _, CopyMode::Copy) => file::unlink(from, &at.name)?,
            Origin::Message(mailbox, to, CopyMode::Move) => {
                mailbox.marks.own.expect(to.sub, &to.name);
                file::rename_noreplace(from, &at.name, mailbox.sub(to.sub), &to.name)?;
            }
        }
        self.moved = false;
        Ok(())
    }

    /// Gives up the base name for one that nobody has; the old one stays
    /// known as the message's GUID.
    pub(super) fn rebase(&mut self) {
        let old = FileName::parse(&self.name).base().to_vec();
        self.guid.get_or_insert(old);
        self.name = rebased(&self.name);
    }

    /// Messages without any flag go to `new`, so that other programs take
    /// them for new as well.
    pub(super) fn target(&self, letters: Letters) -> Location {
        let base = FileName::parse(&self.name).base();
        let bare = base.len() == self.name.len();
        if bare && self.flags.is_empty() && self.keywords.is_empty() {
            return Location {
                sub: Sub::New,
                name: base.to_vec(),
            };
        }
        let mut name = Vec::with_capacity(self.name.len() + 8);
        write_with_flags(&mut name, &self.name, self.flags, letters);
        Location {
            sub: Sub::Cur,
            name,
        }
    }
}
