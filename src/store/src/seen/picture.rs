//! A reader's own `\Seen` laid over a picture of the mailbox. Chunks in which
//! that is no difference are shared with the mailbox's picture, and those that
//! have not changed with the reader's last one.

use super::{Last, State};
use crate::snapshot::{Chunk, HotRow, Snapshot};
use roost_types::{SystemFlags, Uid, UidSet};
use std::sync::Arc;

impl State {
    pub(super) fn picture(&mut self, base: &Arc<Snapshot>) -> Arc<Snapshot> {
        let newest = match &self.last {
            Some(last) if last.base.generation() > base.generation() => &last.base,
            _ => base,
        };
        let newest = Arc::clone(newest);
        if let Some(last) = &self.last
            && self.touched.is_empty()
            && Arc::ptr_eq(&last.base, &newest)
        {
            return Arc::clone(&last.picture);
        }
        if newest.uid_validity() != self.uid_validity {
            // These are other messages, and the session is going to end.
            return newest;
        }
        let chunks = newest.chunks().iter().map(|chunk| self.chunk(chunk));
        let picture = Arc::new(newest.overlaid(chunks.collect(), self.version, self.highest()));
        self.touched = UidSet::new();
        self.last = Some(Last {
            base: newest,
            picture: Arc::clone(&picture),
        });
        picture
    }

    fn chunk(&self, chunk: &Arc<Chunk>) -> Arc<Chunk> {
        let Some((first, last)) = span(chunk) else {
            return Arc::clone(chunk);
        };
        if !self.touched.meets(first, last)
            && let Some(made) = self.made_before(chunk)
        {
            return made;
        }
        let counts = chunk.counts();
        let changes: Vec<&(u64, UidSet)> = (self.changes.iter())
            .filter(|(_, uids)| uids.meets(first, last))
            .collect();
        let never = self.floor == 0 && changes.is_empty() && !self.seen.meets(first, last);
        if never && counts.unseen == counts.messages {
            return Arc::clone(chunk);
        }
        let mut rows = chunk.rows().to_vec();
        for row in &mut rows {
            self.lay_over(row, &changes);
        }
        match rows == chunk.rows() {
            true => Arc::clone(chunk),
            false => Arc::new(chunk.with_rows(rows)),
        }
    }

    fn lay_over(&self, row: &mut HotRow, changes: &[&(u64, UidSet)]) {
        let Some(uid) = Uid::new(row.uid) else {
            return;
        };
        row.flags = row.flags & !SystemFlags::SEEN;
        if self.seen.contains(uid) {
            row.flags.insert(SystemFlags::SEEN);
        }
        let last = changes.iter().rev().find(|(_, uids)| uids.contains(uid));
        let own = last.map_or(self.floor, |(modseq, _)| *modseq);
        row.modseq = row.modseq.max(own);
    }

    /// What was made of the same chunk for the last picture.
    fn made_before(&self, chunk: &Arc<Chunk>) -> Option<Arc<Chunk>> {
        let last = self.last.as_ref()?;
        let (old, made) = (last.base.chunks(), last.picture.chunks());
        let at = old.partition_point(|c| c.first_uid() < chunk.first_uid());
        let same = old.get(at).is_some_and(|old| Arc::ptr_eq(old, chunk));
        made.get(at).filter(|_| same).map(Arc::clone)
    }
}

fn span(chunk: &Chunk) -> Option<(Uid, Uid)> {
    Some((Uid::new(chunk.first_uid())?, Uid::new(chunk.last_uid())?))
}

/// Ranges over all UIDs between neighbours that have been seen, whether these
/// still are messages or not: none ever comes back.
pub(super) fn simplified(base: &Snapshot, seen: &UidSet) -> UidSet {
    let mut simple = UidSet::new();
    let mut run: Option<(Uid, Uid)> = None;
    for row in base.hot_rows() {
        let Some(uid) = Uid::new(row.uid) else {
            continue;
        };
        if seen.contains(uid) {
            run = Some((run.map_or(uid, |(first, _)| first), uid));
        } else if let Some((first, last)) = run.take() {
            simple.insert_range(first, last);
        }
    }
    if let Some((first, last)) = run {
        simple.insert_range(first, last);
    }
    simple
}
