//! The many other settings: those that Roost needs nothing like, and those
//! whose lack is felt.

use super::super::doveconf::Block;
use super::super::proposal::{Fate, Proposal};
use super::tables::{MISSING, NEEDLESS, PLUGINS};

/// Plugins that are loaded for IMAP.
pub fn loaded(whole: &Block) -> Vec<String> {
    let mut named: Vec<String> = Vec::new();
    if let Some(list) = whole.get("mail_plugins") {
        named.extend(words(list).map(str::to_owned));
    }
    for list in whole.blocks("mail_plugins") {
        let on = list.settings().filter(|(_, value)| *value != "no");
        named.extend(on.map(|(key, _)| key.to_owned()));
    }
    named.retain(|name| !name.starts_with('$'));
    named.sort();
    named.dedup();
    named
}

pub fn plugins(proposal: &mut Proposal, whole: &Block) {
    for name in &loaded(whole) {
        let setting = format!("mail_plugins {name}");
        match PLUGINS.iter().find(|(known, ..)| {
            known == name
                || name
                    .strip_prefix(known)
                    .is_some_and(|rest| rest.starts_with('_'))
        }) {
            Some((_, fate, text)) => proposal.note(&setting, *fate, text),
            None if matches!(name.as_str(), "notify" | "lazy_expunge" | "last_login") => {
                proposal.note(&setting, Fate::Missing, "there is nothing like it");
            }
            None => proposal.note(&setting, Fate::Missing, "not known here"),
        }
    }
}

/// Whatever nothing else has taken.
pub fn rest(proposal: &mut Proposal, whole: &Block) {
    for (key, value) in whole.rest() {
        match whole.is_own(key) {
            true => one_of_imap(proposal, key, value),
            false => one(proposal, key, value),
        }
    }
    for block in whole.all_blocks() {
        match block.kind.as_str() {
            "plugin" => {
                let settings = block.settings();
                for (key, value) in settings.filter(|(key, _)| !key.starts_with("quota")) {
                    one_of_plugin(proposal, key, value);
                }
            }
            "service" => service(proposal, block),
            "local" | "remote" => addresses(proposal, block),
            "protocol" => stays(proposal, &block.name),
            "passdb" | "userdb" | "namespace" | "quota" | "mail_plugins" => {}
            "fts" => one(proposal, "fts", ""),
            kind if block.of_imap => one_of_imap(proposal, kind, &block.name),
            "local_name" | "dict" | "metric" | "event_exporter" | "sieve_script" => {}
            kind => one(proposal, kind, &block.name),
        }
    }
    let listed = whole.get("protocols").unwrap_or_default();
    for name in words(listed).filter(|name| *name != "imap") {
        stays(proposal, name);
    }
}

/// `local` and `remote`. One that only lets passwords go in clear makes nothing
/// stricter; others may be all that keeps somebody out.
fn addresses(proposal: &mut Proposal, block: &Block) {
    let loosens = |(key, value): (&str, &str)| match key {
        "disable_plaintext_auth" => value == "no",
        "auth_allow_cleartext" => value == "yes",
        _ => false,
    };
    let strict = block.all_blocks().next().is_some() || !block.settings().all(loosens);
    let fate = if strict { Fate::Blocks } else { Fate::Missing };
    let text = "settings for some addresses only: there are none such";
    proposal.note(&format!("{} {}", block.kind, block.name), fate, text);
}

fn stays(proposal: &mut Proposal, protocol: &str) {
    if !matches!(protocol, "!indexer-worker" | "none" | "doveadm") {
        let text = "stays with Dovecot: take imap out of its protocols and leave it running; \
                    it and Roost share the Maildirs";
        proposal.note(&format!("protocol {protocol}"), Fate::Needless, text);
    }
}

