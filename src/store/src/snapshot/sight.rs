//! What of a mailbox is shown to whom. Messages with `$Service` are there for
//! programs, and most clients are not shown them; those with `$Hidden` may be
//! kept from others than the administrators of the mailbox.
//!
//! Who is not shown all has a picture of its own, made of the whole one: it
//! has the same generation, UIDNEXT and MODSEQ, and shares all chunks in which
//! nothing is left out, so that sessions and comparisons need not know of it.
//! It is made once for all who see alike, and have the same `\Seen`: the pictures
//! of the mailbox's own are kept with it, those of each reader of its own with
//! the reader ([`crate::Reader::shown`]); in a mailbox where no message was
//! ever left out, it is the whole one itself, which costs nothing to find out.
//!
//! What must stay true: such a picture is never the beginning of another whole
//! one ([`super::Draft`]), for the messages that it leaves out would be lost.

use super::chunk::Chunk;
use super::diff::{Step, walk};
use super::hot::HotRow;
use super::keywords::KeywordTable;
use super::{Parts, Snapshot};
use roost_types::{Keyword, Uid, UidSet};
use std::sync::{Arc, Weak};

/// Keywords that decide what is shown, as bits.
pub(super) const SERVICE: u8 = 1;
pub(super) const HIDDEN: u8 = 2;

/// The bits of the keywords of a set.
pub(super) fn marks(keywords: &[Keyword]) -> u8 {
    let mark = |keyword: &Keyword| match keyword.as_str() {
        name if name.eq_ignore_ascii_case("$Service") => SERVICE,
        name if name.eq_ignore_ascii_case("$Hidden") => HIDDEN,
        _ => 0,
    };
    keywords.iter().fold(0, |all, keyword| all | mark(keyword))
}

/// Which messages somebody is shown besides those that everybody is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sight {
    /// Those with `$Service`.
    pub service: bool,
    /// Those with `$Hidden`.
    pub hidden: bool,
}

impl Sight {
    pub const ALL: Self = Self {
        service: true,
        hidden: true,
    };

    /// What clients see that have not asked for more, of mailboxes that they
    /// administrate or whose `$Hidden` means nothing.
    pub const USUAL: Self = Self {
        service: false,
        hidden: true,
    };

    /// Keywords whose messages are left out.
    fn leaves_out(self) -> u8 {
        let service = if self.service { 0 } else { SERVICE };
        let hidden = if self.hidden { 0 } else { HIDDEN };
        service | hidden
    }
}

impl Default for Sight {
    fn default() -> Self {
        Self::USUAL
    }
}

/// The picture made last for one kind of [`Sight`].
#[derive(Debug)]
struct Made {
    whole: Arc<Snapshot>,
    /// For each chunk of `whole`, what is left of it, if anything.
    chunks: Vec<Option<Arc<Chunk>>>,
    shown: Arc<Snapshot>,
}

/// The pictures made last of one mailbox.
#[derive(Debug, Default)]
pub(crate) struct Sights {
    made: [Option<Made>; 3],
    /// Of few: who has passed the same UIDs lacks the same.
    lacking: Vec<Lacking>,
}

/// Kinds of sessions whose pictures without messages are remembered.
const MOST_LACKING: usize = 8;

/// A picture without messages that have come back to those who see more of
/// them; kept by those alone who look at it.
#[derive(Debug)]
struct Lacking {
    of: Weak<Snapshot>,
    uids: UidSet,
    rest: Weak<Snapshot>,
}

impl Snapshot {
    /// The messages that are there and not shown here.
    pub fn left_out(&self) -> &UidSet {
        &self.left_out
    }

    /// The sight that shows the same here and leaves nothing out that nobody
    /// has.
    pub(crate) fn effective(&self, sight: Sight) -> Sight {
        let marks = self.table.marks();
        Sight {
            service: sight.service || marks & SERVICE == 0,
            hidden: sight.hidden || marks & HIDDEN == 0,
        }
    }

    /// The same picture without these messages.
    #[must_use]
    pub(crate) fn without(self: &Arc<Self>, uids: &UidSet) -> Arc<Self> {
        let Some((min, max)) = uids.min().zip(uids.max()) else {
            return Arc::clone(self);
        };
        let stays = |row: &HotRow| Uid::new(row.uid).is_none_or(|uid| !uids.contains(uid));
        let chunks = self.chunks.iter().filter_map(|chunk| {
            let apart = chunk.last_uid() < min.get() || chunk.first_uid() > max.get();
            match apart {
                true => Some(Arc::clone(chunk)),
                false => chunk.part(stays),
            }
        });
        let mut left_out = self.left_out.clone();
        left_out.extend_set(uids);
        Arc::new(self.of_chunks(chunks.collect(), left_out))
    }

