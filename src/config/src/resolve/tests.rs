//! Whole files, good and bad.

use super::*;
use crate::model::{Route, UserOverrides};
use roost_types::SpecialUse;
use std::net::IpAddr;
use std::time::Duration;

fn parse(text: &str) -> Result<Config, Vec<ConfigError>> {
    Config::parse(text.as_bytes(), Path::new("/etc/roost/roost.conf"))
}

/// The lines and messages of a file that is wrong.
fn errors(text: &str) -> Vec<(usize, String)> {
    let found = parse(text).expect_err("file is wrong");
    found
        .into_iter()
        .map(|e| (e.line.unwrap_or(0), e.message))
        .collect()
}

fn one_error(text: &str) -> (usize, String) {
    let mut found = errors(text);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn every_default_is_good() {
    let mut values = Values::default();
    values.config();
    assert_eq!(values.errors, []);
}

#[test]
fn an_empty_file_and_the_sample_are_the_defaults() {
    assert_eq!(parse(""), Ok(Config::builtin()));
    assert_eq!(parse(&Config::sample()), Ok(Config::builtin()));
}

#[test]
fn the_sample_names_and_explains_every_key() {
    let sample = Config::sample();
    let lines: Vec<_> = sample.lines().collect();
    for key in KEYS {
        let entry = format!("{} =", key.name);
        let at = lines
            .iter()
            .position(|l| l.trim_start_matches('#').starts_with(&entry));
        assert!(at.is_some(), "{} is missing", key.name);
        assert!(lines.iter().all(|l| l.len() <= 110), "line too long");
        if !key.section.is_named() {
            assert!(lines.contains(&&*format!("# {}", key.doc)), "{}", key.name);
        }
    }
    // The examples that are commented out are good too.
    let examples: String = lines
        .iter()
        .map(|l| {
            l.strip_prefix('#')
                .filter(|r| !r.starts_with(' '))
                .unwrap_or(l)
        })
        .map(|l| format!("{l}\n"))
        .collect();
    let config = parse(&examples).unwrap();
    assert_eq!(config.users.len(), 1);
    assert_eq!(config.tls.by_name.len(), 1);
    assert_eq!(config.domains.len(), 2);
}

#[test]
fn one_home_is_not_everybodys() {
    let of = |home: &str, maildir: &str| {
        parse(&format!(
            "[auth]\nmail_home = {home}\n[mail]\nmaildir = {maildir}\n"
        ))
    };
    assert!(of("/srv/%d/%n", "~/Maildir").is_ok());
    assert!(of("/srv", "/srv/%u").is_ok());
    assert!(of("/srv", "~/%u").is_ok());
    for (home, maildir) in [("/srv", "~/Maildir"), ("/srv/%d", "%h"), ("~/x", "/m/%u")] {
        let errors = of(home, maildir).unwrap_err();
        assert_eq!(errors.len(), 1, "{home}");
        assert_eq!(errors[0].line, Some(2), "{home}");
    }
    assert!(of("/srv", "~/%u\nindex_dir = ~/%n").is_ok());
    assert!(of("/srv", "~/%u\nindex_dir = ~/index").is_err());
}

/// A good value that is not the default.
fn other(key: &Key) -> String {
    match key.kind {
        Kind::Bool if key.default == "yes" => "no".into(),
        Kind::Bool => "yes".into(),
        Kind::Integer { .. } => "77".into(),
        Kind::Duration { .. } => "7s".into(),
        Kind::Size { .. } => "77K".into(),
        Kind::Choice(all) | Kind::Choices(all) => {
            all.iter().find(|v| **v != key.default).unwrap().to_string()
        }
        Kind::Path | Kind::OptionalPath | Kind::Maildir | Kind::OptionalMaildir => "/other".into(),
        Kind::OptionalHome => "/other/%n".into(),
        Kind::Addresses => "192.0.2.1:77".into(),
        Kind::Networks => "192.0.2.0/24".into(),
        Kind::Words | Kind::MailboxNames | Kind::MailboxName => "a b".into(),
        Kind::Domain => "other.example".into(),
        Kind::Word | Kind::OptionalWord => "other".into(),
        Kind::Uri => "mailto:other@example.org".into(),
        Kind::Text => "Other/".into(),
    }
}

/// A value that no key of the kind takes; `None` where all are taken.
fn bad(key: &Key) -> Option<&'static str> {
    match key.kind {
        Kind::Words => None,
        Kind::Text if key.name == "comment" => None,
        Kind::MailboxNames | Kind::MailboxName => Some("a//b"),
        Kind::Text => Some("no separator"),
        Kind::OptionalPath | Kind::Path => Some("relative"),
        _ => Some("two words"),
    }
}

