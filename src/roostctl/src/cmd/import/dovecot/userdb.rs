//! Where accounts' mail is, and under which uid: userdb, and what counts where
//! that does not say it.
//!
//! What must stay true: nobody is led to another one's mail. What cannot be
//! said in `roost.conf` as it was is told.

use std::path::Path;

use roost_accounts::{Defaults, Id, PathTemplate};
use roost_config::Section;

use super::super::doveconf::Block;
use super::super::proposal::{Fate, Proposal};
use super::database::Database;
use super::{mail, users};

/// What is said for all accounts, each with the setting that says it.
#[derive(Default)]
struct Told<'a> {
    uid: Option<Said<'a>>,
    gid: Option<Said<'a>>,
    home: Option<Said<'a>>,
}

struct Said<'a> {
    setting: String,
    value: &'a str,
}

impl<'a> Told<'a> {
    /// By the names of a userdb's fields.
    fn each(&mut self) -> [(&'static str, &mut Option<Said<'a>>); 3] {
        let Self { uid, gid, home } = self;
        [("uid", uid), ("gid", gid), ("home", home)]
    }
}

/// `file` has the accounts, and `backends` let them in.
pub fn places(proposal: &mut Proposal, whole: &Block, file: Option<&str>, backends: &[&str]) {
    let databases = Database::all(whole, "userdb");
    let system = !databases.is_empty() && databases.iter().all(|db| db.driver == "passwd");
    let mut told = Told::default();
    for (field, said) in told.each() {
        let setting = format!("mail_{field}");
        match whole.get(&setting) {
            Some(_) if system => {
                let text = "accounts of the system have their own";
                proposal.note(&setting, Fate::Needless, text);
            }
            value => *said = value.map(|value| Said { setting, value }),
        }
    }
    let mut fixed = false;
    for db in &databases {
        let setting = db.setting();
        match db.driver {
            "passwd" | "prefetch" => {
                let text = "uid, gid and home of the system's account";
                proposal.note(&setting, Fate::Kept, text);
            }
            "passwd-file" => passwd_file(proposal, db, file, &mut told),
            "static" => {
                fixed = true;
                same_for_all(proposal, db, &mut told);
                if backends.contains(&"pam") {
                    let text = "accounts that PAM lets in have the uid, gid and home of the system";
                    proposal.note(&setting, Fate::Blocks, text);
                }
            }
            other => {
                let text = format!("Roost knows no {other}");
                proposal.note(&setting, Fate::Blocks, &text);
                continue;
            }
        }
        db.conditions(proposal);
    }
    let Some(file) = file else {
        return without_file(proposal, &mut told);
    };
    if fixed && told.home.is_none() {
        home_at_mail(proposal, whole);
    }
    let defaults = write(proposal, &mut told);
    let asked_before = databases.iter().any(|db| db.driver == "prefetch");
    if fixed && !asked_before {
        users::look_for_places(proposal, Path::new(file), &defaults);
    }
}

fn passwd_file<'a>(
    proposal: &mut Proposal,
    db: &Database<'a>,
    file: Option<&str>,
    told: &mut Told<'a>,
) {
    let setting = db.setting();
    let path = db.block.get("passwd_file_path").or(db.last());
    if path.is_some() && path == file {
        proposal.note(&setting, Fate::Kept, "uid, gid and home of the same file");
    } else {
        let text = format!(
            "{}: uid, gid, home and fields have to stand in the same file as the passwords",
            path.unwrap_or_default()
        );
        proposal.note(&setting, Fate::Blocks, &text);
    }
    let words = db.get("default_fields").unwrap_or_default();
    fields(proposal, &format!("{setting} default_fields"), words, told);
}

/// What a static userdb says holds whatever stands elsewhere.
fn same_for_all<'a>(proposal: &mut Proposal, db: &Database<'a>, told: &mut Told<'a>) {
    let setting = db.setting();
    let words = db.get("args").unwrap_or_default();
    fields(proposal, &setting, words, told);
    for (field, said) in told.each() {
        if let Some(value) = db.field(field) {
            let setting = format!("{setting} {field}");
            *said = Some(Said { setting, value });
        }
    }
    let _ = (db.get("allow_all_users"), db.get("static_allow_all_users"));
}

/// `uid=vmail gid=vmail home=/srv/%n`
fn fields<'a>(proposal: &mut Proposal, setting: &str, words: &'a str, told: &mut Told<'a>) {
    for word in words.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let known = told.each().into_iter().find(|(field, _)| *field == key);
        match known {
            Some((field, said)) => {
                let setting = format!("{setting} {field}");
                *said = Some(Said { setting, value });
            }
            None if key == "allow_all_users" => {}
            None => {
                let text = format!("{key}: write it into the lines of the passwd-file");
                proposal.note(setting, Fate::Blocks, &text);
            }
        }
    }
}

/// PAM's accounts are the system's.
fn without_file(proposal: &mut Proposal, told: &mut Told<'_>) {
    for (_, said) in told.each() {
        if let Some(said) = said {
            let text = format!(
                "{}: only accounts of a passwd-file can be told it, in [auth]",
                said.value
            );
            proposal.note(&said.setting, Fate::Blocks, &text);
        }
    }
}

/// Dovecot needs no home where mail's path has none; Roost looks there for
/// `.roost/smime.pem`.
fn home_at_mail(proposal: &mut Proposal, whole: &Block) {
    let path = mail::path(whole);
    match path.filter(|path| PathTemplate::parse(path).is_ok_and(|t| !t.needs_home())) {
        Some(path) => proposal.keep("mail_location", Section::Auth, "mail_home", path),
        None => {
            let text = "no home: set [auth] mail_home, or name homes in the lines of the file";
            proposal.note("userdb static", Fate::Blocks, text);
        }
    }
}

fn write(proposal: &mut Proposal, told: &mut Told<'_>) -> Defaults {
    let mut defaults = Defaults::default();
    if let Some(said) = &told.uid {
        proposal.keep(&said.setting, Section::Auth, "mail_uid", said.value);
        defaults.uid = Id::parse(said.value);
    }
    if let Some(said) = &told.gid {
        proposal.keep(&said.setting, Section::Auth, "mail_gid", said.value);
        defaults.gid = Id::parse(said.value);
    }
    if let Some(said) = &told.home {
        let path = mail::template(said.value);
        let parsed = path.and_then(|path| match PathTemplate::parse(&path) {
            Ok(home) if !home.needs_home() => Ok((path, home)),
            _ => Err("a path that begins with / is needed".to_owned()),
        });
        match parsed {
            Ok((path, home)) => {
                proposal.keep(&said.setting, Section::Auth, "mail_home", path);
                defaults.home = Some(home);
            }
            Err(why) => {
                let text = format!("{}: {why}", said.value);
                proposal.note(&said.setting, Fate::Blocks, &text);
            }
        }
    }
    defaults
}
