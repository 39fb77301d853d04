//! Every conversation of `conversations/` against Roost and against Dovecot;
//! those of `conversations/courier-site/` where both are set up as Courier
//! has it, with `.` between the levels and all mailboxes below `INBOX.`.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::dovecot;
use roost_tests::roost::{self, Roost, Setup};
use roost_tests::script::run::Outcome;
use roost_tests::script::{Script, Target, parse_file, run};
use roost_tests::site::Site;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The usual site and Courier's: folders of conversations.
const PLAIN: &str = "conversations";
const COURIER: &str = "conversations/courier-site";

/// So that Dovecot has rights to mailboxes; it lists some otherwise then.
const ACL_PLUGIN: &str = "
mail_plugins = acl
protocol imap {
  mail_plugins = acl imap_acl
}
plugin {
  acl = vfile
  acl_anyone = allow
}
";

/// So that it knows METADATA.
const ANNOTATIONS: &str = "
mail_attribute_dict = file:%h/dovecot-attributes
protocol imap {
  imap_metadata = yes
}
";

fn scripts(site: &str) -> Vec<Script> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(site);
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "imap"))
        .collect();
    files.sort();
    let only = std::env::var("CONVERSATION").ok();
    let mut scripts = Vec::new();
    for file in files {
        match parse_file(&file) {
            Ok(found) => scripts.extend(found),
            Err(e) => panic!("{e}"),
        }
    }
    assert!(!scripts.is_empty(), "no conversation found");
    scripts.retain(|s| {
        only.as_ref()
            .is_none_or(|o| s.file.contains(o) || s.name.contains(o))
    });
    scripts
}

fn user(i: usize) -> String {
    format!("c{i}")
}

/// How many conversations are played at a time: most of their time they wait.
const AT_A_TIME: usize = 8;

/// What came of all of them.
#[derive(Default)]
struct Score {
    passed: usize,
    left_out: usize,
    differing: usize,
    failures: Vec<String>,
}

impl Score {
    /// A conversation that a peer is said to answer otherwise must really
    /// differ there.
    fn add(&mut self, script: &Script, server: &str, result: Result<Outcome, String>) {
        let says =
            |what: String| format!("{}:{} ({}): {what}", script.file, script.line, script.name);
        match (script.differs.get(server), result) {
            (None, Ok(Outcome::Passed)) => self.passed += 1,
            (_, Ok(Outcome::LeftOut(lack))) if server == "roost" => {
                self.failures.push(says(format!("Roost lacks {lack}")));
            }
            (_, Ok(Outcome::LeftOut(_))) => self.left_out += 1,
            (None, Err(e)) => self.failures.push(e),
            (Some(_), Err(_)) => self.differing += 1,
            (Some(why), Ok(Outcome::Passed)) => self.failures.push(says(format!(
                "said to differ on {server} ({why}) but does not"
            ))),
        }
    }
}

/// Plays all, each as a user of its own.
fn play_all(
    scripts: &[Script],
    server: &str,
    addr: std::net::SocketAddr,
    password: &str,
    config: Option<&Path>,
) {
    let next = AtomicUsize::new(0);
    let score = Mutex::new(Score::default());
    let play = || {
        while let Some((i, script)) = {
            let i = next.fetch_add(1, Ordering::Relaxed);
            scripts.get(i).map(|s| (i, s))
        } {
            let target = Target {
                server,
                addr,
                user: &user(i),
                password,
                config,
            };
            let result = run(script, &target);
            score.lock().unwrap().add(script, server, result);
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..AT_A_TIME {
            threads.spawn(play);
        }
    });
    let mut score = score.into_inner().unwrap();
    score.failures.sort();
    println!(
        "{server}: {} passed, {} left out, {} differ as said",
        score.passed, score.left_out, score.differing
    );
    assert!(
        score.failures.is_empty(),
        "{} of {}:\n{}",
        score.failures.len(),
        scripts.len(),
        score.failures.join("\n")
    );
    assert!(score.passed + score.differing > 0 || scripts.is_empty());
}

#[test]
fn conversations_with_roost() {
    with_roost(PLAIN, &[]);
}

#[test]
fn conversations_with_dovecot() {
    let mut scripts = scripts(PLAIN);
    scripts.retain(|s| !is_about_rights(s));
    with_dovecot(&scripts, ANNOTATIONS);
}

#[test]
fn rights_with_dovecot() {
    let mut scripts = scripts(PLAIN);
    scripts.retain(is_about_rights);
    with_dovecot(&scripts, &format!("{ACL_PLUGIN}{}", dovecot::OTHERS));
}

fn is_about_rights(script: &Script) -> bool {
    script
        .needs
        .iter()
        .any(|need| need.contains("ACL") || need.contains("RIGHTS"))
}

#[test]
fn courier_site_with_roost() {
    let lines = ["separator = .", "prefix = INBOX."];
    with_roost(COURIER, &lines.map(|line| ("mail", line)));
}

#[test]
fn courier_site_with_dovecot() {
    with_dovecot(
        &scripts(COURIER),
        "namespace inbox {\n  separator = .\n  prefix = INBOX.\n}\n",
    );
}

fn with_roost(site: &str, settings: &[(&'static str, &str)]) {
    let scripts = scripts(site);
    let mut setup = Setup::default().with(settings);
    for (i, script) in scripts.iter().enumerate() {
        accounts(script, &user(i), &mut setup);
    }
    let roost = Roost::alone(&setup);
    let config = roost.dir().join("roost.conf");
    play_all(
        &scripts,
        "roost",
        roost.addr(),
        roost::PASSWORD,
        Some(&config),
    );
}

/// The accounts of a conversation that is played as `own`.
fn accounts(script: &Script, own: &str, setup: &mut Setup) {
    setup.users.push(own.to_owned());
    if !script.settings.is_empty() {
        let lines = script.settings.join("\n");
        setup.accounts.push((own.to_owned(), lines));
    }
    for user in script.users.values() {
        let account = user.account(own);
        if !user.groups.is_empty() {
            let groups = user.groups.join(",");
            setup.groups.insert(account.clone(), groups);
        }
        if !setup.users.contains(&account) {
            setup.users.push(account);
        }
    }
}

fn with_dovecot(scripts: &[Script], extra: &str) {
    if !dovecot::installed() || !roost_tests::process::is_root() {
        eprintln!(
            "left out (conversations with Dovecot): needs root and the package dovecot-imapd"
        );
        return;
    }
    let site = Site::new(&[]).unwrap();
    let dovecot = site.dovecot(extra).unwrap();
    play_all(scripts, "dovecot", dovecot.addr(), dovecot::PASSWORD, None);
}
