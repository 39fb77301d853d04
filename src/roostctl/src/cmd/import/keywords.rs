//! `roostctl import keywords`.

use std::path::{Path, PathBuf};

use roost_store::Fsync;
use roost_store::migrate::{Carriers, Surveyed, keywords, survey};
use roost_types::Keyword;

use super::super::{each, maintain};
use crate::account::{self, Account};
use crate::args::Common;
use crate::doveadm::Doveadm;
use crate::table::{Cell, Table};
use crate::{Failure, exit};

const COLUMNS: &[&str] = &["account", "mailbox", "keywords"];

pub fn run(common: &Common, from: Option<&Path>) -> Result<u8, Failure> {
    match each::is_meant(common) {
        true => each::run(common, &super::words("keywords", from), COLUMNS),
        false => one(common, from),
    }
}

fn one(common: &Common, from: Option<&Path>) -> Result<u8, Failure> {
    let config = account::config(common)?;
    let account = account::chosen(common, &config)?;
    account.become_owner()?;
    maintain::own_files_only();
    let encoding = maintain::encoding(config.mail.directory_encoding);
    let found = survey::survey(&account.maildir, encoding).map_err(maintain::failed)?;
    let full: Vec<_> = found
        .mailboxes
        .iter()
        .filter(|mailbox| mailbox.may_have_more_keywords())
        .collect();
    let mut table = Table::new(common.json, COLUMNS);
    if !full.is_empty() {
        let Some(doveadm) = Doveadm::of(&account, from)? else {
            let text = "no Dovecot is here to be asked";
            return Err(Failure::new(exit::UNAVAILABLE, text));
        };
        for mailbox in full {
            let Some(guid) = &mailbox.guid else { continue };
            let all: Vec<Carriers> = doveadm
                .keywords(guid)?
                .into_iter()
                .map(|(keyword, uids)| Carriers { keyword, uids })
                .collect();
            let directory = directory(&account, mailbox);
            let taken = keywords::take(&directory, &all, Fsync::Always);
            let taken = taken.map_err(maintain::failed)?;
            let name = mailbox.name.to_string();
            let line = format!("{}: {name}: {taken} keywords", account.name);
            let cells = [
                Cell::Text(account.name.clone()),
                Cell::Text(name),
                Cell::Number(taken as u64),
            ];
            table.row(&line, &cells);
        }
    }
    table.end();
    Ok(exit::OK)
}

pub fn directory(account: &Account, mailbox: &Surveyed) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    match mailbox.directory.as_slice() {
        b"" => account.maildir.clone(),
        name => account.maildir.join(std::ffi::OsStr::from_bytes(name)),
    }
}

/// The keywords that Roost will show in a mailbox.
pub fn known(account: &Account, mailbox: &Surveyed) -> Result<Vec<Keyword>, Failure> {
    let directory = directory(account, mailbox);
    let lettered = keywords::lettered(&directory).map_err(maintain::failed)?;
    let beyond = keywords::beyond_letters(&directory).map_err(maintain::failed)?;
    Ok(lettered
        .into_iter()
        .chain(beyond.into_iter().map(|c| c.keyword))
        .collect())
}
