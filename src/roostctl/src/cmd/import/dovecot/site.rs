//! Addresses, certificates, limits, quota and log.

use roost_config::Section;

use super::super::doveconf::{Block, is_yes};
use super::super::listen::{self, Door};
use super::super::proposal::{Fate, Proposal};
use super::known;

pub fn doors(proposal: &mut Proposal, whole: &Block) {
    let listen = whole.get("listen").unwrap_or("*, ::");
    let login = whole
        .blocks("service")
        .find(|block| block.name == "imap-login");
    let served = match whole.get("protocols") {
        None => true,
        Some(list) => known::words(list).any(|word| word == "imap" || word.starts_with('$')),
    };
    if !served {
        let text = "imap is not among them: Dovecot served none";
        proposal.note("protocols", Fate::Blocks, text);
    }
    let (mut plain, mut safe) = (Door::default(), Door::default());
    for (name, usual, is_safe) in [("imap", 143, false), ("imaps", 993, true)] {
        let own = login
            .iter()
            .flat_map(|block| block.blocks("inet_listener"))
            .find(|block| block.name == name);
        let port = own.and_then(|b| b.get("port"));
        let own_address = own.and_then(|b| b.either("address", "listen"));
        let is_safe = own.and_then(|b| b.get("ssl")).map_or(is_safe, is_yes);
        let door = if is_safe { &mut safe } else { &mut plain };
        match port.map_or(Ok(usual), str::parse) {
            _ if !served || is_safe && whole.get("ssl") == Some("no") => {}
            Ok(0) => {}
            Ok(port) => door.add(own_address.unwrap_or(listen), port),
            Err(_) => door.strange.extend(port.map(str::to_owned)),
        }
    }
    listen::set(
        proposal,
        ("listen, inet_listener imap", &plain),
        ("listen, inet_listener imaps", &safe),
    );
    for block in login.iter().flat_map(|block| block.blocks("inet_listener")) {
        if !matches!(block.name.as_str(), "imap" | "imaps") && block.get("port").is_some() {
            let text = "another listener: add its address to [listen]";
            proposal.note(
                &format!("inet_listener {}", block.name),
                Fate::Missing,
                text,
            );
        }
    }
}

/// Dovecot has listeners for proxies alone, Roost addresses of proxies.
pub fn proxies(proposal: &mut Proposal, whole: &Block) {
    const SETTING: &str = "haproxy_trusted_networks";
    let trusted = whole.get(SETTING);
    let mut login = whole.blocks("service").filter(|b| b.name == "imap-login");
    let listeners = login.next().map(|b| b.blocks("inet_listener"));
    let mut listeners = listeners.into_iter().flatten();
    let Some(listener) = listeners.find(|b| b.is("haproxy")) else {
        if trusted.is_some() {
            proposal.note(
                SETTING,
                Fate::Needless,
                "no listener of IMAP is for proxies",
            );
        }
        return;
    };
    let setting = format!("inet_listener {} haproxy", listener.name);
    let Some(trusted) = trusted else {
        let text = "whose header is believed is not told: see [listen] proxy_protocol_from";
        return proposal.note(&setting, Fate::Missing, text);
    };
    let listed = known::words(trusted).collect::<Vec<_>>().join(", ");
    proposal.keep(SETTING, Section::Listen, "proxy_protocol_from", listed);
    let text = "a header is wanted from these networks on all addresses, and from nobody else \
                on any: let a firewall keep others from the addresses for proxies";
    proposal.note(&setting, Fate::Missing, text);
}

/// `</path` of 2.3, a bare path of 2.4.
fn path(value: &str) -> &str {
    value.trim_start_matches('<').trim()
}

pub fn tls(proposal: &mut Proposal, whole: &Block) {
    let pair = |block: &Block| {
        let certificate = block
            .either("ssl_cert", "ssl_server_cert_file")
            .map(str::to_owned);
        let key = block
            .either("ssl_key", "ssl_server_key_file")
            .map(str::to_owned);
        certificate.zip(key)
    };
    if let Some((certificate, key)) = pair(whole) {
        match usable(&certificate, &key) {
            Ok(()) => {
                proposal.keep("ssl_cert", Section::Tls, "certificate", path(&certificate));
                proposal.keep("ssl_key", Section::Tls, "key", path(&key));
            }
            Err(why) => proposal.note("ssl_cert, ssl_key", Fate::Missing, why),
        }
    }
    for block in whole.blocks("local_name") {
        let setting = format!("local_name {}", block.name);
        match pair(block) {
            Some((certificate, key)) if usable(&certificate, &key).is_ok() => {
                let name = block.name.as_str();
                proposal.set_named(Section::TlsName, name, "certificate", path(&certificate));
                proposal.set_named(Section::TlsName, name, "key", path(&key));
                proposal.note(&setting, Fate::Kept, &format!("[tls {name}]"));
            }
            _ => proposal.note(
                &setting,
                Fate::Missing,
                "its certificate or key is not told",
            ),
        }
        let settings = block.rest().into_iter().map(|(key, _)| key);
        for key in settings.chain(block.all_blocks().map(|inner| inner.kind.as_str())) {
            let text = "for one server name only: there are certificates for names, nothing else";
            proposal.note(&format!("{setting} {key}"), Fate::Blocks, text);
        }
    }
    match whole.get("ssl_min_protocol") {
        None | Some("TLSv1.2") => {}
        Some("TLSv1.3" | "LATEST") => {
            proposal.keep("ssl_min_protocol", Section::Tls, "min_version", "1.3")
        }
        Some(other) => {
            let text = format!("{other}: clients that cannot speak TLS 1.2 stay outside");
            proposal.note("ssl_min_protocol", Fate::Missing, &text);
        }
    }
    for key in [
        "ssl_verify_client_cert",
        "ssl_request_client_cert",
        "ssl_server_request_client_cert",
    ] {
        if whole.is(key) {
            let text = "clients are not asked for certificates";
            proposal.note(key, Fate::Missing, text);
        }
    }
    const NEEDED: &str = "auth_ssl_require_client_cert";
    if whole.is(NEEDED) {
        let text = "clients are not asked for certificates: a password alone would be enough";
        proposal.note(NEEDED, Fate::Blocks, text);
    }
    if whole.get("ssl") == Some("no") {
        let text =
            "STARTTLS is offered in any case, with a self-signed certificate if none is named";
        proposal.note("ssl", Fate::Kept, text);
    }
}

