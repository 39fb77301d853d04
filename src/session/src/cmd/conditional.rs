//! STORE with UNCHANGEDSINCE.
//!
//! Messages have one MODSEQ for all their flags. The RFC wants no refusal of
//! adding or removing flags for the sake of other flags (RFC 7162 §3.1.12): of
//! a message whose flags in question are as the client was told last, the
//! change is made, on the condition that nothing happens in between.

use crate::error::Error;
use crate::selected::{Selected, deleted};
use roost_store::{FlagChange, FlagMode, FlagOutcome, Row, Snapshot};
use roost_types::{ModSeq, Uid, UidSet};

/// How often other flags may change while we try.
const TRIES: usize = 3;

/// Changes flags as [`roost_store::Mailbox::store_flags`] does.
pub(super) fn store(
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
