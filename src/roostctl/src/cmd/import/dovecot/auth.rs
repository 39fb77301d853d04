//! Who gets in: passdb.

use std::path::Path;

use roost_config::Section;

use super::super::doveconf::{Block, is_yes};
use super::super::pam::service as roost_service;
use super::super::proposal::{Fate, Proposal};
use super::database::Database;
use super::{known, userdb, users};

pub fn accounts(proposal: &mut Proposal, whole: &Block) {
    let mut backends: Vec<&str> = Vec::new();
    let mut file = None;
    let mut masters = None;
    let mut denied = Vec::new();
    // What keeps others out and is not asked here may not leave the rest open.
    let mut open = mechanisms(proposal, whole) && !whole.is("auth_ssl_require_client_cert");
    for db in Database::all(whole, "passdb") {
        if db.is("deny") {
            open &= deny(proposal, &db, &mut denied);
            continue;
        }
        if db.is("master") {
            master(proposal, whole, &db, &mut masters);
            continue;
        }
        let setting = db.setting();
        let backend = match db.driver {
            "pam" => {
                pam(proposal, &db);
                Some("pam")
            }
            "passwd" | "shadow" => {
                let text = "accounts of the system are asked for through PAM";
                proposal.note(&setting, Fate::Kept, text);
                Some("pam")
            }
            "passwd-file" => passwd_file(proposal, &db, &mut file).then_some("passwd-file"),
            other => {
                let text = format!(
                    "Roost knows no {other}: PAM may reach it (pam_ldap, pam_mysql), or a \
                     passwd-file made from it"
                );
                proposal.note(&setting, Fate::Blocks, &text);
                open = false;
                continue;
            }
        };
        open &= db.conditions(proposal);
        backends.extend(backend.filter(|backend| !backends.contains(backend)));
    }
    match backends.is_empty() || !open {
        true => proposal.undecided("passdb"),
        false => proposal.keep("passdb", Section::Auth, "backend", backends.join(", ")),
    }
    userdb::places(proposal, whole, file.as_deref(), &backends);
    names(proposal, whole);
    cleartext(proposal, whole);
}

/// The names of a file, which do not get in. False where they are not known.
fn deny(proposal: &mut Proposal, db: &Database<'_>, denied: &mut Vec<String>) -> bool {
    let setting = format!("{} deny", db.setting());
    let as_they_are = db.name_format().is_none_or(is_whole_name);
    let file = db.file().filter(|path| !path.contains('%'));
    let file = file.filter(|_| db.driver == "passwd-file" && as_they_are);
    let names = file.and_then(|path| users::names(Path::new(path)));
    let Some(names) = names.filter(|_| db.conditions(proposal)) else {
        let text = "names that are refused: write them into [auth] deny_users";
        proposal.note(&setting, Fate::Blocks, text);
        return false;
    };
    denied.extend(names);
    proposal.keep(&setting, Section::Auth, "deny_users", denied.join(", "));
    true
}

fn is_whole_name(format: &str) -> bool {
    matches!(
        format,
        "%u" | "%Lu" | "%{user}" | "%{user|lower}" | "%{user | lower}"
    )
}

/// Who logs in as others. That these have to be known is so in any case.
fn master(proposal: &mut Proposal, whole: &Block, db: &Database<'_>, known: &mut Option<String>) {
    let setting = format!("{} master", db.setting());
    // The account itself is looked for in any case.
    let _ = (db.get("pass"), db.get("result_success"));
    let path = db.file();
    let file = path.filter(|path| db.driver == "passwd-file" && !path.contains('%'));
    scheme(proposal, db);
    match (file, &known) {
        _ if !db.conditions(proposal) => return,
        (Some(path), None) => {
            proposal.keep(&setting, Section::Auth, "master_passwd_file", path);
            users::look(proposal, Path::new(path));
            *known = Some(path.to_owned());
        }
        (Some(path), Some(first)) if path == first => {}
        (Some(path), Some(first)) => {
            let text = format!("{path}: {first} alone is read: append this one to it");
            return proposal.note(&setting, Fate::Missing, &text);
        }
        (None, _) => {
            let text = "masters are in a passwd-file: see [auth] master_passwd_file";
            return proposal.note(&setting, Fate::Missing, text);
        }
    }
    if known::loaded(whole).iter().any(|name| name == "acl") && !is_owner_to_acl(whole) {
        let text = "masters had the rights that mailboxes give to them; here they have all that \
                    the account has";
        proposal.note(&setting, Fate::Blocks, text);
    }
    const SEPARATOR: &str = "auth_master_user_separator";
    match whole.get(SEPARATOR) {
        Some("*") => proposal.note(SEPARATOR, Fate::Kept, "account*master"),
        Some(other) => {
            let text = format!("{other}: masters log in as account*master");
            proposal.note(SEPARATOR, Fate::Missing, &text);
        }
        None => {}
    }
}

