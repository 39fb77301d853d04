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
            "syslog_facility = local3",
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
            "max_connections_per_user = 30",
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
            "userdb static",
        ),
        ("mail_plugins = mail_crypt", "mail_plugins mail_crypt"),
        ("plugin {\n zlib_save = bz2\n}", "plugin zlib_save"),
    ] {
        let proposal = propose(text, "test").unwrap();
        assert_eq!(fate(&proposal, setting), [Fate::Blocks], "{text}");
        proposal.text().unwrap();
    }
}

#[test]
fn lines_of_the_passwd_file_that_are_refused_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let users = dir.path().join("users");
    let lines = "# accounts\nann:{SSHA512.hex}00:1:1::/h\nbob:{MD5-CRYPT}$1$x:1:1::/h\n\
                 eve:{PLAIN}p:1:1::/h::nopassword=y\njoe::1:1::/h\n\
                 kim:{PLAIN}p:1:1::/h::userdb_mail=maildir:~/M:LAYOUT=fs\n";
    std::fs::write(&users, lines).unwrap();
    let users = users.display();
    let text = format!("passdb {{\n driver = passwd-file\n args = {users}\n}}");
    let proposal = propose(&text, "test").unwrap();
    let told = proposal
        .notes
        .iter()
        .filter(|n| n.setting.contains(" line "));
    let told: Vec<&str> = told
        .map(|n| n.text.split(": who").next().unwrap())
        .collect();
    assert_eq!(
        told,
        [
            "unsupported password scheme MD5-CRYPT",
            "unsupported field nopassword",
            "no password",
            "unsupported option LAYOUT of the mail location",
        ]
    );
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
