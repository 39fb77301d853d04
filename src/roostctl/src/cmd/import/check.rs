//! `roostctl import check`.

use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};
use roost_config::Config;
use roost_store::Survey;
use roost_store::migrate::{Origin, Surveyed, survey};
use roost_types::QuotaLimits;

use super::super::{each, maintain};
use crate::account::{self, Account};
use crate::args::Common;
use crate::doveadm::Doveadm;
use crate::table::{Cell, Table};
use crate::{Failure, exit};

const COLUMNS: &[&str] = &[
    "account",
    "mailbox",
    "origin",
    "uidvalidity",
    "uidnext",
    "messages",
    "unnumbered",
    "keywords",
    "rights",
    "problem",
];

pub fn run(common: &Common, from: Option<&Path>) -> Result<u8, Failure> {
    match each::is_meant(common) {
        true => each::run(common, &super::words("check", from), COLUMNS),
        false => one(common, from),
    }
}

fn one(common: &Common, from: Option<&Path>) -> Result<u8, Failure> {
    let config = account::config(common)?;
    let account = account::chosen(common, &config)?;
    account.become_owner()?;
    each::of_one(look(common, &config, &account, from))
}

fn look(
    common: &Common,
    config: &Config,
    account: &Account,
    from: Option<&Path>,
) -> Result<u8, Failure> {
    let encoding = maintain::encoding(config.mail.directory_encoding);
    let mut survey = survey::survey(&account.maildir, encoding).map_err(maintain::failed)?;
    for mailbox in &mut survey.mailboxes {
        look_for_permission(mailbox, account);
    }
    look_for_keywords(&mut survey, account, from)?;
    let mut table = Table::new(common.json, COLUMNS);
    let mut fine = true;
    for mailbox in &survey.mailboxes {
        fine &= mailbox.problems.is_empty();
        row(&mut table, &account.name, mailbox);
    }
    fine &= survey.problems.is_empty();
    whole(&mut table, &account.name, &survey);
    table.end();
    Ok(if fine { exit::OK } else { exit::DATAERR })
}

/// Whether its owner, as whom Roost works, may write where mail changes.
fn look_for_permission(mailbox: &mut Surveyed, account: &Account) {
    let directory = super::keywords::directory(account, mailbox);
    for sub in ["", "cur", "new", "tmp"] {
        let path = directory.join(sub);
        if let Err(Errno::EACCES | Errno::EROFS) = access(&path, AccessFlags::W_OK) {
            let text = format!("{} may not write {}", account.name, path.display());
            mailbox.problems.push(text);
        }
    }
}

/// Those beyond 26 are in Dovecot's index; what the sidecar lacks of them is to
/// be exported first.
fn look_for_keywords(
    survey: &mut Survey,
    account: &Account,
    from: Option<&Path>,
) -> Result<(), Failure> {
    let full = |m: &&mut Surveyed| m.may_have_more_keywords();
    if !survey.mailboxes.iter_mut().any(|m| full(&m)) {
        return Ok(());
    }
    let doveadm = Doveadm::of(account, from)?;
    for mailbox in survey.mailboxes.iter_mut().filter(full) {
        let Some(doveadm) = &doveadm else {
            let text = "all letters for keywords are taken: others, if there are any, are in \
                        Dovecot's index alone, and no doveadm is here to ask for them";
            mailbox.problems.push(text.to_owned());
            continue;
        };
        let known = super::keywords::known(account, mailbox)?;
        let asked = match super::keywords::asked(doveadm, mailbox) {
            Ok(asked) => asked,
            Err(failure) => {
                let text = format!("its keywords in Dovecot's index: {}", failure.text());
                mailbox.problems.push(text);
                continue;
            }
        };
        let lacking = asked
            .iter()
            .filter(|(keyword, _)| !known.contains(keyword))
            .count();
        if lacking > 0 {
            mailbox.problems.push(format!(
                "{lacking} keywords are in Dovecot's index alone: \
                 roostctl import keywords -u {} keeps them",
                account.name
            ));
        }
    }
    Ok(())
}

fn row(table: &mut Table, account: &str, found: &Surveyed) {
    let origin = match found.origin {
        Origin::Dovecot => "dovecot",
        Origin::Courier => "courier",
        Origin::New => "new",
        Origin::Damaged => "damaged",
    };
    let name = found.name.to_string();
    let numbers = [
        u64::from(found.uid_validity),
        u64::from(found.uid_next),
        found.messages,
        found.without_uid,
        found.keywords as u64,
        found.rights as u64,
    ];
    let problem = found.problems.join("; ");
    let mut line = format!("{account}: {name}: {} messages", found.messages);
    match found.origin {
        Origin::Dovecot | Origin::Courier => line.push_str(&format!(
            ", UIDVALIDITY {} and UIDs below {} of {origin}",
            found.uid_validity, found.uid_next
        )),
        Origin::New | Origin::Damaged => line.push_str(", no UIDs yet"),
    }
    for (number, what) in [
        (found.without_uid, "without a UID yet"),
        (found.keywords as u64, "keywords"),
        (found.rights as u64, "entries of rights"),
    ] {
        if number > 0 {
            line.push_str(&format!(", {number} {what}"));
        }
    }
    let note = format!("{account}: {name}: PROBLEM: {problem}");
    let is_fine = problem.is_empty();
    let mut cells = vec![
        Cell::Text(account.to_owned()),
        Cell::Text(name),
        Cell::Text(origin.to_owned()),
    ];
    cells.extend(numbers.map(Cell::Number));
    cells.push(text_or_none(problem));
    table.row(&line, &cells);
    if !is_fine {
        table.note(&note);
    }
}

/// The account as a whole, without a mailbox.
fn whole(table: &mut Table, account: &str, survey: &Survey) {
    let messages: u64 = survey.mailboxes.iter().map(|m| m.messages).sum();
    let unnumbered: u64 = survey.mailboxes.iter().map(|m| m.without_uid).sum();
    let mut line = format!(
        "{account}: {} mailboxes, {} subscriptions",
        survey.mailboxes.len(),
        survey.subscriptions
    );
    if let Some(quota) = survey.quota {
        line.push_str(&quota_text(quota));
    }
    let problem = survey.problems.join("; ");
    let note = format!("{account}: PROBLEM: {problem}");
    let is_fine = problem.is_empty();
    let number = |n: usize| Cell::Number(n as u64);
    let rights = survey.mailboxes.iter().map(|m| m.rights).sum();
    let cells = [
        Cell::Text(account.to_owned()),
        Cell::None,
        Cell::Text(format!("{} subscriptions", survey.subscriptions)),
        Cell::None,
        Cell::None,
        Cell::Number(messages),
        Cell::Number(unnumbered),
        Cell::None,
        number(rights),
        text_or_none(problem),
    ];
    table.row(&line, &cells);
    if !is_fine {
        table.note(&note);
    }
}

fn text_or_none(text: String) -> Cell {
    match text.is_empty() {
        true => Cell::None,
        false => Cell::Text(text),
    }
}

fn quota_text(quota: QuotaLimits) -> String {
    let mut text = String::new();
    if quota.storage > 0 {
        text.push_str(&format!(", quota of {} KiB", quota.storage.div_ceil(1024)));
    }
    if quota.messages > 0 {
        text.push_str(&format!(", quota of {} messages", quota.messages));
    }
    text
}