/// Whether rights were looked up for the account and not for its master.
fn is_owner_to_acl(whole: &Block) -> bool {
    const NAMES: [&str; 2] = ["acl_user", "master_user"];
    let plugin = whole.blocks("plugin").any(|b| b.get("acl_user").is_some());
    let fields = Database::all(whole, "userdb").into_iter().any(|db| {
        let said = db.block.settings().any(|(_, value)| {
            let named = |name: &str| value.contains(&format!("{name}="));
            NAMES.iter().any(|name| named(name))
        });
        let mut inner = db.block.all_blocks();
        said || inner.any(|b| NAMES.iter().any(|name| b.get(name).is_some()))
    });
    plugin || fields || whole.get("acl_user").is_some()
}

fn pam(proposal: &mut Proposal, db: &Database<'_>) {
    let newer = db.get("pam_service_name").or(db.get("service_name"));
    let service = newer.or(db.last());
    let session = db.get("pam_session").or(db.get("session"));
    let word = |w: &&str| matches!(*w, "session" | "session=yes");
    let session = session.is_some_and(is_yes) || db.words.iter().any(word);
    match service.unwrap_or("dovecot") {
        "dovecot" => roost_service(proposal, "passdb pam", "dovecot", session),
        "*" | "%s" | "%Ls" | "imap" | "%{protocol}" => {
            proposal.keep("passdb pam", Section::Auth, "pam_service", "imap");
        }
        other => proposal.keep("passdb pam", Section::Auth, "pam_service", other),
    }
    for key in ["failure_show_msg", "cache_key", "max_requests"] {
        let newer = db.get(&format!("pam_{key}")).or(db.get(key));
        if db.word(key).or(newer).is_some() {
            proposal.note(
                &format!("passdb pam {key}"),
                Fate::Needless,
                "of no use here",
            );
        }
    }
    let _ = (db.get("pam_setcred"), db.get("setcred"));
    if session {
        proposal.keep("passdb pam session", Section::Auth, "pam_session", "yes");
    }
}

/// False where the file cannot be read by Roost.
fn passwd_file(proposal: &mut Proposal, db: &Database<'_>, file: &mut Option<String>) -> bool {
    let setting = "passdb passwd-file";
    let Some(path) = db.file() else {
        proposal.note(setting, Fate::Blocks, "its file is not named");
        return false;
    };
    if path.contains('%') {
        let text = format!("{path}: one file for each domain: put them into one, with full names");
        proposal.note(setting, Fate::Blocks, &text);
        return false;
    }
    if let Some(first) = file {
        if first == path {
            return true;
        }
        let text = format!("{path}: {first} alone is read: append this one to it");
        proposal.note(setting, Fate::Blocks, &text);
        return false;
    }
    *file = Some(path.to_owned());
    proposal.keep(setting, Section::Auth, "passwd_file", path);
    users::look(proposal, Path::new(path));
    scheme(proposal, db);
    if let Some(format) = db.name_format().filter(|f| !is_whole_name(f)) {
        let text = format!("{format}: names are looked for with their domain, then without");
        proposal.note("passdb passwd-file username_format", Fate::Missing, &text);
    }
    true
}