fn usable(certificate: &str, key: &str) -> Result<(), &'static str> {
    if key.starts_with('#') || certificate.starts_with('#') {
        return Err("doveconf has hidden it: give it -P too, or set [tls] certificate and key");
    }
    let absolute = |text: &str| path(text).starts_with('/');
    match absolute(certificate) && absolute(key) {
        true => Ok(()),
        false => Err("not in files of their own: write them into files for [tls]"),
    }
}

pub fn limits(proposal: &mut Proposal, whole: &Block) {
    const SETTING: &str = "mail_max_userip_connections";
    /// Our default: who has several devices needs more than Dovecot's 10.
    const USUAL: u32 = 50;
    // 10 by default, of one account from one address; ours are more.
    let limit = whole.get(SETTING).and_then(|v| v.parse::<u32>().ok());
    if let Some(limit) = limit {
        let (value, fate) = match limit {
            0 | 1_000_001.. => (0, Fate::Kept),
            1..USUAL => (USUAL, Fate::Missing),
            _ => (limit, Fate::Kept),
        };
        const KEY: &str = "max_connections_per_user";
        proposal.set(Section::Limits, KEY, value.to_string());
        let text = format!(
            "{limit} from each address: [limits] {KEY} = {value} counts those of an account \
             from all addresses"
        );
        proposal.note(SETTING, fate, &text);
    }
}

/// Settings of the plugin that limit nothing.
const SHOWN: &[&str] = &[
    "quota_vsizes",
    "quota_exceeded_message",
    "quota_status",
    "quota_over_",
];
const UNKNOWN_LIMIT: &str =
    "not known here: an account has one limit of octets and one of messages";

/// Of one message.
fn message_size(proposal: &mut Proposal, setting: &str, value: &str) {
    const KEY: &str = "max_message_size";
    match roost_accounts::quota_limits(&format!("*:bytes={value}")) {
        Ok(Some(limits)) if (1024..=u64::from(u32::MAX)).contains(&limits.storage) => {
            proposal.keep(setting, Section::Limits, KEY, known::size(limits.storage));
        }
        _ => {
            let text = format!("{value}: see [limits] {KEY}");
            proposal.note(setting, Fate::Missing, &text);
        }
    }
}

pub fn quota(proposal: &mut Proposal, whole: &Block) {
    let loaded = known::loaded(whole).iter().any(|name| name == "quota");
    let plugin = whole.blocks("plugin").next();
    let root = plugin.and_then(|b| b.get("quota"));
    let unenforced = root.is_some_and(|root| root.split(':').any(|w| w == "noenforcing"));
    for (key, value) in plugin.map(Block::settings).into_iter().flatten() {
        match key {
            _ if !key.starts_with("quota") => {}
            _ if !loaded || root.is_none() => idle(proposal, key),
            "quota" => driver(proposal, key, value),
            _ if key.starts_with("quota_rule") && unenforced => advisory(proposal, key),
            _ if key.starts_with("quota_rule") => rule(proposal, key, value),
            "quota_max_mail_size" => message_size(proposal, key, value),
            _ if key.starts_with("quota_warning") => {
                let text = "clients are told from [quota] alert_percent on; no program is run";
                proposal.note(key, Fate::Missing, text);
            }
            "quota_grace" => {
                proposal.note(key, Fate::Missing, "a message that does not fit is refused");
            }
            _ if SHOWN.iter().any(|beginning| key.starts_with(beginning)) => {
                proposal.note(key, Fate::Needless, "of Dovecot's own working");
            }
            _ => proposal.note(key, Fate::Missing, UNKNOWN_LIMIT),
        }
    }
    if let Some(value) = whole.get("quota_mail_size").filter(|_| loaded) {
        message_size(proposal, "quota_mail_size", value);
    }
    newer_quota(proposal, whole, loaded);
}

