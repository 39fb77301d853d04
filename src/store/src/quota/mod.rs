//! What an account holds and may hold.
//!
//! The sums stand in `maildirsize`, which other programs read and write too
//! (see [`maildirsize`]). Roost appends a line for every change of its own and
//! counts anew where the file cannot be believed: see [`count`].
//!
//! What must stay true:
//! - where nobody keeps sums and there is no limit, nothing is weighed, and a
//!   change costs one look for the file;
//! - nobody is refused by sums that may be wrong: they are counted first;
//! - a change holds `gate` from before its first file until its line is
//!   written, so that what is counted here has it once. Who holds it takes it
//!   before any lock of a mailbox, and not twice;
//! - nobody waits for a change that waits: where one does not come to its end,
//!   what was counted is told but not written, and counted again behind it.

pub mod count;
mod gate;

use crate::error::Error;
use crate::format::Dir;
use crate::format::maildirsize::{self, Found, Sum};
use crate::mailbox::lock;
use crate::options::QuotaOptions;
use crate::upkeep::Upkeep;
use count::Count;
use gate::Gate;
use roost_types::{MailboxName, QuotaLimits};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Courier's and Dovecot's limit: sums older than that refuse nobody.
const STALE: Duration = Duration::from_secs(15 * 60);

/// The mailbox that may be left out.
const TRASH: &str = "Trash";

/// What an account holds, and its limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usage {
    pub limits: QuotaLimits,
    /// Octets of all messages as they are stored.
    pub octets: u64,
    pub messages: u64,
}

impl Usage {
    fn new(limits: QuotaLimits, sum: Sum) -> Self {
        let whole = |n| u64::try_from(n).unwrap_or(0);
        Self {
            limits,
            octets: whole(sum.octets),
            messages: whole(sum.messages),
        }
    }

    /// How much of the nearest limit is used; 0 where nothing is limited.
    pub fn percent(&self) -> u64 {
        let percent = |used: u64, limit: u64| {
            let percent = u128::from(used) * 100 / u128::from(limit.max(1));
            u64::try_from(percent).unwrap_or(u64::MAX)
        };
        let of = |used, limit| if limit == 0 { 0 } else { percent(used, limit) };
        of(self.octets, self.limits.storage).max(of(self.messages, self.limits.messages))
    }

    fn is_over(&self) -> bool {
        let over = |used, limit| limit > 0 && used > limit;
        over(self.octets, self.limits.storage) || over(self.messages, self.limits.messages)
    }

    fn has_room_for(&self, more: Sum) -> bool {
        let fits = |used: u64, more: i64, limit: u64| {
            limit == 0 || more <= 0 || used.saturating_add_signed(more) <= limit
        };
        fits(self.octets, more.octets, self.limits.storage)
            && fits(self.messages, more.messages, self.limits.messages)
    }
}

/// What is known of an account without counting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// There is no limit.
    Unlimited,
    Used(Usage),
    /// It has to be counted.
    Unknown(QuotaLimits),
}

pub(crate) struct Quota {
    root: Dir,
    options: Mutex<QuotaOptions>,
    /// See the module's description.
    gate: Gate,
    /// Held by who counts and somebody waits for it.
    counting: Mutex<()>,
    /// Somebody is about to count though nobody waits.
    due: AtomicBool,
    /// A count could not be written for a change that was under way.
    owed: AtomicBool,
    upkeep: Upkeep,
}

impl Quota {
    pub fn new(root: &Dir, options: QuotaOptions, upkeep: &Upkeep) -> Arc<Self> {
        Arc::new(Self {
            root: root.clone(),
            options: Mutex::new(options),
            gate: Gate::default(),
            counting: Mutex::default(),
            due: AtomicBool::default(),
            owed: AtomicBool::default(),
            upkeep: upkeep.clone(),
        })
    }

    pub fn options(&self) -> QuotaOptions {
        *lock(&self.options)
    }

    pub fn set_options(&self, options: QuotaOptions) {
        *lock(&self.options) = options;
    }

    /// Whether messages of a mailbox count.
    pub fn counts(&self, mailbox: &MailboxName) -> bool {
        self.options().count_trash || mailbox.join('/') != TRASH
    }

    /// What is known without counting; has it counted aside where that is due.
    pub fn known(self: &Arc<Self>) -> Result<Known, Error> {
        Ok(self.look()?.0)
    }