fn scheme(proposal: &mut Proposal, db: &Database<'_>) {
    let newer = db.get("default_password_scheme");
    let scheme = db.get("default_pass_scheme").or(newer);
    let scheme = scheme.or(db.word("scheme"));
    if let Some(scheme) = scheme.filter(|s| !s.eq_ignore_ascii_case("CRYPT")) {
        let text = format!(
            "passwords without a scheme are crypt hashes here: write {{{scheme}}} before them"
        );
        proposal.note("passdb passwd-file scheme", Fate::Missing, &text);
    }
}

fn names(proposal: &mut Proposal, whole: &Block) {
    let minimum = whole.get("first_valid_uid").unwrap_or("500");
    proposal.keep("first_valid_uid", Section::Auth, "minimum_uid", minimum);
    let realm = whole.either("auth_default_realm", "auth_default_domain");
    if let Some(domain) = realm {
        proposal.keep(
            "auth_default_realm",
            Section::Server,
            "default_domain",
            domain,
        );
    }
    let format = whole.get("auth_username_format").unwrap_or("%Lu");
    let plain: String = format.chars().filter(|c| !c.is_whitespace()).collect();
    let (lower, domain) = match plain.as_str() {
        "%Lu" | "%{user|lower}" => (true, true),
        "%u" | "%{user}" => (false, true),
        "%Ln" | "%{user|username|lower}" => (true, false),
        "%n" | "%{user|username}" => (false, false),
        _ => {
            let text = format!("{format}: names stay as they are, in lower case");
            return proposal.note("auth_username_format", Fate::Missing, &text);
        }
    };
    let value = if lower { "yes" } else { "no" };
    proposal.keep(
        "auth_username_format",
        Section::Auth,
        "lowercase_names",
        value,
    );
    if !domain {
        let text = "a domain behind a name is left off only where it is [server] \
                    default_domain: set that";
        proposal.note("auth_username_format", Fate::Missing, text);
    }
}

/// False where nobody's password let him in.
fn mechanisms(proposal: &mut Proposal, whole: &Block) -> bool {
    /// Those without a password.
    const OTHERS: [&str; 8] = [
        "anonymous",
        "external",
        "gss-spnego",
        "gssapi",
        "oauthbearer",
        "otp",
        "skey",
        "xoauth2",
    ];
    const SETTING: &str = "auth_mechanisms";
    let listed = whole.get(SETTING).unwrap_or("plain").to_ascii_lowercase();
    for mechanism in known::words(&listed) {
        match mechanism {
            "plain" | "login" | "scram-sha-256" | "scram-sha-256-plus" => {}
            other => {
                let text = format!("{other}: clients take PLAIN under TLS, or SCRAM-SHA-256");
                proposal.note(SETTING, Fate::Missing, &text);
            }
        }
    }
    let passwords = !known::words(&listed).all(|mechanism| OTHERS.contains(&mechanism));
    if !passwords {
        let text = "no password got anybody in; here it does";
        proposal.note(SETTING, Fate::Blocks, text);
    }
    passwords
}

fn cleartext(proposal: &mut Proposal, whole: &Block) {
    let open = match whole.get("auth_allow_cleartext") {
        Some(_) => whole.is("auth_allow_cleartext"),
        None => whole.get("disable_plaintext_auth") == Some("no"),
    };
    let required = whole.get("ssl") == Some("required");
    let value = if open && !required {
        "always"
    } else {
        "tls-only"
    };
    proposal.keep("disable_plaintext_auth", Section::Auth, "cleartext", value);
    if let Some(trusted) = whole.get("login_trusted_networks") {
        let listed = known::words(trusted).collect::<Vec<_>>().join(", ");
        let all = format!("127.0.0.0/8, ::1/128, {listed}");
        proposal.keep(
            "login_trusted_networks",
            Section::Auth,
            "trusted_networks",
            all,
        );
    }
    let delay = whole.get("auth_failure_delay").and_then(known::seconds);
    if let Some(seconds) = delay {
        let value = format!("{}s", seconds.min(60));
        proposal.keep("auth_failure_delay", Section::Auth, "failure_delay", value);
    }
}
