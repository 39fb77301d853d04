//! `roostctl export`: what the way back to another server needs.

mod courier;
mod dovecot;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use roost_config::Config;
use roost_store::migrate::survey;

use super::{each, maintain};
use crate::account::{self, Account};
use crate::args::Common;
use crate::{Failure, exit, out, server};

#[derive(Args, Debug)]
pub struct Export {
    /// Where the mail goes
    #[arg(long, value_name = "SERVER", value_enum)]
    to: Target,
    /// Dovecot's configuration file, instead of its usual one
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// For a Courier before version 5: names of folders in modified UTF-7
    #[arg(long)]
    utf7: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum Target {
    Dovecot,
    Courier,
}

impl Export {
    /// Itself, and the columns of what it prints.
    fn words(&self) -> (Vec<OsString>, &'static [&'static str]) {
        let (to, columns) = match self.to {
            Target::Dovecot => ("dovecot", dovecot::COLUMNS),
            Target::Courier => ("courier", courier::COLUMNS),
        };
        let mut words: Vec<OsString> = ["export", "--to", to].map(Into::into).into();
        if let Some(path) = &self.from {
            words.extend(["--from".into(), path.into()]);
        }
        if self.utf7 {
            words.push("--utf7".into());
        }
        (words, columns)
    }
}

pub fn run(common: &Common, export: &Export) -> Result<u8, Failure> {
    if each::is_meant(common) {
        let (words, columns) = export.words();
        return each::run(common, &words, columns);
    }
    let config = account::config(common)?;
    let account = account::chosen(common, &config)?;
    // While the server runs, clients may come back at any moment.
    if server::runs(&config)? {
        let text = "Roost is running: stop it first";
        return Err(Failure::new(exit::TEMPFAIL, text));
    }
    account.become_owner()?;
    each::of_one(one(common, export, &config, &account))
}

fn one(
    common: &Common,
    export: &Export,
    config: &Config,
    account: &Account,
) -> Result<u8, Failure> {
    let encoding = maintain::encoding(config.mail.directory_encoding);
    let open = maintain::open(account, config)?;
    let done = match export.to {
        Target::Courier => courier::run(common, export.utf7, &open)?,
        Target::Dovecot => dovecot::run(common, export.from.as_deref(), account, &open)?,
    };
    for lost in &done {
        tell_lost(account, lost);
    }
    let found = survey::survey(&account.maildir, encoding).map_err(maintain::failed)?;
    let own = survey::own(&account.maildir, &found).map_err(maintain::failed)?;
    for (what, count) in own.iter() {
        let text = format!("{count} {what}: no other server reads them");
        tell_lost(account, &text);
    }
    let all = done.is_empty() && own.iter().next().is_none();
    Ok(if all { exit::OK } else { exit::DATAERR })
}

/// What cannot be taken along stays where it is, for the next time.
fn tell_lost(account: &Account, text: &str) {
    let text = format!("{}: not taken along: {text}", account.name);
    out::tell(&out::printable(&text));
}

type Open = Arc<roost_store::Account>;
