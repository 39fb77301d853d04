//! `roostctl import keywords`.

use std::path::{Path, PathBuf};

use roost_config::Config;
use roost_store::Fsync;
use roost_store::migrate::keywords::{self, Take};
use roost_store::migrate::{Carriers, Surveyed, survey};
use roost_types::{Keyword, UidSet};

use super::super::{each, maintain};
use crate::account::{self, Account};
use crate::args::Common;
use crate::doveadm::Doveadm;
use crate::table::{Cell, Table};
use crate::{Failure, exit, out, server};

const COLUMNS: &[&str] = &["account", "mailbox", "keywords"];

pub fn run(common: &Common, from: Option<&Path>, force: bool) -> Result<u8, Failure> {
    if each::is_meant(common) {
        let mut words = super::words("keywords", from);
        words.extend(force.then(|| "--force".into()));
        return each::run(common, &words, COLUMNS);
    }
    let config = account::config(common)?;
    let account = account::chosen(common, &config)?;
    // Clients change keywords at any moment, of which Dovecot knows nothing.
    if server::runs(&config)? {
        let text = "Roost is running: stop it first";
        return Err(Failure::new(exit::TEMPFAIL, text));
    }
    account.become_owner()?;
    each::of_one(one(common, &config, &account, from, force))
}

fn one(
    common: &Common,
    config: &Config,
    account: &Account,
    from: Option<&Path>,
    force: bool,
) -> Result<u8, Failure> {
    maintain::own_files_only();
    let encoding = maintain::encoding(config.mail.directory_encoding);
    let found = survey::survey(&account.maildir, encoding).map_err(maintain::failed)?;
    let mut table = Table::new(common.json, COLUMNS);
    let mut code = exit::OK;
    let mut full = found.mailboxes.iter();
    if full.any(Surveyed::may_have_more_keywords) {
        let Some(doveadm) = Doveadm::of(account, from)? else {
            let text = "no Dovecot is here to be asked";
            return Err(Failure::new(exit::UNAVAILABLE, text));
        };
        let full = found.mailboxes.iter();
        for mailbox in full.filter(|mailbox| mailbox.may_have_more_keywords()) {
            match taken(&doveadm, account, mailbox, force) {
                Ok(taken) => row(&mut table, account, mailbox, taken),
                Err(failure) => {
                    let text = format!("{}: {}", mailbox.name, failure.text());
                    out::tell(&out::printable(&format!("{}: {text}", account.name)));
                    code = exit::DATAERR;
                }
            }
        }
    }
    table.end();
    Ok(code)
}

fn taken(
    doveadm: &Doveadm,
    account: &Account,
    mailbox: &Surveyed,
    force: bool,
) -> Result<usize, Failure> {
    let all = asked(doveadm, mailbox)?;
    let carriers = |(keyword, uids)| Carriers { keyword, uids };
    let all: Vec<Carriers> = all.into_iter().map(carriers).collect();
    let directory = directory(account, mailbox);
    let taken = keywords::take(&directory, &all, mailbox.uid_next, force, Fsync::Always);
    match taken.map_err(maintain::failed)? {
        Take::Taken(count) => Ok(count),
        Take::Newer => {
            let text = "its keywords were taken before, and have changed since: left as they are \
                        (--force puts those of Dovecot in their place)";
            Err(Failure::new(exit::DATAERR, text))
        }
    }
}

/// The keywords that Dovecot has in a mailbox.
pub fn asked(doveadm: &Doveadm, mailbox: &Surveyed) -> Result<Vec<(Keyword, UidSet)>, Failure> {
    let lacking = || {
        Failure::new(
            exit::DATAERR,
            "it has no GUID by which Dovecot would find it",
        )
    };
    let guid = mailbox.guid.as_deref().ok_or_else(lacking)?;
    doveadm.keywords(guid, mailbox.messages > 0)
}

fn row(table: &mut Table, account: &Account, mailbox: &Surveyed, taken: usize) {
    let name = mailbox.name.to_string();
    let line = format!("{}: {name}: {taken} keywords", account.name);
    let cells = [
        Cell::Text(account.name.clone()),
        Cell::Text(name),
        Cell::Number(taken as u64),
    ];
    table.row(&line, &cells);
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
    let places = keywords::places(&directory).map_err(maintain::failed)?;
    let beyond = places.beyond.into_iter().map(|c| c.keyword);
    Ok(places.lettered.into_iter().chain(beyond).collect())
}