fn service(proposal: &mut Proposal, block: &Block) {
    let script = block.get("executable").is_some_and(|e| e.contains(' '));
    if block.name == "imap" && script {
        let text = "no script is run after logins: what it keeps out gets in, what it sets up \
                    is not there";
        proposal.note("service imap executable", Fate::Blocks, text);
    }
    if block.name != "auth" {
        return;
    }
    for door in block.all_blocks().filter(|door| asked_by_others(door)) {
        let text = "who asks there (Postfix and Exim for SMTP AUTH) needs Dovecot: do not stop it, \
                    but take imap out of its protocols";
        let setting = format!("service auth {} {}", door.kind, door.name);
        proposal.note(&setting, Fate::Missing, text);
    }
}

/// Whether programs that are not Dovecot's connect there.
fn asked_by_others(door: &Block) -> bool {
    let path = door.get("path").unwrap_or(&door.name);
    match door.kind.as_str() {
        "inet_listener" => door.get("port") != Some("0"),
        "unix_listener" => {
            let own = [
                "login/",
                "token-login/",
                "auth-",
                "/run/dovecot/",
                "/var/run/dovecot/",
            ];
            path.contains('/') && !own.iter().any(|beginning| path.starts_with(beginning))
        }
        _ => false,
    }
}

/// What is set for IMAP alone and was not asked for: that nobody misses it is
/// certain only where IMAP or mail is in its name.
fn one_of_imap(proposal: &mut Proposal, key: &str, value: &str) {
    let told = MISSING.iter().any(|(known, ..)| *known == key) || key.starts_with("fts");
    let free = ["imap", "mail", "lock_method", "dotlock", "rawlog"];
    if told || free.iter().any(|beginning| key.starts_with(beginning)) {
        return one(proposal, key, value);
    }
    let text = "set for IMAP alone and not known here: see what depends on it";
    proposal.note(&format!("protocol imap {key}"), Fate::Blocks, text);
}

pub fn one(proposal: &mut Proposal, key: &str, value: &str) {
    if let Some((_, fate, text)) = MISSING.iter().find(|(known, ..)| *known == key) {
        return proposal.note(key, *fate, text);
    }
    if key.starts_with("fts") {
        return proposal.note(
            "fts",
            Fate::Missing,
            "searches read messages instead of an index",
        );
    }
    if NEEDLESS.iter().any(|beginning| key.starts_with(beginning)) {
        return;
    }
    if value.is_empty() && !key.contains('_') {
        return;
    }
    proposal.note(
        key,
        Fate::Missing,
        "not known here: see whether something depends on it",
    );
}

fn one_of_plugin(proposal: &mut Proposal, key: &str, value: &str) {
    match key {
        "acl" if value.contains('/') => {
            let text = format!("{value}: give these rights in each mailbox, with roostctl acl set");
            proposal.note("plugin acl", Fate::Missing, &text);
        }
        "acl" => proposal.note(
            "plugin acl",
            Fate::Kept,
            "rights stand in dovecot-acl, as before",
        ),
        "zlib_save" if !matches!(value, "gz" | "zstd" | "zst") => {
            let text = format!(
                "{value}: such messages are not read, gzip and zstd are: unpack them first"
            );
            proposal.note("plugin zlib_save", Fate::Blocks, &text);
        }
        _ if key.starts_with("zlib_save") => {}
        _ if key.starts_with("mail_crypt") => {
            let text = "such messages are not read: see mail_plugins";
            proposal.note(&format!("plugin {key}"), Fate::Blocks, text);
        }
        _ => one(proposal, key, value),
    }
}

/// Separated by blanks or commas.
pub fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split([' ', ',', '\t']).filter(|word| !word.is_empty())
}

/// `2 secs`, `500 ms`, `1 mins`.
pub fn seconds(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let number: u64 = number.parse().ok()?;
    match unit.trim() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => Some(number),
        "ms" | "msec" | "msecs" | "millisecs" => Some(number.div_ceil(1000)),
        "m" | "min" | "mins" | "minutes" => number.checked_mul(60),
        _ => None,
    }
}

/// As `roost.conf` writes sizes.
pub fn size(octets: u64) -> String {
    for (unit, factor) in [("G", 1u64 << 30), ("M", 1 << 20), ("K", 1 << 10)] {
        if octets.is_multiple_of(factor) {
            return format!("{}{unit}", octets / factor);
        }
    }
    octets.to_string()
}
