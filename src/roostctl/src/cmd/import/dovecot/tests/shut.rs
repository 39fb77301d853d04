//! Who or what was kept out is kept out, or it is told.

use super::super::super::proposal::Fate;
use super::super::propose;
use super::{fate, lines, text_of};

const PAM: &str = "passdb {\n driver = pam\n}\n";

fn starts(text: &str) -> bool {
    !text.contains("passwd_file = /etc/roost/users")
}

/// What is refused first, and what may refuse first, leaves no open rest.
#[test]
fn a_passdb_that_refuses_is_not_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("denied");
    std::fs::write(&file, "# gone\neve\n\nbob@example.org:\n").unwrap();
    let deny = |args: &str| {
        format!("passdb {{\n args = {args}\n deny = yes\n driver = passwd-file\n}}\n{PAM}")
    };
    let text = text_of(&deny(&file.display().to_string()));
    assert!(
        lines(&text).contains(&"deny_users = eve, bob@example.org"),
        "{text}"
    );
    assert!(lines(&text).contains(&"backend = pam"), "{text}");

    std::fs::write(&file, "eve, bob\n").unwrap();
    for args in [
        file.display().to_string(),
        "/nowhere/denied".to_owned(),
        "/etc/denied.%d".to_owned(),
        format!("username_format=%n {}", file.display()),
    ] {
        let proposal = propose(&deny(&args), "test").unwrap();
        let told = fate(&proposal, "passdb passwd-file deny");
        assert_eq!(told, [Fate::Blocks], "{args}");
        assert!(!starts(&proposal.text().unwrap()), "{args}");
    }
    for first in [
        "driver = pam\n deny = yes",
        "driver = lua\n result_failure = return-fail",
        "driver = sql",
        "driver = passwd-file\n args = /etc/users.%d\n result_failure = return-fail",
    ] {
        let text = text_of(&format!("passdb {{\n {first}\n}}\n{PAM}"));
        assert!(!starts(&text), "{first}:\n{text}");
    }
    assert!(starts(&text_of(PAM)));
}

#[test]
fn no_password_is_enough_where_none_was() {
    for (setting, text) in [
        (
            "auth_ssl_require_client_cert",
            "auth_ssl_require_client_cert = yes",
        ),
        ("auth_mechanisms", "auth_mechanisms = gssapi"),
        ("auth_mechanisms", "auth_mechanisms {\n external = yes\n}"),
    ] {
        let proposal = propose(&format!("{PAM}{text}\n"), "test").unwrap();
        assert!(fate(&proposal, setting).contains(&Fate::Blocks), "{text}");
        assert!(!starts(&proposal.text().unwrap()), "{text}");
    }
    assert!(starts(&text_of(&format!(
        "{PAM}auth_mechanisms = cram-md5 external\n"
    ))));
    let script = "service imap {\n executable = imap imap-postlogin\n}\n";
    let proposal = propose(script, "test").unwrap();
    assert_eq!(fate(&proposal, "service imap executable"), [Fate::Blocks]);
}

/// Roost does not ask whether a mailbox lets the master in.
#[test]
fn masters_were_bound_by_rights() {
    let master = "mail_plugins = acl\npassdb {\n args = /etc/masters\n driver = passwd-file\n \
                  master = yes\n}\n";
    let told = |text: &str| {
        let proposal = propose(&format!("{master}{PAM}{text}"), "test").unwrap();
        fate(&proposal, "passdb passwd-file master")
    };
    assert_eq!(told(""), [Fate::Kept, Fate::Blocks]);
    assert_eq!(told("plugin {\n acl_user = %u\n}\n"), [Fate::Kept]);
    let field = "userdb {\n default_fields = master_user=%u\n driver = passwd\n}\n";
    assert_eq!(told(field), [Fate::Kept]);
}

