//! STORE with UNCHANGEDSINCE.
//!
//! Messages have one MODSEQ for all their flags. The RFC wants no refusal of
//! adding or removing flags for the sake of other flags (RFC 7162 §3.1.12): of
//! a message whose flags in question are as the client was told last, the
//! change is made, on the condition that nothing happens in between.

use crate::error::Error;
use crate::selected::{Selected, deleted};
use roost_store::{FlagChange, FlagMode, FlagOutcome, Reader, Row, Snapshot, Within};
use roost_types::{ModSeq, SystemFlags, Uid, UidSet};
use std::sync::Arc;

/// How often other flags may change while we try.
const TRIES: usize = 3;

/// Changes flags as [`roost_store::Mailbox::store_flags`] does; `\Seen` of the
/// client's own where it has one.
pub(super) fn store(
    selected: &Selected,
    uids: &UidSet,
    change: &FlagChange<'_>,
) -> Result<FlagOutcome, Error> {
    match (selected.reader(), of_seen(change)) {
        (Some(reader), Some(seen)) => own(selected, reader, uids, (change, seen)),
        _ => shared(selected, uids, change),
    }
}

/// What becomes of `\Seen`, if anything does.
fn of_seen(change: &FlagChange<'_>) -> Option<bool> {
    let given = change.system.contains(SystemFlags::SEEN);
    match change.mode {
        FlagMode::Add => given.then_some(true),
        FlagMode::Remove => given.then_some(false),
        FlagMode::Replace => Some(given),
        FlagMode::ReplaceOf(within) => within.system.contains(SystemFlags::SEEN).then_some(given),
    }
}

/// Changes the client's own `\Seen`, and other flags for all.
fn own(
    selected: &Selected,
    reader: &Arc<Reader>,
    uids: &UidSet,
    (change, seen): (&FlagChange<'_>, bool),
) -> Result<FlagOutcome, Error> {
    let within = match change.mode {
        FlagMode::Replace => Some(Within::ALL),
        FlagMode::ReplaceOf(within) => Some(within),
        FlagMode::Add | FlagMode::Remove => None,
    };
    let others = within.map(|within| Within {
        system: within.system & !SystemFlags::SEEN,
        ..within
    });
    let rest = FlagChange {
        mode: others.map_or(change.mode, FlagMode::ReplaceOf),
        system: change.system & !SystemFlags::SEEN,
        ..*change
    };
    let only_seen = match others {
        Some(others) => others.system.is_empty() && !others.keywords,
        None => rest.system.is_empty() && rest.keywords.is_empty(),
    };
    let mailbox = selected.mailbox();
    mailbox.refresh().map_err(deleted)?;
    let store = || {
        let picture = mailbox.snapshot();
        let newer: UidSet = match change.unchanged_since {
            Some(limit) => {
                let (told, now) = (selected.view().snapshot(), reader.picture(&picture));
                let newer = |uid: &Uid| seen_changed(*uid, told, &now, limit);
                uids.iter().filter(newer).collect()
            }
            None => UidSet::new(),
        };
        let wanted = uids.difference(&newer);
        let mut outcome = match only_seen {
            false => shared(selected, &wanted, &rest)?,
            true => FlagOutcome {
                missing: (wanted.iter().filter(|uid| picture.row_of(*uid).is_none())).collect(),
                modified: UidSet::new(),
                snapshot: picture,
            },
        };
        let mut not = outcome.missing.clone();
        not.extend_set(&outcome.modified);
        outcome.modified.extend_set(&newer);
        Ok((wanted.difference(&not), outcome))
    };
    match change.unchanged_since {
        // Another session of the client's may be changing it just now.
        Some(_) => mailbox.mark_those_seen(reader, seen, store),
        None => {
            let (uids, outcome) = store()?;
            mailbox.mark_seen(reader, &uids, seen).map_err(deleted)?;
            Ok(outcome)
        }
    }
}

/// Whether the client's own `\Seen` may be other than it knows.
fn seen_changed(uid: Uid, told: &Snapshot, now: &Snapshot, limit: ModSeq) -> bool {
    let Some((_, new)) = now.row_of(uid).filter(|(_, new)| new.modseq > limit) else {
        return false;
    };
    let seen = |row: &Row| row.flags.contains(SystemFlags::SEEN);
    let old = told.row_of(uid).map(|(_, old)| old);
    // Of a system flag, 0 asks whether the message is there (RFC 7162 §3.1.3).
    limit == ModSeq(0) || old.is_none_or(|old| old.modseq > limit || seen(&old) != seen(&new))
}

/// Changes flags for all.
fn shared(
    selected: &Selected,
    uids: &UidSet,
    change: &FlagChange<'_>,
) -> Result<FlagOutcome, Error> {
    let mailbox = selected.mailbox();
    let mut outcome = mailbox.store_flags(uids, change).map_err(deleted)?;
    let Some(limit) = change.unchanged_since else {
        return Ok(outcome);
    };
    let told = selected.view().snapshot();
    for _ in 0..TRIES {
        let now = &outcome.snapshot;
        let spurious = |uid: &Uid| unconcerned(*uid, told, now, limit, change);
        let again: UidSet = outcome.modified.iter().filter(spurious).collect();
        if again.is_empty() {
            break;
        }
        let retry = FlagChange {
            unchanged_since: Some(now.highest_modseq()),
            ..*change
        };
        let retried = mailbox.store_flags(&again, &retry).map_err(deleted)?;
        outcome.modified = outcome.modified.difference(&again);
        outcome.modified.extend_set(&retried.modified);
        outcome.missing.extend_set(&retried.missing);
        outcome.snapshot = retried.snapshot;
    }
    Ok(outcome)
}

/// Whether only flags that the change does not touch are others than the
/// client knows.
fn unconcerned(
    uid: Uid,
    told: &Snapshot,
    now: &Snapshot,
    limit: ModSeq,
    change: &FlagChange<'_>,
) -> bool {
    let Some((_, new)) = now.row_of(uid) else {
        return false;
    };
    if matches!(change.mode, FlagMode::Replace | FlagMode::ReplaceOf(_)) {
        return false;
    }
    if limit == ModSeq(0) {
        // A test whether the message has these keywords; system flags are
        // always there (RFC 7162 §3.1.3).
        return change.system.is_empty() && has(now, &new, change).all(|has| !has);
    }
    let Some((_, old)) = told.row_of(uid).filter(|(_, old)| old.modseq <= limit) else {
        return false;
    };
    let system = |row: &Row| row.flags & change.system;
    system(&old) == system(&new) && has(told, &old, change).eq(has(now, &new, change))
}

/// For each keyword of the change whether the message has it.
fn has<'a>(
    snapshot: &'a Snapshot,
    row: &Row,
    change: &'a FlagChange<'_>,
) -> impl Iterator<Item = bool> + 'a {
    let names = snapshot.keyword_names(row.keywords);
    change.keywords.iter().map(move |k| names.contains(k))
}
