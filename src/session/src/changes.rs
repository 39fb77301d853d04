//! Telling a client what changed in its mailbox: FLAGS, EXPUNGE, EXISTS,
//! RECENT and FETCH, in pieces, since a flag set on every message of a large
//! mailbox makes megabytes of responses.

use crate::enabled::Enabled;
use crate::job::STEP_OCTETS;
use crate::selected::Selected;
use crate::view::Advance;
use roost_imap::write::{self, FetchLine, Vanished};
use roost_store::{FlagChange, FlagMode, KeywordSetId, Row, Snapshot};
use roost_types::{Keyword, ModSeq, SeqNum, SystemFlags, Uid, UidSet};
use std::collections::HashMap;

/// How FETCH responses look in this session and for this command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    pub enabled: Enabled,
    /// The command works with UIDs (RFC 9051 §6.4.9).
    pub uid: bool,
    /// The client has used NOTIFY (RFC 5465 §5.1).
    pub notified: bool,
}

impl Style {
    /// Begins a FETCH response.
    pub fn open(self, out: &mut Vec<u8>, seq: SeqNum, uid: Uid) -> FetchLine {
        match self.enabled.uid_only {
            true => FetchLine::open_uid(out, uid),
            false => FetchLine::open(out, seq),
        }
    }

    /// Begins a response that tells of a change: with UID where the client
    /// should have it (RFC 9051 §7.5.2, RFC 7162 §3.2.4).
    pub fn open_change(self, out: &mut Vec<u8>, seq: SeqNum, uid: Uid) -> FetchLine {
        let mut line = self.open(out, seq, uid);
        let Enabled {
            rev2,
            condstore,
            uid_only,
            ..
        } = self.enabled;
        if (self.uid || self.notified || rev2 || condstore) && !uid_only {
            line.item(out, "UID");
            write::number(out, uid.get());
        }
        line
    }
}

/// Flags that the client knows of without being told by [`Changes`].
#[derive(Debug)]
pub enum Told<'a> {
    Nothing,
    /// FETCH responses with the newest flags of these messages go out anyway.
    Exact(&'a UidSet),
    Silent(Silent<'a>),
}

/// A piece of `STORE .SILENT`: the client computes the new flags of these
/// messages itself, and is told only where others changed them as well. What
/// it is told then must be what holds after the change; so messages whose
/// turn comes later in the command are withheld until it has come. New MODSEQs
/// of all these messages are told by STORE itself.
#[derive(Debug)]
pub struct Silent<'a> {
    pub change: &'a FlagChange<'a>,
    /// Of the whole command, in rising order piece by piece.
    pub all: &'a UidSet,
    pub piece: &'a UidSet,
    /// Messages that others changed before their turn.
    pub withheld: &'a mut UidSet,
}

/// Untagged responses that are still to be written.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    advance: Advance,
    vanished: Vanished,
    exists: Option<u32>,
    recent: Option<u32>,
    /// What the session that relays takes note of.
    mark: Option<(Uid, ModSeq)>,
    /// How many of `advance.changed` are written.
    written: usize,
}

