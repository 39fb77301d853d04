//! What Dovecot has in its index alone: change numbers and keywords beyond 26.
//! Everything else stands in files that it reads as they are.
//!
//! The order matters. Before Dovecot sees what has changed, its numbers are
//! raised above those that clients know from Roost; so every client is told of
//! every change, some once too often.

use std::collections::HashMap;
use std::path::Path;

use roost_store::Details;
use roost_store::migrate::Carriers;
use roost_store::migrate::keywords::Shared;
use roost_types::{Keyword, MailboxName, Uid, UidSet};

use super::super::maintain;
use super::Open;
use crate::account::Account;
use crate::args::Common;
use crate::doveadm::Doveadm;
use crate::table::{Cell, Table};
use crate::{Failure, exit};

pub const COLUMNS: &[&str] = &["account", "mailbox", "modseq", "keywords"];

pub fn run(
    common: &Common,
    from: Option<&Path>,
    account: &Account,
    open: &Open,
) -> Result<Vec<String>, Failure> {
    let Some(doveadm) = Doveadm::of(account, from)? else {
        let text = "no doveadm is here, which alone can write Dovecot's index";
        return Err(Failure::new(exit::UNAVAILABLE, text));
    };
    let names: HashMap<String, String> = doveadm.names()?.into_iter().collect();
    let mut table = Table::new(common.json, COLUMNS);
    let mut lost = Vec::new();
    let folders = open.folders().map_err(maintain::failed)?;
    for folder in folders.iter().filter(|folder| folder.selectable) {
        // One that Dovecot cannot be told of holds up no other.
        let told = Mailbox::look(open, &folder.name)
            .and_then(|one| one.tell(open, &folder.name, &doveadm, &names));
        let told = match told {
            Ok(told) => told,
            Err(failure) => {
                lost.push(format!("{}: {}", folder.name, failure.text()));
                continue;
            }
        };
        lost.extend(told.kept);
        let line = format!(
            "{}: {}: changes from {} on, {} more keywords",
            account.name, told.name, told.modseq, told.marked
        );
        let cells = [
            Cell::Text(account.name.clone()),
            Cell::Text(told.name.to_owned()),
            Cell::Number(told.modseq),
            Cell::Number(told.marked as u64),
        ];
        table.row(&line, &cells);
    }
    table.end();
    Ok(lost)
}

/// What Dovecot knows of a mailbox now.
struct Told<'a> {
    /// As it calls it.
    name: &'a str,
    modseq: u64,
    /// Keywords without letters that any message carries.
    marked: usize,
    /// Keywords that it has on more messages than Roost.
    kept: Vec<String>,
}

/// What Roost knows of a mailbox.
struct Mailbox {
    guid: String,
    modseq: u64,
    live: UidSet,
    beyond: Vec<(Keyword, UidSet)>,
    shared: Shared,
}

impl Mailbox {
    fn look(open: &Open, name: &MailboxName) -> Result<Self, Failure> {
        let status = open
            .status(name, Details::Counts)
            .map_err(maintain::failed)?;
        let lacking = || Failure::new(exit::IOERR, "it has no GUID");
        let mailbox = open.open(name).map_err(maintain::failed)?;
        let picture = mailbox.snapshot();
        let guid = mailbox.guid().ok_or_else(lacking)?.to_string();
        let places = open.keyword_places(name).map_err(maintain::failed)?;
        let live: UidSet = uids(&picture);
        let beyond = places.beyond.into_iter();
        let beyond = beyond.map(|Carriers { keyword, uids }| (keyword, uids.intersection(&live)));
        Ok(Self {
            guid,
            modseq: status.highest_modseq.0,
            beyond: beyond.collect(),
            live,
            shared: places.shared,
        })
    }

    fn tell<'a>(
        &self,
        open: &Open,
        own_name: &MailboxName,
        doveadm: &Doveadm,
        names: &'a HashMap<String, String>,
    ) -> Result<Told<'a>, Failure> {
        let text = "Dovecot does not open this mailbox; names of directories in UTF-8 need \
                    mail_location = maildir:...:UTF-8";
        let unknown = || Failure::new(exit::DATAERR, text);
        let name = names.get(&self.guid).ok_or_else(unknown)?;
        doveadm.raise_modseq(name, self.modseq)?;
        let kept = self.mark(own_name, doveadm)?;
        open.keywords_given(own_name).map_err(maintain::failed)?;
        let carried = |(_, uids): &&(Keyword, UidSet)| !uids.is_empty();
        Ok(Told {
            name,
            modseq: self.modseq,
            marked: self.beyond.iter().filter(carried).count(),
            kept,
        })
    }

    /// Tells Dovecot of the keywords without letters; returns those that it keeps
    /// on more messages. Taken away from messages is only what was once taken over
    /// from it: a delivery agent may have set others, of which Roost knows nothing.
    fn mark(&self, own_name: &MailboxName, doveadm: &Doveadm) -> Result<Vec<String>, Failure> {
        let mut kept = Vec::new();
        // What has not changed since it was told is older than what Dovecot has.
        if self.beyond.is_empty() || self.shared == Shared::Given {
            return Ok(kept);
        }
        let known = doveadm.keywords(&self.guid, !self.live.is_empty())?;
        for (keyword, uids) in &self.beyond {
            let found = known.iter().find(|(k, _)| k == keyword);
            let had = found.map(|(_, uids)| uids.clone()).unwrap_or_default();
            doveadm.mark(&self.guid, "add", keyword, &uids.difference(&had))?;
            let more = had.difference(uids);
            match taken_over(self.shared) {
                Some(taken) => {
                    doveadm.mark(&self.guid, "remove", keyword, &more.intersection(&taken))?;
                }
                None if more.is_empty() => {}
                None => kept.push(format!(
                    "{own_name}: that {} messages do not have the keyword {keyword}: those of \
                     Dovecot were not imported before",
                    more.len()
                )),
            }
        }
        Ok(kept)
    }
}

/// The messages whose keywords Roost knows better than Dovecot; `None` where
/// that is not known.
fn taken_over(shared: Shared) -> Option<UidSet> {
    let Shared::Taken(next) = shared else {
        return None;
    };
    let last = Uid::new(next.get() - 1);
    Some(last.map_or_else(UidSet::new, |last| UidSet::range(Uid::MIN, last)))
}

fn uids(picture: &roost_store::Snapshot) -> UidSet {
    let mut uids = UidSet::new();
    for (_, row) in picture.iter() {
        uids.insert(row.uid);
    }
    uids
}
