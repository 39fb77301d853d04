//! What can be known of messages where their part of a snapshot is damaged.
//!
//! What must stay true: nothing that is made up costs a message. A row too many
//! is found to have no file when the mailbox is listed again, which is done
//! next; so a message that is there has its row before any that is not.

use super::file::IndexFile;
use crate::format::UidList;
use crate::format::name::{FileName, is_message_name};
use crate::snapshot::{ColdData, Facts, HotRow, Summary};
use roost_os::dir;
use roost_types::{SystemFlags, Uid};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What the list and the directories know together.
#[derive(Default)]
pub(super) struct Salvaged {
    /// UIDs of messages whose files are there, and the flags in their names.
    there: BTreeMap<u32, SystemFlags>,
    /// UIDs of all others in the list.
    absent: Vec<u32>,
}

impl IndexFile {
    /// What the UID list tells of these messages.
    pub(super) fn rebuild_facts(&self, rows: &[HotRow]) -> ColdData {
        let list = self.list();
        let mut data = ColdData::with_capacity(rows.len());
        for row in rows {
            let uid = Uid::new(row.uid);
            let of = |list: &UidList| {
                let uid = uid?;
                let base = list.base_of(uid)?.to_vec();
                Some((base, list.message_guid(uid).map(<[u8]>::to_vec)))
            };
            let (base, guid) = list.as_ref().and_then(of).unwrap_or_default();
            let name = FileName::parse(&base);
            data.push(&Facts {
                base: &base,
                guid: guid.as_deref(),
                stored: name.size(),
                size: name.virtual_size(),
                ..Facts::none(row.uid)
            });
        }
        data
    }

    /// As many rows as `summary` tells of. Which messages they were, the
    /// chunk's other part knows (`uids`), or else the list and the directories.
    /// Keywords are left to who lists the mailbox next.
    pub(super) fn rebuild_rows(&self, summary: &Summary, uids: Option<Vec<u32>>) -> Vec<HotRow> {
        let of_chunk = |uids: &Vec<u32>| {
            uids.len() == summary.counts.messages as usize
                && uids.first() == Some(&summary.first)
                && uids.last() == Some(&summary.last)
        };
        let salvaged = self.salvaged().get_or_init(|| self.salvage());
        let uids = uids.filter(of_chunk);
        let uids = uids.unwrap_or_else(|| choose(summary, salvaged));
        let row = |uid| HotRow {
            uid,
            flags: salvaged.there.get(&uid).copied().unwrap_or_default(),
            state: 0,
            keywords: Default::default(),
            modseq: summary.highest,
        };
        uids.into_iter().map(row).collect()
    }

    fn list(&self) -> Option<UidList> {
        UidList::load(self.maildir()).ok().flatten()
    }

    fn salvage(&self) -> Salvaged {
        let mut files: HashMap<Vec<u8>, SystemFlags> = HashMap::new();
        for sub in [b"new", b"cur"] {
            let sub = self.maildir().open_sub(sub).ok();
            let Some(listing) = sub.and_then(|sub| dir::list(&sub).ok()) else {
                continue;
            };
            let names = listing.iter().map(|e| e.name);
            let names = names.filter(|name| is_message_name(name));
            files.extend(names.map(|name| {
                let name = FileName::parse(name);
                (name.base().to_vec(), name.flags().0)
            }));
        }
        let mut salvaged = Salvaged::default();
        if let Some(list) = self.list() {
            for (uid, base) in list.iter_from(0) {
                match files.get(base) {
                    Some(&flags) => drop(salvaged.there.insert(uid.get(), flags)),
                    None => salvaged.absent.push(uid.get()),
                }
            }
        }
        salvaged
    }
}

/// The UIDs of a chunk, sorted: its first and last, those of messages that are
/// there, those that were there once, any that lie between.
fn choose(summary: &Summary, salvaged: &Salvaged) -> Vec<u32> {
    let (first, last) = (summary.first, summary.last);
    let known = salvaged.there.keys().chain(&salvaged.absent).copied();
    let known = known.filter(|uid| (first..=last).contains(uid));
    let mut chosen = BTreeSet::from([first, last]);
    for uid in known.chain(first..=last) {
        if chosen.len() >= summary.counts.messages as usize {
            break;
        }
        chosen.insert(uid);
    }
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Counts;

    #[test]
    fn messages_that_are_there_come_first_and_there_are_as_many_as_there_were() {
        let salvaged = Salvaged {
            there: [3, 11, 12, 15, 30].map(|n| (n, SystemFlags::NONE)).into(),
            absent: vec![13, 14, 31],
        };
        let chosen = |messages| {
            let counts = Counts {
                messages,
                ..Counts::default()
            };
            let summary = Summary {
                counts,
                first: 10,
                last: 20,
                ..Summary::default()
            };
            choose(&summary, &salvaged)
        };
        assert_eq!(chosen(5), [10, 11, 12, 15, 20]);
        assert_eq!(chosen(6), [10, 11, 12, 13, 15, 20]);
        assert_eq!(chosen(8), [10, 11, 12, 13, 14, 15, 16, 20]);
        assert_eq!(chosen(11), (10..=20).collect::<Vec<_>>());
    }
}