impl Changes {
    /// From what the view of `selected` has just done.
    pub(crate) fn new(advance: Advance, selected: &Selected) -> Self {
        let new = advance.added > 0;
        let counts = new || !advance.expunged.is_empty();
        Self {
            advance,
            mark: counts.then(|| selected.mark()).flatten(),
            vanished: Vanished::default(),
            exists: new.then(|| selected.view().len()),
            recent: new.then(|| selected.recent_count()),
            written: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        let a = &self.advance;
        a.expunged.is_empty()
            && self.vanished.is_empty()
            && !a.keywords_changed
            && self.exists.is_none()
            && a.changed.len() == self.written
    }

    /// The messages whose flags are to be told.
    pub(crate) fn flagged(&self) -> UidSet {
        self.advance
            .changed
            .iter()
            .map(|(_, row)| row.uid)
            .collect()
    }

    /// Writes until about a step's worth is appended; true when all is told.
    pub fn write(&mut self, out: &mut Vec<u8>, selected: &Selected, style: Style) -> bool {
        let start = out.len();
        let full = |out: &Vec<u8>| out.len() - start >= STEP_OCTETS;
        if std::mem::take(&mut self.advance.keywords_changed) {
            selected.write_flags_responses(out, style.enabled);
        }
        if style.enabled.vanished() && !self.advance.expunged.is_empty() {
            let gone = std::mem::take(&mut self.advance.expunged);
            let uids = gone.into_iter().map(|(_, uid)| uid).collect();
            self.vanished = Vanished::new(&uids, false);
        }
        while !self.vanished.write_line(out) {
            if full(out) {
                return false;
            }
        }
        // From the last to the first, each number is the one it had before.
        while let Some((seq, _)) = self.advance.expunged.pop() {
            write::expunge(out, seq);
            if full(out) {
                return false;
            }
        }
        if let Some(n) = self.exists.take() {
            write::exists(out, n);
        }
        if let Some(n) = self.recent.take()
            && !style.enabled.rev2
        {
            write::recent(out, n);
        }
        for &(seq, row) in self.advance.changed.iter().skip(self.written) {
            self.written += 1;
            selected.write_change(out, seq, &row, style);
            if full(out) {
                return false;
            }
        }
        if let Some((next, complete)) = self.mark.take() {
            write::mark(out, next, complete);
        }
        true
    }
}

/// Decides whether the client knows of a change of flags.
pub(crate) struct Knows<'a> {
    told: Told<'a>,
    old: &'a Snapshot,
    new: &'a Snapshot,
    /// A new MODSEQ alone is to be told, too.
    condstore: bool,
    /// Answers for pairs of keyword sets, of which there are few.
    keywords: HashMap<(KeywordSetId, KeywordSetId), bool>,
}

impl<'a> Knows<'a> {
    pub fn new(told: Told<'a>, old: &'a Snapshot, new: &'a Snapshot, condstore: bool) -> Self {
        Self {
            told,
            old,
            new,
            condstore,
            keywords: HashMap::new(),
        }
    }

    pub fn knows(&mut self, old: &Row, new: &Row) -> bool {
        let known = same(old, new) && !(self.condstore && old.modseq != new.modseq);
        match &mut self.told {
            Told::Exact(uids) if uids.contains(new.uid) => true,
            Told::Silent(silent) => silent.knows(old, new, known, |change| {
                let pair = (old.keywords, new.keywords);
                let (before, after) = (self.old, self.new);
                let knows = || keywords_as(change, (before, old), (after, new));
                *self.keywords.entry(pair).or_insert_with(knows)
            }),
            Told::Exact(_) | Told::Nothing => known,
        }
    }
}

impl Silent<'_> {
    fn knows(
        &mut self,
        old: &Row,
        new: &Row,
        known: bool,
        keywords: impl FnOnce(&FlagChange<'_>) -> bool,
    ) -> bool {
        let uid = new.uid;
        if self.piece.contains(uid) {
            let system = changed(old.flags, self.change);
            return !self.withheld.contains(uid) && new.flags == system && keywords(self.change);
        }
        let later = self.piece.max() < Some(uid) && self.all.contains(uid);
        if later && !same(old, new) {
            self.withheld.insert(uid);
        }
        later || known
    }
}

fn same(old: &Row, new: &Row) -> bool {
    old.flags == new.flags && old.keywords == new.keywords
}

/// Whether the keywords of `new` are what `change` makes of those of `old`.
fn keywords_as(change: &FlagChange<'_>, old: (&Snapshot, &Row), new: (&Snapshot, &Row)) -> bool {
    let had = old.0.keyword_names(old.1.keywords);
    let has = new.0.keyword_names(new.1.keywords);
    let within = |k: &Keyword| change.keywords.contains(k);
    let expected: Vec<&Keyword> = match change.mode.of_keywords() {
        None => had.iter().collect(),
        Some(FlagMode::Replace | FlagMode::ReplaceOf(_)) => change.keywords.iter().collect(),
        Some(FlagMode::Remove) => had.iter().filter(|k| !within(k)).collect(),
        Some(FlagMode::Add) => had
            .iter()
            .filter(|k| !within(k))
            .chain(change.keywords)
            .collect(),
    };
    expected.len() == has.len() && expected.into_iter().all(|k| has.contains(k))
}

/// The system flags after `change`.
fn changed(flags: SystemFlags, change: &FlagChange<'_>) -> SystemFlags {
    change.mode.system(flags, change.system)
}