    /// Messages that `new` has and `self` had not, though their UIDs had been
    /// passed by then: they were left out.
    pub fn came_back(&self, new: &Self) -> UidSet {
        let mut back = UidSet::new();
        walk(self, new, |step| {
            if let Step::New(row) = step
                && let Some(uid) = Uid::new(row.uid).filter(|&uid| uid < self.uid_next)
            {
                back.insert(uid);
            }
        });
        back
    }

    fn of_chunks(&self, chunks: Vec<Arc<Chunk>>, left_out: UidSet) -> Self {
        let mut part = Self::assemble(Parts {
            uid_validity: self.uid_validity,
            uid_next: self.uid_next,
            modseq: self.modseq,
            chunks,
            table: Arc::clone(&self.table),
        });
        part.generation = self.generation;
        part.left_out = left_out;
        part
    }
}

impl Sights {
    /// What of `whole` is shown.
    pub fn shown(&mut self, whole: &Arc<Snapshot>, sight: Sight) -> Arc<Snapshot> {
        let leaves_out = whole.effective(sight).leaves_out();
        let Some(at) = usize::from(leaves_out).checked_sub(1) else {
            return Arc::clone(whole);
        };
        let Some(slot) = self.made.get_mut(at) else {
            return Arc::clone(whole);
        };
        if let Some(made) = slot
            && Arc::ptr_eq(&made.whole, whole)
        {
            return Arc::clone(&made.shown);
        }
        let made = Made::new(whole, leaves_out, slot.as_ref());
        let shown = Arc::clone(&made.shown);
        // Somebody slower may ask for an older one; the next will for a newer.
        *slot = Some(made);
        shown
    }

    /// [`Snapshot::without`], once for all who have not seen the same.
    pub fn without(&mut self, shown: &Arc<Snapshot>, uids: &UidSet) -> Arc<Snapshot> {
        if uids.is_empty() {
            return Arc::clone(shown);
        }
        let same = |last: &&Lacking| {
            std::ptr::eq(last.of.as_ptr(), Arc::as_ptr(shown)) && last.uids == *uids
        };
        let last = self.lacking.iter().find(same);
        if let Some(rest) = last.and_then(|last| last.rest.upgrade()) {
            return rest;
        }
        let rest = shown.without(uids);
        self.lacking.retain(|last| last.rest.strong_count() > 0);
        self.lacking.truncate(MOST_LACKING - 1);
        let lacking = Lacking {
            of: Arc::downgrade(shown),
            uids: uids.clone(),
            rest: Arc::downgrade(&rest),
        };
        self.lacking.insert(0, lacking);
        rest
    }
}

impl Made {
    fn new(whole: &Arc<Snapshot>, leaves_out: u8, before: Option<&Self>) -> Self {
        let table = whole.table();
        let before = before.filter(|made| table.marks_as(made.whole.table()));
        let known = before.into_iter();
        let mut known = known
            .flat_map(|made| made.whole.chunks.iter().zip(&made.chunks))
            .peekable();
        let mut chunks = Vec::with_capacity(whole.chunks.len());
        for chunk in &whole.chunks {
            while known
                .next_if(|(old, _)| old.last_uid() < chunk.first_uid())
                .is_some()
            {}
            let same = known.next_if(|(old, _)| Arc::ptr_eq(old, chunk));
            chunks.push(match same {
                Some((_, part)) => part.clone(),
                None => part_of(chunk, table, leaves_out),
            });
        }
        let shown = assembled(whole, &chunks);
        Self {
            whole: Arc::clone(whole),
            chunks,
            shown,
        }
    }
}

fn part_of(chunk: &Arc<Chunk>, table: &KeywordTable, leaves_out: u8) -> Option<Arc<Chunk>> {
    chunk.part(|row| table.marks_of(row.keywords) & leaves_out == 0)
}

fn assembled(whole: &Arc<Snapshot>, parts: &[Option<Arc<Chunk>>]) -> Arc<Snapshot> {
    let pairs = || whole.chunks.iter().zip(parts);
    let is_whole = |(chunk, part): (&Arc<Chunk>, &Option<Arc<Chunk>>)| {
        part.as_ref().is_some_and(|part| Arc::ptr_eq(chunk, part))
    };
    if pairs().all(is_whole) {
        return Arc::clone(whole);
    }
    let mut left_out = UidSet::new();
    for (chunk, part) in pairs().filter(|&pair| !is_whole(pair)) {
        let left = part.as_ref().map_or(&[][..], |part| part.rows());
        let mut left = left.iter().peekable();
        for row in chunk.rows() {
            if left.next_if(|l| l.uid == row.uid).is_none()
                && let Some(uid) = Uid::new(row.uid)
            {
                left_out.insert(uid);
            }
        }
    }
    let chunks = parts.iter().flatten().cloned().collect();
    Arc::new(whole.of_chunks(chunks, left_out))
}
