//! What messages weigh in the account's quota (see [`crate::quota`]).

use super::Mailbox;
use super::commit::{Incoming, Origin};
use super::resolve::Location;
use crate::error::Error;
use crate::format::maildirsize::Sum;
use crate::format::name::FileName;
use crate::quota::Change;
use crate::snapshot::{HotRow, Snapshot};
use roost_os::file;
use roost_types::{SystemFlags, Uid};

impl Mailbox {
    /// Begins a change of messages. To be taken before any lock.
    pub(super) fn accounting(&self) -> Change<'_> {
        self.quota.change()
    }

    /// Whether its messages count at all.
    pub(super) fn counts(&self) -> bool {
        self.quota.counts(&self.name())
    }

    /// `Error::OverQuota` if there is no room for these messages, `freed`
    /// taken off.
    pub(super) fn check_room(&self, messages: &[Incoming], freed: Sum) -> Result<(), Error> {
        let more = || match self.counts() {
            true => self.weigh(messages).minus(freed),
            false => Sum::ZERO,
        };
        self.quota.check(more)
    }

    /// The same for MOVE of these messages from here to `to`.
    pub(super) fn check_move(&self, to: &Self, messages: &[Incoming]) -> Result<(), Error> {
        match self.counts() {
            true => Ok(()),
            false => to.check_room(messages, Sum::ZERO),
        }
    }

    /// What messages to come weigh here, if anything does.
    pub(super) fn weigh(&self, messages: &[Incoming]) -> Sum {
        let counts_deleted = self.quota.options().count_trash;
        let counted = |m: &&Incoming| counts_deleted || !m.flags.contains(SystemFlags::DELETED);
        let octets = |m: &Incoming| Sum::of(m.octets());
        messages.iter().filter(counted).map(octets).sum()
    }

    /// What MOVE of these messages from here to `to` comes to: nothing, unless
    /// one of the two does not count.
    pub(super) fn weigh_move(&self, to: &Self, messages: &[Incoming]) -> Sum {
        match (self.counts(), to.counts()) {
            (true, false) => Sum::ZERO.minus(self.weigh(messages)),
            (false, true) => self.weigh(messages),
            _ => Sum::ZERO,
        }
    }

    /// What the message in `row`, whose file is at `at`, weighs.
    pub(super) fn weigh_row(&self, picture: &Snapshot, row: &HotRow, at: &Location) -> Sum {
        if !self.quota.options().count_trash && row.flags.contains(SystemFlags::DELETED) {
            return Sum::ZERO;
        }
        self.weigh_file(picture, row, at)
    }

    /// What those of these messages weigh that do not count for `\Deleted`.
    pub(super) fn weigh_deleted(&self, picture: &Snapshot, uids: &[Uid]) -> Sum {
        let rows = uids.iter().filter_map(|uid| picture.hot(uid.get()));
        rows.filter(|row| row.flags.contains(SystemFlags::DELETED))
            .filter_map(|row| {
                let at = self.known_location(picture, row)?;
                Some(self.weigh_file(picture, row, &at))
            })
            .sum()
    }

    fn weigh_file(&self, picture: &Snapshot, row: &HotRow, at: &Location) -> Sum {
        let known = FileName::parse(&at.name).size();
        let known = known.or_else(|| picture.cold(row.uid)?.stored());
        let stat = || {
            file::stat_at(self.sub(at.sub), &at.name)
                .ok()
                .map(|s| s.size)
        };
        Sum::of(known.or_else(stat).unwrap_or(0))
    }

    /// What message `uid` weighs; nothing if it is not there.
    pub fn weight(&self, uid: Uid) -> u64 {
        let picture = self.snapshot();
        let weighed = picture.hot(uid.get()).and_then(|row| {
            let at = self.known_location(&picture, row)?;
            Some(self.weigh_row(&picture, row, &at))
        });
        match weighed.filter(|_| self.counts()) {
            Some(sum) => u64::try_from(sum.octets).unwrap_or(0),
            None => 0,
        }
    }

    /// How the weight of these messages changed by `\Deleted` between two
    /// pictures, where that flag counts.
    pub(super) fn weigh_flags(&self, before: &Snapshot, after: &Snapshot, uids: &[Uid]) -> Sum {
        let mut change = Sum::ZERO;
        for uid in uids {
            let (Some(old), Some(new)) = (before.hot(uid.get()), after.hot(uid.get())) else {
                continue;
            };
            let deleted = |row: &HotRow| row.flags.contains(SystemFlags::DELETED);
            if deleted(old) == deleted(new) {
                continue;
            }
            let Some(at) = self.known_location(after, new) else {
                continue;
            };
            let weight = self.weigh_file(after, new, &at);
            change = match deleted(new) {
                true => change.minus(weight),
                false => change.plus(weight),
            };
        }
        change
    }
}

impl Incoming {
    /// Octets of its file.
    pub(super) fn octets(&self) -> u64 {
        let known = FileName::parse(&self.name).size().or(self.stored);
        known.unwrap_or_else(|| {
            let stat = match &self.origin {
                Origin::Temporary(name) => file::stat_at(&self.mailbox.tmp, name.as_bytes()),
                Origin::Message(mailbox, at, _) => file::stat_at(mailbox.sub(at.sub), &at.name),
            };
            stat.map_or(0, |stat| stat.size)
        })
    }
}
