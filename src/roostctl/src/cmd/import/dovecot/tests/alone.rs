//! What is set for IMAP alone, as doveconf prints it.

use super::super::super::proposal::Fate;
use super::super::propose;
use super::{fate, lines, text_of};

/// What is stricter for IMAP than for others stays so.
#[test]
fn settings_of_imap_count_before_those_of_all() {
    let text = text_of(
        "disable_plaintext_auth = no
first_valid_uid = 1000
mail_plugins = acl
passdb {
  driver = pam
}
plugin {
  quota = maildir:User quota
}
protocol imap {
  disable_plaintext_auth = yes
  mail_plugins = acl quota
  plugin {
    quota_rule = *:storage=1G
  }
  ssl = required
  ssl_cert = </c.pem
  ssl_key = </k.pem
}
protocol !pop3 {
  first_valid_uid = 3000
}
",
    );
    for line in [
        "cleartext = tls-only",
        "certificate = /c.pem",
        "minimum_uid = 3000",
        "storage = 1G",
    ] {
        assert!(lines(&text).contains(&line), "{line}:\n{text}");
    }
}

#[test]
fn what_is_not_known_of_imap_is_no_needless_thing() {
    for (inner, setting, expected) in [
        (
            "auth_verbose_x = yes",
            "protocol imap auth_verbose_x",
            vec![Fate::Blocks],
        ),
        ("login_x = 1", "protocol imap login_x", vec![Fate::Blocks]),
        (
            "ssl_cipher_list = x",
            "protocol imap ssl_cipher_list",
            vec![Fate::Blocks],
        ),
        (
            "thing here {\n a = 1\n}",
            "protocol imap thing",
            vec![Fate::Blocks],
        ),
        (
            "imap_idle_notify_interval = 1",
            "protocol imap imap_idle_notify_interval",
            vec![],
        ),
        ("login_greeting = Hi", "login_greeting", vec![Fate::Missing]),
        (
            "passdb {\n driver = sql\n name =\n}",
            "passdb sql",
            vec![Fate::Blocks],
        ),
        (
            "namespace {\n prefix = x/\n separator = /\n}",
            "namespace",
            vec![Fate::Blocks, Fate::Kept],
        ),
    ] {
        let text = format!("protocol imap {{\n {inner}\n}}\n");
        let proposal = propose(&text, "test").unwrap();
        let mut told = fate(&proposal, setting);
        told.dedup();
        assert_eq!(told, expected, "{text}{:?}", proposal.notes);
    }
    for (text, setting, expected) in [
        (
            "local_name a {\n ssl = required\n}",
            "local_name a ssl",
            Fate::Blocks,
        ),
        (
            "remote 192.0.2.1 {\n ssl = required\n}",
            "remote 192.0.2.1",
            Fate::Blocks,
        ),
        (
            "local ::1 {\n disable_plaintext_auth = no\n}",
            "local ::1",
            Fate::Missing,
        ),
    ] {
        let proposal = propose(text, "test").unwrap();
        assert_eq!(fate(&proposal, setting), [expected], "{text}");
    }
}

/// 2.4.1 prints some settings as blocks.
#[test]
fn blocks_of_2_4_are_read() {
    let text = "ssl = required
ssl_server {
  cert_file = /etc/dovecot/private/dovecot.pem
  key_file = /etc/dovecot/private/dovecot.key
}
auth_mechanisms {
  plain = yes
  cram-md5 = yes
}
login_trusted_networks {
  10.0.0.0/8 = yes
}
service imap-login {
  inet_listener imap {
    listen {
      192.0.2.1 = yes
    }
  }
}
";
    let proposal = propose(text, "test").unwrap();
    assert_eq!(fate(&proposal, "auth_mechanisms"), [Fate::Missing]);
    let text = proposal.text().unwrap();
    for line in [
        "certificate = /etc/dovecot/private/dovecot.pem",
        "key = /etc/dovecot/private/dovecot.key",
        "trusted_networks = 127.0.0.0/8, ::1/128, 10.0.0.0/8",
        "imap = 192.0.2.1:143",
    ] {
        assert!(lines(&text).contains(&line), "{line}:\n{text}");
    }
}
