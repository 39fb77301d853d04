//! What Dovecot has in its index alone: change numbers and keywords beyond 26.
//! Everything else stands in files that it reads as they are.
//!
//! The order matters. Before Dovecot sees what has changed, its numbers are
//! raised above those that clients know from Roost; so every client is told of
//! every change, some once too often.

use std::collections::HashMap;
use std::path::Path;

use roost_store::Details;
use roost_store::migrate::keywords;
use roost_types::{Keyword, MailboxName, UidSet};

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
        let one = Mailbox::look(open, &folder.name)?;
        let Some(name) = names.get(&one.guid) else {
            let text = "Dovecot does not open this mailbox; names of directories in UTF-8 need \
                        mail_location = maildir:...:UTF-8";
            lost.push(format!("{}: {text}", folder.name));
            continue;
        };
        doveadm.raise_modseq(name, one.modseq)?;
        let marked = one.mark(&doveadm)?;
        let line = format!(
            "{}: {name}: changes from {} on, {marked} more keywords",
            account.name, one.modseq
        );
        let cells = [
            Cell::Text(account.name.clone()),
            Cell::Text(name.clone()),
            Cell::Number(one.modseq),
            Cell::Number(marked as u64),
        ];
        table.row(&line, &cells);
    }
    table.end();
    Ok(lost)
}

/// What Roost knows of a mailbox.
struct Mailbox {
    guid: String,
    modseq: u64,
    letters: Vec<Keyword>,
    beyond: Vec<(Keyword, UidSet)>,
}

impl Mailbox {
    fn look(open: &Open, name: &MailboxName) -> Result<Self, Failure> {
        let status = open
            .status(name, Details::Counts)
            .map_err(maintain::failed)?;
        let lacking = || Failure::new(exit::IOERR, format!("{name}: it has no GUID"));
        let mailbox = open.open(name).map_err(maintain::failed)?;
        let picture = mailbox.snapshot();
        let guid = mailbox.guid().ok_or_else(lacking)?.to_string();
        let (letters, beyond) = open.keyword_places(name).map_err(maintain::failed)?;
        let live: UidSet = uids(&picture);
        let beyond: Vec<(Keyword, UidSet)> = beyond
            .into_iter()
            .map(|keywords::Carriers { keyword, uids }| (keyword, uids.intersection(&live)))
            .collect();
        Ok(Self {
            guid,
            modseq: status.highest_modseq.0,
            letters,
            beyond,
        })
    }

    /// Tells Dovecot of the keywords without letters; returns how many carry
    /// any message.
    fn mark(&self, doveadm: &Doveadm) -> Result<usize, Failure> {
        let known = match self.letters.len() + self.beyond.len() < roost_store::migrate::LETTERS {
            true => Vec::new(),
            false => doveadm.keywords(&self.guid)?,
        };
        let had = |keyword: &Keyword| {
            let found = known.iter().find(|(k, _)| k == keyword);
            found.map(|(_, uids)| uids.clone()).unwrap_or_default()
        };
        for (keyword, uids) in &self.beyond {
            let had = had(keyword);
            doveadm.mark(&self.guid, "add", keyword, &uids.difference(&had))?;
            doveadm.mark(&self.guid, "remove", keyword, &had.difference(uids))?;
        }
        // Those that no message has any more are not in the sidecar.
        for (keyword, uids) in &known {
            let ours = |k: &Keyword| self.letters.contains(k);
            if !ours(keyword) && !self.beyond.iter().any(|(k, _)| k == keyword) {
                doveadm.mark(&self.guid, "remove", keyword, uids)?;
            }
        }
        Ok(self
            .beyond
            .iter()
            .filter(|(_, uids)| !uids.is_empty())
            .count())
    }
}

fn uids(picture: &roost_store::Snapshot) -> UidSet {
    let mut uids = UidSet::new();
    for (_, row) in picture.iter() {
        uids.insert(row.uid);
    }
    uids
}