/// A file that sets one key, with what must stand beside it.
fn setting(key: &Key, value: &str) -> (String, usize) {
    let heading = match key.section {
        Section::TlsName => "[tls a.example]".into(),
        Section::User => "[user joe]".into(),
        section => format!("[{}]", section.word()),
    };
    let beside = match (key.section, key.name) {
        (Section::Server, "log_path") => "log_target = file\n",
        (Section::Tls | Section::TlsName, "certificate") => "key = /k\n",
        (Section::Tls | Section::TlsName, "key") => "certificate = /c\n",
        (Section::Auth, "backend") => "passwd_file = /p\n",
        (Section::Mail, "separator") => "prefix = INBOX.\n",
        _ => "",
    };
    let text = format!("{heading}\n{beside}{} = {value}\n", key.name);
    (text, 2 + beside.lines().count())
}

#[test]
fn every_key_has_an_effect() {
    for key in KEYS {
        let (text, _) = setting(key, &other(key));
        let config = parse(&text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        let (without, _) = setting(key, key.default);
        if let Ok(plain) = parse(&without) {
            assert_ne!(config, plain, "{}", key.name);
        }
        assert_ne!(config, Config::builtin(), "{}", key.name);
    }
}

#[test]
fn every_bad_value_is_found_in_its_line() {
    for key in KEYS {
        let Some(value) = bad(key) else { continue };
        let (text, line) = setting(key, value);
        let found = errors(&text);
        let here = |(l, m): &(usize, String)| *l == line && m.starts_with(key.name);
        assert!(found.iter().any(here), "{text}: {found:?}");
    }
}

#[test]
fn all_errors_come_at_once_in_order() {
    let text = "\
[server]
hostnam = a.example
log_level = lots
[qota]
storage = 1
[limits]
maildir = ~/x
max_connections = many
max_connections = 5
[listen]
imap = 143
";
    let found = errors(text);
    let lines: Vec<_> = found.iter().map(|e| e.0).collect();
    assert_eq!(lines, [2, 3, 4, 7, 8, 9, 11], "{found:?}");
    assert!(found[0].1.contains("did you mean `hostname`?"));
    assert!(found[3].1.contains("belongs into [mail]"));
    let shown = parse(text).unwrap_err()[0].to_string();
    assert!(
        shown.starts_with("/etc/roost/roost.conf:2: unknown key"),
        "{shown}"
    );
}

#[test]
fn sections_that_do_not_exist() {
    assert!(one_error("[sever]\n").1.contains("[server]"));
    assert!(one_error("[user]\n").1.contains("name is missing"));
    assert!(one_error("[mail x]\n").1.contains("takes no name"));
    assert!(one_error("[xyzzy]\na = b\n").1.contains("unknown section"));
    assert_eq!(one_error("[tls a..b]\ncertificate = /c\n").0, 1);
}

#[test]
fn what_must_come_together() {
    let cases = [
        ("[tls]\ncertificate = /c\n", 2),
        ("[tls]\nkey = /k\n", 2),
        ("[tls a.example]\nkey = /k\n", 1),
        ("[auth]\n\nbackend = passwd-file\n", 3),
        ("[mail]\nprefix = INBOX.\n", 2),
        ("[mail]\nsent = Drafts\n", 2),
        ("[listen]\nimaps = 0.0.0.0:143\n", 2),
        ("[listen]\nimaps =\nimap =\n", 3),
    ];
    for (text, line) in cases {
        assert_eq!(one_error(text).0, line, "{text}");
    }
}

#[test]
fn a_site_that_comes_from_courier() {
    let config = parse(
        "[mail]\nseparator = .\nprefix = INBOX.\ndirectory_encoding = utf8\n\
         initial_subscriptions = Sent, Trash\nsent = Sent Items\ndrafts =\n",
    )
    .unwrap();
    assert_eq!(config.mail.separator, '.');
    assert_eq!(config.mail.prefix, "INBOX.");
    assert_eq!(config.mail.initial_subscriptions, ["Sent", "Trash"]);
    assert!(
        config
            .mail
            .special_use
            .contains(&(SpecialUse::Sent, "Sent Items".into()))
    );
    assert!(
        !config
            .mail
            .special_use
            .iter()
            .any(|(u, _)| *u == SpecialUse::Drafts)
    );
}

#[test]
fn names_users_and_domains() {
    let config = parse(
        "[tls *.Example.org]\ncertificate = /c\nkey = /k\n\
         [user joe@example.org]\nmaildir = /mail/joe\nmax_message_size = 1M\n[user ann]\n\
         [domains]\n::ffff:192.0.2.1 = A.example\n2001:db8::1=b.example\n\
         [limits]\nidle_timeout = 1500ms\n",
    )
    .unwrap();
    assert!(config.tls.by_name.contains_key("*.example.org"));
    assert_eq!(
        config.users["joe@example.org"].max_message_size,
        Some(1 << 20)
    );
    assert_eq!(config.users["ann"], UserOverrides::default());
    let first: IpAddr = "192.0.2.1".parse().unwrap();
    assert_eq!(config.domains[&first], "a.example");
    assert_eq!(config.limits.idle_timeout, Duration::from_millis(1500));
}

#[test]
fn one_name_in_two_spellings_is_set_twice() {
    let text = "[tls a.example]\ncertificate = /c\nkey = /k\n[tls A.example]\nkey = /l\n";
    assert_eq!(one_error(text).0, 5);
    assert_eq!(one_error("[domains]\n::1 = a\n0::1 = b\n").0, 3);
    assert_eq!(one_error("[domains]\nlocalhost = a\n").0, 2);
    assert_eq!(one_error("[domains]\n::1 =\n").0, 2);
}

#[test]
fn names_are_routed_to_their_end() {
    let config = parse(
        "[server]\ndefault_domain = example.org\n[domains]\n::1 = two.example\n\
         [router]\nOld.Name = new\nolder%example.org = old.name@EXAMPLE.org\n\
         gone = Gone.User@other.example\nlong.gone = gone\nvia = joe@two.example\nfar = via\n\
         own = Sam@Example.org\nto.own = own\n",
    )
    .unwrap();
    let route = |name: &str| config.router[name].clone();
    let new = Route::Account("new".into());
    assert_eq!(route("old.name"), new);
    assert_eq!(route("older@example.org"), new);
    let elsewhere = Route::Elsewhere {
        user: "gone.user".into(),
        host: "other.example".into(),
    };
    assert_eq!(route("gone"), elsewhere);
    assert_eq!(route("long.gone"), elsewhere);
    for via in ["via", "far"] {
        assert_eq!(route(via), Route::Account("joe@two.example".into()));
    }
    // Without its domain it would be another account at ::1.
    for own in ["own", "to.own"] {
        assert_eq!(route(own), Route::Account("sam@example.org".into()));
    }
}

#[test]
fn not_everybody_is_a_proxy() {
    let proxies = |list: &str| format!("[listen]\nproxy_protocol_from = {list}\n");
    for list in ["0.0.0.0/0", "192.0.2.1, ::/0"] {
        assert_eq!(one_error(&proxies(list)).0, 2, "{list}");
    }
    assert!(parse(&proxies("10.0.0.0/8, ::1")).is_ok());
}

#[test]
fn routes_that_lead_nowhere_are_errors() {
    assert_eq!(one_error("[router]\na = A\n").0, 2);
    assert_eq!(one_error("[router]\na = b\na%x = c\nA = d\n").0, 4);
    assert_eq!(one_error("[router]\na = b c\n").0, 2);
    assert_eq!(one_error("[router]\na/b = c\n").0, 2);
    assert_eq!(one_error("[router]\na =\n").0, 2);
    let round = "[server]\ndefault_domain = x\n[router]\na = b@x\nb = c\nc = a\n";
    assert_eq!(parse(round).unwrap_err().len(), 3);
}

#[test]
fn a_file_that_is_not_there() {
    let found = Config::load(Path::new("/nonexistent/roost.conf")).unwrap_err();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].line, None);
    assert!(
        found[0]
            .to_string()
            .starts_with("/nonexistent/roost.conf: ")
    );
}

#[test]
fn a_file_on_the_disk() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("roost.conf");
    std::fs::write(&path, Config::sample()).unwrap();
    assert_eq!(Config::load(&path), Ok(Config::builtin()));
}
