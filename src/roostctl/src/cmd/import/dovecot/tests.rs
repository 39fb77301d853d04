mod accounts;
mod alone;
mod shut;

use super::super::proposal::{Fate, Proposal};
use super::propose;

/// A site of Debian 12 with virtual and system users.
const OLD: &str = "# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf
auth_default_realm = example.org
auth_mechanisms = plain login cram-md5
disable_plaintext_auth = no
first_valid_uid = 1000
listen = 192.0.2.1, ::
login_trusted_networks = 10.0.0.0/8
mail_location = maildir:/srv/mail/%d/%Ln/Maildir:INDEX=/var/i/%u:UTF-8
mail_max_userip_connections = 30
mail_plugins = acl quota fts fts_xapian
mail_strange_thing = 1
namespace inbox {
  inbox = yes
  location =
  mailbox Drafts {
    special_use = \\Drafts
  }
  mailbox Entwürfe {
    auto = subscribe
  }
  mailbox \"Sent Messages\" {
    special_use = \\Sent
  }
  mailbox Sent {
    auto = subscribe
    special_use = \\Sent
  }
  mailbox Spam {
    autoexpunge = 30d
    special_use = \\Junk
  }
  prefix = INBOX.
}
namespace {
  list = children
  location = maildir:%%h/Maildir
  prefix = shared/%%u/
  separator = /
  type = shared
}
passdb {
  args = scheme=PLAIN username_format=%n /etc/dovecot/users
  driver = passwd-file
}
passdb {
  args = %s
  driver = pam
}
plugin {
  acl = vfile
  quota = maildir:User quota
  quota_rule = *:storage=1G:messages=5000
  quota_rule2 = Trash:storage=+100M
}
protocols = imap lmtp
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = 1993
    ssl = yes
  }
}
ssl = required
ssl_cert = </etc/ssl/mail.pem
ssl_key = </etc/ssl/private/mail.key
ssl_min_protocol = TLSv1.3
local_name imap.example.org {
  ssl_cert = </etc/ssl/i.pem
  ssl_key = </etc/ssl/private/i.key
}
syslog_facility = local3
log_path = /var/log/dovecot.log
userdb {
  args = username_format=%n /etc/dovecot/users
  driver = passwd-file
}
userdb {
  driver = passwd
}
";

fn fate(proposal: &Proposal, setting: &str) -> Vec<Fate> {
    let notes = proposal.notes.iter();
    let named = notes.filter(|n| n.setting == setting);
    named.map(|n| n.fate).collect()
}

fn lines(text: &str) -> Vec<&str> {
    let kept = |line: &&str| !line.is_empty() && !line.starts_with('#');
    text.lines().filter(kept).collect()
}