#[test]
fn doors_are_as_safe_as_they_were() {
    let text = "service imap-login {\n inet_listener imap {\n  port = 1143\n  ssl = yes\n }\n}\n\
                ssl_min_protocol = LATEST\nlisten = ::1\n";
    let text = text_of(text);
    for line in [
        "imap =",
        "imaps = [::1]:1143, [::1]:993",
        "min_version = 1.3",
    ] {
        assert!(lines(&text).contains(&line), "{line}:\n{text}");
    }
    for protocols in ["protocols = pop3 lmtp", "protocols {\n lmtp = yes\n}"] {
        let proposal = propose(protocols, "test").unwrap();
        assert_eq!(fate(&proposal, "protocols"), [Fate::Blocks]);
        let text = proposal.text().unwrap();
        assert!(lines(&text).contains(&"imap = 127.0.0.1:143"), "{text}");
        assert!(lines(&text).contains(&"imaps ="), "{text}");
    }
}

/// Stopping Dovecot would stop others.
#[test]
fn who_else_asks_dovecot_is_told() {
    let text = "service auth {\n unix_listener /var/spool/postfix/private/auth {\n  mode = 0660\n \
                }\n unix_listener auth-userdb {\n  mode = 0600\n }\n}\n";
    let proposal = propose(text, "test").unwrap();
    let told = proposal
        .notes
        .iter()
        .filter(|n| n.setting.starts_with("service auth"));
    let told: Vec<_> = told.map(|n| (n.setting.as_str(), n.fate)).collect();
    let name = "service auth unix_listener /var/spool/postfix/private/auth";
    assert_eq!(told, [(name, Fate::Missing)]);
}

/// Roost knows such accounts without their domain.
#[test]
fn names_without_a_domain_and_paths_with_one() {
    let file = "passdb {\n args = username_format=%n /u\n driver = passwd-file\n}\n";
    let realm = "auth_default_realm = example.org\n";
    for (accounts, path, told) in [
        (format!("{file}{realm}"), "/srv/%d/%n", true),
        (file.to_owned(), "/srv/%u", true),
        (format!("{file}{realm}"), "/srv/%n", false),
        (
            format!("{file}{realm}auth_username_format = %Ln\n"),
            "/srv/%u",
            false,
        ),
        (format!("{PAM}{realm}"), "/srv/%u", true),
        (PAM.to_owned(), "/srv/%u", false),
    ] {
        let text = format!("{accounts}mail_location = maildir:{path}\n");
        let proposal = propose(&text, "test").unwrap();
        let expected = if told { vec![Fate::Blocks] } else { vec![] };
        assert_eq!(fate(&proposal, "maildir"), expected, "{text}");
    }
}

#[test]
fn no_value_of_a_passdb_is_told() {
    let text = "passdb {\n driver = pam\n default_fields = proxy=y pass=SECRET\n fields {\n  pass = \
                SECRET\n }\n}\n";
    let proposal = propose(text, "test").unwrap();
    assert!(!format!("{:?}", proposal.notes).contains("SECRET"));
    assert!(!proposal.text().unwrap().contains("SECRET"));
}

#[test]
fn limits_that_are_not_known_are_told() {
    let quota = |inner: &str| {
        format!("mail_plugins = quota\nplugin {{\n quota = count:User\n {inner}\n}}\n")
    };
    let text = text_of(&quota("quota_max_mail_size = 50M"));
    assert!(lines(&text).contains(&"max_message_size = 50M"), "{text}");
    for (key, expected) in [
        ("quota2_rule", Fate::Missing),
        ("quota2", Fate::Missing),
        ("quota_vsizes", Fate::Needless),
    ] {
        let proposal = propose(&quota(&format!("{key} = *:storage=1G")), "test").unwrap();
        assert_eq!(fate(&proposal, key), [expected], "{key}");
    }
    let newer = "mail_plugins {\n quota = yes\n}\nquota User {\n storage_size = 1G\n \
                 quota_storage_percentage = 90\n}\n";
    let proposal = propose(newer, "test").unwrap();
    let told = fate(&proposal, "quota User quota_storage_percentage");
    assert_eq!(told, [Fate::Missing]);
    assert!(lines(&proposal.text().unwrap()).contains(&"storage = 1G"));
}

/// Dovecot may have found an mbox.
#[test]
fn mail_that_dovecot_looks_for_itself_is_told() {
    let proposal = propose(PAM, "test").unwrap();
    assert_eq!(fate(&proposal, "mail_location"), [Fate::Blocks]);
}
