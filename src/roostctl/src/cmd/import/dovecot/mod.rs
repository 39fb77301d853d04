//! Dovecot's configuration, 2.3 or 2.4, setting by setting.
//!
//! What must stay true: a setting of the whole, or of IMAP alone, is either one
//! that has been asked for, one of the tables, or named in the report as not
//! understood; none is passed over.

mod auth;
mod bare;
mod database;
mod known;
mod mail;
mod names;
mod site;
mod tables;
mod userdb;
mod users;

use super::doveconf::Block;
use super::proposal::Proposal;
use crate::{Failure, exit};

/// # Errors
/// Where `text` is no output of `doveconf`, or has a value that Roost refuses.
pub fn propose(text: &str, source: &str) -> Result<Proposal, Failure> {
    let whole = Block::parse(text).map_err(|(line, why)| {
        let text = format!("{source}: line {line}: {why}");
        Failure::new(exit::DATAERR, text)
    })?;
    let whole = whole.for_imap();
    let mut proposal = Proposal::from(source.to_owned());
    site::doors(&mut proposal, &whole);
    site::proxies(&mut proposal, &whole);
    site::tls(&mut proposal, &whole);
    auth::accounts(&mut proposal, &whole);
    mail::location(&mut proposal, &whole);
    bare::look(&mut proposal, &whole);
    names::namespaces(&mut proposal, &whole);
    site::limits(&mut proposal, &whole);
    site::quota(&mut proposal, &whole);
    site::log(&mut proposal, &whole);
    known::plugins(&mut proposal, &whole);
    known::rest(&mut proposal, &whole);
    Ok(proposal)
}

#[cfg(test)]
mod tests;