#[test]
fn a_site_of_2_3_as_roost_conf() {
    let proposal = propose(OLD, "test").unwrap();
    let text = proposal.text().unwrap();
    assert_eq!(
        lines(&text),
        [
            "[server]",
            "default_domain = example.org",
            "log_style = dovecot",
            "syslog_facility = local3",
            "log_target = file",
            "log_path = /var/log/dovecot.log",
            "[listen]",
            "imap =",
            "imaps = 192.0.2.1:1993, [::]:1993",
            "[tls]",
            "certificate = /etc/ssl/mail.pem",
            "key = /etc/ssl/private/mail.key",
            "min_version = 1.3",
            "[tls imap.example.org]",
            "certificate = /etc/ssl/i.pem",
            "key = /etc/ssl/private/i.key",
            "[auth]",
            "passwd_file = /etc/dovecot/users",
            "pam_service = imap",
            "backend = passwd-file, pam",
            "minimum_uid = 1000",
            "lowercase_names = yes",
            "cleartext = tls-only",
            "trusted_networks = 127.0.0.0/8, ::1/128, 10.0.0.0/8",
            "[mail]",
            "maildir = /srv/mail/%d/%n/Maildir",
            "directory_encoding = utf8",
            "separator = .",
            "prefix = INBOX.",
            "drafts = Drafts",
            "sent = Sent",
            "trash =",
            "junk = Spam",
            "archive =",
            "all =",
            "flagged =",
            "important =",
            "initial_subscriptions = Entw&APw-rfe, Sent",
            "[limits]",
            "max_connections_per_user = 50",
            "[quota]",
            "storage = 1G",
            "messages = 5000",
        ]
    );
    for (setting, expected) in [
        ("INDEX", Fate::Needless),
        ("auth_mechanisms", Fate::Missing),
        ("passdb passwd-file scheme", Fate::Missing),
        ("passdb passwd-file username_format", Fate::Missing),
        ("mailbox Spam autoexpunge", Fate::Missing),
        ("namespace", Fate::Missing),
        ("quota_rule2", Fate::Missing),
        ("plugin acl", Fate::Kept),
        ("mail_plugins fts", Fate::Missing),
        ("mail_plugins fts_xapian", Fate::Missing),
        ("mail_strange_thing", Fate::Missing),
        ("protocol lmtp", Fate::Needless),
        ("userdb passwd-file", Fate::Kept),
    ] {
        assert_eq!(fate(&proposal, setting), [expected], "{setting}");
    }
    assert!(proposal.loses());
    assert!(text.contains("# missing: mail_strange_thing: "));
}

#[test]
fn the_same_words_of_2_4() {
    let text = "dovecot_config_version = 2.4.1
auth_allow_cleartext = yes
auth_default_domain = example.org
auth_username_format = %{user}
mail_driver = maildir
mail_path = %{home}/Mail
mail_plugins {
  acl = yes
  quota = yes
}
namespace inbox {
  inbox = yes
  mailbox Archive {
    special_use = \"\\\\Archive\"
  }
  separator = /
}
passdb passwd-file {
  passwd_file_path = /etc/users
}
protocols {
  imap = yes
}
quota \"User quota\" {
  quota_storage_size = 500M
}
ssl = no
ssl_server_cert_file = /c.pem
ssl_server_key_file = /k.pem
userdb passwd-file {
  passwd_file_path = /etc/users
}
";
    let proposal = propose(text, "test").unwrap();
    assert!(!proposal.loses(), "{:#?}", proposal.notes);
    let text = proposal.text().unwrap();
    for line in [
        "maildir = %h/Mail",
        "lowercase_names = no",
        "cleartext = always",
        "default_domain = example.org",
        "certificate = /c.pem",
        "backend = passwd-file",
        "passwd_file = /etc/users",
        "separator = /",
        "archive = Archive",
        "storage = 500M",
        "imap = 0.0.0.0:143, [::]:143",
        "imaps =",
    ] {
        assert!(lines(&text).contains(&line), "{line}:\n{text}");
    }
}

#[test]
fn what_cannot_be_served_is_told() {
    for (text, setting) in [
        (
            "mail_location = mbox:~/mail:INBOX=/var/mail/%u",
            "mail_location",
        ),
        ("mail_location = maildir:~/Maildir:LAYOUT=fs", "LAYOUT"),
        (
            "mail_location = maildir:~/Maildir:CONTROL=/var/c/%u",
            "CONTROL",
        ),
        ("mail_location = maildir:~/Maildir:INBOX=~/In", "INBOX"),
        ("mail_location = maildir:~/Maildir:DIRNAME=m", "DIRNAME"),
        ("mail_location = maildir:/m/%1Mu", "mail_location"),
        ("mail_driver = sdbox\nmail_path = ~/sdbox", "mail_path"),
        ("passdb {\n driver = sql\n args = /etc/sql\n}", "passdb sql"),
        (
            "userdb {\n driver = static\n args = uid=vmail\n}",
            "userdb static uid",
        ),
        ("mail_plugins = mail_crypt", "mail_plugins mail_crypt"),
        ("plugin {\n zlib_save = bz2\n}", "plugin zlib_save"),
    ] {
        let proposal = propose(text, "test").unwrap();
        assert_eq!(fate(&proposal, setting), [Fate::Blocks], "{text}");
        proposal.text().unwrap();
    }
}