    /// Also whether refusing may rest on it.
    fn look(self: &Arc<Self>) -> Result<(Known, bool), Error> {
        let configured = self.options().limits;
        let Some(found) = maildirsize::read(&self.root)? else {
            return Ok(match configured.filter(|limits| !limits.is_none()) {
                None => (Known::Unlimited, true),
                Some(limits) => (Known::Unknown(limits), false),
            });
        };
        let limits = configured.unwrap_or(found.limits);
        let other = limits != found.limits;
        if limits.is_none() {
            if other || found.full || found.sum.is_none() {
                self.count_aside();
            }
            return Ok((Known::Unlimited, true));
        }
        let Some(sum) = found.sum.filter(|_| !other) else {
            return Ok((Known::Unknown(limits), false));
        };
        let usage = Usage::new(limits, sum);
        let fresh = is_fresh(&found);
        if usage.is_over() && !fresh {
            return Ok((Known::Unknown(limits), false));
        }
        if found.full {
            self.count_aside();
        }
        Ok((Known::Used(usage), fresh))
    }

    /// `Error::OverQuota` if there is no room for `more`, which is not asked
    /// for where there is no limit. Counts where that has to be sure.
    pub fn check(self: &Arc<Self>, more: impl FnOnce() -> Sum) -> Result<(), Error> {
        let look = self.look()?;
        if look.0 == Known::Unlimited {
            return Ok(());
        }
        let more = more();
        if more.octets <= 0 && more.messages <= 0 {
            return Ok(());
        }
        if self.has_room(look, more) == Some(true) {
            return Ok(());
        }
        let _counting = lock(&self.counting);
        // Somebody else may have counted meanwhile.
        let room = match self.has_room(self.look()?, more) {
            Some(room) => room,
            None => match self.count()?.finish()? {
                Known::Used(usage) => usage.has_room_for(more),
                Known::Unlimited | Known::Unknown(_) => true,
            },
        };
        if room { Ok(()) } else { Err(Error::OverQuota) }
    }

    /// `None`: it has to be counted.
    fn has_room(&self, (known, fresh): (Known, bool), more: Sum) -> Option<bool> {
        match known {
            Known::Unlimited => Some(true),
            Known::Unknown(_) => None,
            Known::Used(usage) => match usage.has_room_for(more) {
                true => Some(true),
                false => fresh.then_some(false),
            },
        }
    }

    /// Begins a change of messages.
    pub fn change(self: &Arc<Self>) -> Change<'_> {
        // Before the look: a count that ends now may make the file.
        self.gate.enter();
        Change {
            quota: self,
            is_kept: maildirsize::is_kept(&self.root),
            sum: Sum::ZERO,
        }
    }

    /// Has it counted again when the changes under way have ended.
    fn owe(self: &Arc<Self>) {
        self.owed.store(true, Ordering::Release);
        // The last one may have ended just now.
        if self.gate.is_empty() && self.owed.swap(false, Ordering::AcqRel) {
            self.count_aside();
        }
    }

    /// Counts soon, on a thread that nobody waits for.
    pub fn count_aside(self: &Arc<Self>) {
        if self.due.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = Arc::clone(self);
        self.upkeep.later(move || {
            this.due.store(false, Ordering::Release);
            if let Err(e) = this.count().and_then(Count::finish) {
                log::warn!("{}: counting: {e}", this.root.path().display());
            }
        });
    }

    /// Begins to count all messages.
    pub fn count(self: &Arc<Self>) -> Result<Count, Error> {
        Count::new(self)
    }
}

/// What refusing may rest on.
fn is_fresh(found: &Found) -> bool {
    found.lines <= 1 && found.age <= STALE
}

/// A change of messages; when it is dropped, its line is written.
pub(crate) struct Change<'a> {
    quota: &'a Arc<Quota>,
    is_kept: bool,
    sum: Sum,
}

impl Change<'_> {
    /// Somebody keeps sums. Where nobody does, it need not be weighed, but held
    /// all the same.
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    pub fn add(&mut self, more: Sum) {
        self.sum = self.sum.plus(more);
    }

    pub fn remove(&mut self, less: Sum) {
        self.sum = self.sum.minus(less);
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        maildirsize::append(&self.quota.root, self.sum);
        if self.quota.gate.leave() && self.quota.owed.swap(false, Ordering::AcqRel) {
            self.quota.count_aside();
        }
    }
}