/// 2.4's roots are blocks.
fn newer_quota(proposal: &mut Proposal, whole: &Block, loaded: bool) {
    const SIZE: &str = "quota_storage_size";
    let general = whole.get(SIZE);
    let mut limited = false;
    for block in whole.blocks("quota") {
        let setting = format!("quota {}", block.name);
        if !loaded {
            idle(proposal, &setting);
            continue;
        }
        // Names have the block's kind before them, or not.
        let get = |key: &str| {
            let whole = block.get(&format!("quota_{key}"));
            block.get(key).or(whole)
        };
        if get("enforce").is_some_and(|value| !is_yes(value)) {
            advisory(proposal, &setting);
            continue;
        }
        limited = true;
        for (key, name) in [
            ("storage", "storage_size"),
            ("bytes", "storage_size_bytes"),
            ("messages", "message_count"),
        ] {
            if let Some(value) = get(name) {
                rule(proposal, &setting, &format!("*:{key}={value}"));
            }
        }
        if let Some(value) = get("driver") {
            driver(proposal, &setting, value);
        }
        let rest = block.rest().into_iter().map(|(key, _)| key);
        for key in rest.chain(block.all_blocks().map(|inner| inner.kind.as_str())) {
            let setting = format!("{setting} {key}");
            proposal.note(&setting, Fate::Missing, UNKNOWN_LIMIT);
        }
    }
    match general {
        Some(value) if limited => rule(proposal, SIZE, &format!("*:storage={value}")),
        Some(_) => idle(proposal, SIZE),
        None => {}
    }
}

fn idle(proposal: &mut Proposal, setting: &str) {
    let text = "limits nothing: quota is not in mail_plugins, or there is no root";
    proposal.note(setting, Fate::Needless, text);
}

fn advisory(proposal: &mut Proposal, setting: &str) {
    let text = "was shown and not enforced; [quota] would refuse mail, and is left out";
    proposal.note(setting, Fate::Missing, text);
}

fn driver(proposal: &mut Proposal, setting: &str, value: &str) {
    match value.split(':').next().unwrap_or_default() {
        "maildir" => {
            let text = "sums and limits stand in maildirsize, as before";
            proposal.note(setting, Fate::Kept, text);
        }
        "count" => {
            let text = "sums are of messages as they are stored, in maildirsize; Dovecot's were \
                        a little larger";
            proposal.note(setting, Fate::Kept, text);
        }
        other => {
            let text = format!("{other} is not asked; [quota] limits each account");
            proposal.note(setting, Fate::Missing, &text);
        }
    }
}

fn rule(proposal: &mut Proposal, setting: &str, value: &str) {
    match roost_accounts::quota_limits(value) {
        Ok(Some(limits)) => {
            if limits.storage > 0 {
                let size = known::size(limits.storage);
                proposal.keep(setting, Section::Quota, "storage", size);
            }
            if limits.messages > 0 {
                let count = limits.messages.min(u64::from(u32::MAX)).to_string();
                proposal.keep(setting, Section::Quota, "messages", count);
            }
        }
        Ok(None) => {
            let text = format!("{value}: an account has limits, single mailboxes have not");
            proposal.note(setting, Fate::Missing, &text);
        }
        Err(_) => {
            let text = format!("{value}: not understood; see [quota]");
            proposal.note(setting, Fate::Missing, &text);
        }
    }
}

pub fn log(proposal: &mut Proposal, whole: &Block) {
    let lines = "(lines about logins)";
    proposal.keep(lines, Section::Server, "log_style", "dovecot");
    if let Some(facility) = whole.get("syslog_facility") {
        let key = roost_config::KEYS
            .iter()
            .find(|k| k.name == "syslog_facility");
        let known = key.is_some_and(|key| match key.kind {
            roost_config::Kind::Choice(words) => words.contains(&facility),
            _ => false,
        });
        match known {
            true => proposal.keep(
                "syslog_facility",
                Section::Server,
                "syslog_facility",
                facility,
            ),
            false => {
                let text = format!("{facility}: not one that Roost writes to; mail is taken");
                proposal.note("syslog_facility", Fate::Missing, &text);
            }
        }
    }
    match whole.get("log_path") {
        None | Some("syslog") => {}
        Some("/dev/stderr") => proposal.keep("log_path", Section::Server, "log_target", "stderr"),
        Some(path) if path.starts_with('/') => {
            proposal.keep("log_path", Section::Server, "log_target", "file");
            proposal.keep("log_path", Section::Server, "log_path", path);
        }
        Some(path) => {
            let text = format!("{path} is not written: the log goes to syslog");
            proposal.note("log_path", Fate::Missing, &text);
        }
    }
    if whole.get("auth_verbose").is_some_and(is_yes) {
        proposal.note(
            "auth_verbose",
            Fate::Needless,
            "failed logins are logged in any case",
        );
    }
    if let Some(name) = whole.get("hostname") {
        proposal.keep("hostname", Section::Server, "hostname", name);
    }
}