fn text_of(text: &str) -> String {
    propose(text, "test").unwrap().text().unwrap()
}

#[test]
fn mail_of_the_namespace_is_found() {
    let newer = "mail_driver = maildir\nmail_path = ~/Elsewhere\nnamespace inbox {\n inbox = yes\n \
                 mail_path = %{home}/Mail\n mailbox_list_layout = fs\n}\n";
    let proposal = propose(newer, "test").unwrap();
    assert_eq!(fate(&proposal, "LAYOUT"), [Fate::Blocks]);
    let text = proposal.text().unwrap();
    assert!(lines(&text).contains(&"maildir = %h/Mail"), "{text}");
    for (inner, setting) in [
        ("mail_driver = mdbox\n mail_path = ~/mdbox", "mail_path"),
        ("mail_path = ~/Mail", "mail_path"),
        (
            "mailbox_list_storage_escape_char = %",
            "mailbox_list_storage_escape_char",
        ),
        (
            "mailbox_root_directory_name = boxes",
            "mailbox_root_directory_name",
        ),
    ] {
        let text = format!("namespace inbox {{\n inbox = yes\n {inner}\n}}");
        let proposal = propose(&text, "test").unwrap();
        assert_eq!(fate(&proposal, setting), [Fate::Blocks], "{text}");
    }
    let second = "namespace inbox {\n inbox = yes\n}\nnamespace old {\n prefix = Old/\n location = \
                  mbox:~/old\n}\nnamespace compat {\n alias_for =\n prefix = INBOX.\n}\n";
    let proposal = propose(second, "test").unwrap();
    assert_eq!(fate(&proposal, "namespace old"), [Fate::Blocks]);
    assert_eq!(fate(&proposal, "namespace compat"), [Fate::Missing]);
}

/// Rules are for a plugin that is loaded and a root that is set.
#[test]
fn quota_is_only_where_it_was() {
    let rule = "quota_rule = *:storage=1G\n";
    for (plugins, plugin, fate_of_rule) in [
        ("acl", "quota = count:User", Fate::Needless),
        ("quota", "", Fate::Needless),
        ("quota", "quota = count:User:noenforcing", Fate::Missing),
        ("quota", "quota = count:User", Fate::Kept),
    ] {
        let text = format!("mail_plugins = {plugins}\nplugin {{\n {rule} {plugin}\n}}\n");
        let proposal = propose(&text, "test").unwrap();
        assert_eq!(fate(&proposal, "quota_rule"), [fate_of_rule], "{text}");
        let there = proposal.text().unwrap().contains("[quota]\nstorage = 1G");
        assert_eq!(there, fate_of_rule == Fate::Kept, "{text}");
    }
    let newer = "quota User {\n quota_storage_size = 1G\n}\nquota_storage_size = 2G\n";
    assert!(!text_of(newer).contains("[quota]"));
    let text = text_of("mail_plugins {\n quota = yes\n}\nquota_storage_size = 2G\n");
    assert!(!text.contains("[quota]"), "no root");
}

/// Settings whose beginnings are those of many that nobody misses.
#[test]
fn what_keeps_others_out_is_told() {
    for (text, setting, expected) in [
        (
            "login_access_sockets = tcpwrap",
            "login_access_sockets",
            Fate::Blocks,
        ),
        ("ssl_key_password = x", "ssl_key_password", Fate::Blocks),
        ("ssl_alt_cert = </a.pem", "ssl_alt_cert", Fate::Missing),
        (
            "ssl_server_request_client_cert = yes",
            "ssl_server_request_client_cert",
            Fate::Missing,
        ),
    ] {
        let proposal = propose(text, "test").unwrap();
        assert_eq!(fate(&proposal, setting), [expected], "{text}");
    }
}

#[test]
fn an_address_that_is_not_understood_opens_no_other() {
    let text = text_of("listen = mail.example.org");
    assert!(lines(&text).contains(&"imap = 127.0.0.1:143"), "{text}");
    assert!(lines(&text).contains(&"imaps ="), "{text}");
    let port = "service imap-login {\n inet_listener imap {\n port = imap2\n }\n}\nlisten = ::1\n";
    let proposal = propose(port, "test").unwrap();
    let told = fate(&proposal, "listen, inet_listener imap");
    assert_eq!(told, [Fate::Blocks]);
    let text = proposal.text().unwrap();
    assert!(lines(&text).contains(&"imap ="), "{text}");
    assert!(lines(&text).contains(&"imaps = [::1]:993"), "{text}");
}

#[test]
fn proxies_are_believed_where_they_were() {
    let listener = "service imap-login {\n inet_listener imap {\n haproxy = yes\n }\n}\n";
    let networks = "haproxy_trusted_networks = 10.0.0.1 192.0.2.0/24\n";
    let text = text_of(&format!("{listener}{networks}"));
    let line = "proxy_protocol_from = 10.0.0.1, 192.0.2.0/24";
    assert!(text.contains(line), "{text}");
    assert!(!text_of(networks).contains("proxy_protocol_from = "));
    let proposal = propose(listener, "test").unwrap();
    let told = fate(&proposal, "inet_listener imap haproxy");
    assert_eq!(told, [Fate::Missing]);
}

#[test]
fn fewer_connections_than_usual_are_no_limit_of_an_account() {
    for (limit, line) in [("5", 50), ("80", 80), ("0", 0)] {
        let text = text_of(&format!("mail_max_userip_connections = {limit}"));
        let line = format!("max_connections_per_user = {line}");
        assert!(lines(&text).contains(&line.as_str()), "{text}");
    }
}

/// The advice as a shell takes it, with a blank in a name and a mailbox that
/// is gone.
#[test]
fn the_advice_for_control_does_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let control = dir.path().join("control");
    let maildir = dir.path().join("MAILDIR");
    for (name, there) in [(".INBOX", false), (".Two Words", true), (".Gone", false)] {
        std::fs::create_dir_all(control.join(name)).unwrap();
        std::fs::write(control.join(name).join("dovecot-uidlist"), name).unwrap();
        if there {
            std::fs::create_dir_all(maildir.join(name)).unwrap();
        }
    }
    for name in ["subscriptions", "dovecot-uidvalidity"] {
        std::fs::write(control.join(name), "").unwrap();
    }
    let text = "mail_location = maildir:~/Maildir:CONTROL=/c/%u";
    let proposal = propose(text, "test").unwrap();
    let note = proposal.notes.iter().find(|n| n.setting == "CONTROL");
    let advice = note.unwrap().text.split('`').nth(1).unwrap();
    let advice = advice.replace("MAILDIR", &maildir.display().to_string());
    let mut shell = std::process::Command::new("sh");
    shell.arg("-ec").arg(advice).current_dir(&control);
    assert!(shell.status().unwrap().success());
    for path in [
        "dovecot-uidlist",
        ".Two Words/dovecot-uidlist",
        "subscriptions",
    ] {
        assert!(maildir.join(path).exists(), "{path}");
    }
    assert!(!maildir.join(".Gone").exists());
}

#[test]
fn dovecots_variables_are_roosts() {
    for (from, to) in [
        ("%{home}/Maildir/", "%h/Maildir"),
        ("/m/%{user | domain | lower}/%{user|username}", "/m/%d/%n"),
        ("/m/%Ld/%Ln", "/m/%d/%n"),
        ("~/100%%", "~/100%%"),
    ] {
        assert_eq!(super::mail::template(from).as_deref(), Ok(to), "{from}");
    }
    for bad in ["/m/%1u", "/m/%{user:1", "m/%u", "/m/%{home", "/m/%s"] {
        assert!(super::mail::template(bad).is_err(), "{bad}");
    }
}
