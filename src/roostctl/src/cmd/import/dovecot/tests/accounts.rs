//! Who gets in, as before.

use super::super::super::proposal::Fate;
use super::super::propose;
use super::{fate, lines, text_of};

const PAM: &str = "passdb {\n driver = pam\n}\nuserdb {\n driver = passwd\n}\n\
                   mail_location = maildir:~/Maildir\n";

/// Two checks that must both pass do not become one of them.
#[test]
fn conditions_of_a_passdb_are_told_and_it_is_not_asked() {
    for (condition, setting) in [
        ("result_success = continue", "passdb pam result_success"),
        ("result_failure = return-fail", "passdb pam result_failure"),
        (
            "override_fields = allow_nets=10.0.0.0/8",
            "passdb pam override_fields",
        ),
        ("default_fields = nologin", "passdb pam default_fields"),
        ("username_filter = !*@*", "passdb pam username_filter"),
        ("mechanisms = cram-md5", "passdb pam mechanisms"),
        ("skip = authenticated", "passdb pam skip"),
        ("fields {\n nologin = yes\n}", "passdb pam fields"),
        ("passdb_new_thing = 1", "passdb pam new_thing"),
    ] {
        let text = format!("passdb {{\n driver = pam\n {condition}\n}}\n");
        let proposal = propose(&text, "test").unwrap();
        assert_eq!(fate(&proposal, setting), [Fate::Blocks], "{text}");
        let text = proposal.text().unwrap();
        let lines = lines(&text);
        assert!(lines.contains(&"backend = passwd-file"), "{text}");
        assert!(lines.contains(&"passwd_file = /etc/roost/users"), "{text}");
    }
    let text = "passdb {\n driver = pam\n name = x\n skip = never\n result_success = return-ok\n}";
    assert!(lines(&text_of(text)).contains(&"backend = pam"));
}

/// PAM would let in accounts of the system that never got in.
#[test]
fn where_no_passdb_can_be_asked_nobody_gets_in() {
    for text in [
        "passdb {\n driver = sql\n args = /etc/sql\n}",
        "passdb {\n driver = passwd-file\n args = /etc/users.%d\n}",
        "passdb ldap {\n ldap_bind = yes\n}",
        "listen = 127.0.0.1",
    ] {
        let proposal = propose(text, "test").unwrap();
        assert_eq!(fate(&proposal, "passdb"), [Fate::Blocks], "{text}");
        let text = proposal.text().unwrap();
        assert!(lines(&text).contains(&"backend = passwd-file"), "{text}");
        assert!(text.contains("# blocks: passdb: "), "{text}");
    }
}

#[test]
fn masters_are_who_they_were() {
    let master = "auth_master_user_separator = *\npassdb {\n args = /etc/masters\n driver = \
                  passwd-file\n master = yes\n result_success = continue\n}\n";
    let proposal = propose(&format!("{master}{PAM}"), "test").unwrap();
    assert!(!proposal.loses(), "{:#?}", proposal.notes);
    let text = proposal.text().unwrap();
    for line in ["master_passwd_file = /etc/masters", "backend = pam"] {
        assert!(lines(&text).contains(&line), "{text}");
    }
    let narrow = master.replace("master = yes", "master = yes\n mechanisms = plain");
    let text = text_of(&format!("{narrow}{PAM}"));
    assert!(!text.contains("master_passwd_file"), "{text}");
    let other = master.replace("separator = *", "separator = +");
    let proposal = propose(&format!("{other}{PAM}"), "test").unwrap();
    let separator = fate(&proposal, "auth_master_user_separator");
    assert_eq!(separator, [Fate::Missing]);
}

#[test]
fn fields_of_a_userdb_and_homes_lead_to_mail() {
    let file = "passdb {\n driver = passwd-file\n args = /u\n}\nuserdb {\n driver = passwd-file\n \
                args = /u\n override_fields = home=/srv/%n\n}\nmail_home = /srv/mail/%n\n\
                mail_uid = vmail\n";
    let proposal = propose(file, "test").unwrap();
    for (setting, fate_wanted) in [
        ("userdb passwd-file override_fields", Fate::Blocks),
        ("mail_home", Fate::Kept),
        ("mail_uid", Fate::Kept),
    ] {
        assert_eq!(fate(&proposal, setting), [fate_wanted], "{setting}");
    }
    let text = proposal.text().unwrap();
    assert!(
        text.contains("mail_uid = vmail\nmail_home = /srv/mail/%n\n"),
        "{text}"
    );
    let proposal = propose(&format!("{PAM}mail_home = /srv/mail/%n\n"), "test").unwrap();
    assert_eq!(fate(&proposal, "mail_home"), [Fate::Needless]);
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

/// Virtual accounts as they are mostly kept: passwords in a file, all else
/// the same for everybody.
#[test]
fn a_static_userdb_is_in_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let users = dir.path().join("users");
    let lines = "ann@b.c:{PLAIN}p\nbob@b.c:{PLAIN}p:vmail:vmail::/srv/b.c/bob\n\
                 eve@b.c:{PLAIN}p:0\nkim@b.c:{PLAIN}p:::::: userdb_mail=maildir:/m\n";
    std::fs::write(&users, lines).unwrap();
    let users = users.display();
    let passdb = format!("passdb {{\n driver = passwd-file\n args = {users}\n}}\n");
    let old = "userdb {\n driver = static\n args = uid=vmail gid=vmail \
               home=/srv/%d/%Ln allow_all_users=yes\n}\nmail_location = maildir:~/Maildir\n";
    let new = "userdb static {\n fields {\n uid = vmail\n gid = vmail\n \
               home = /srv/%{user|domain}/%{user|username}\n }\n}\n";
    for userdb in [old, new] {
        let proposal = propose(&format!("{passdb}{userdb}"), "test").unwrap();
        let text = proposal.text().unwrap();
        let keys = "mail_uid = vmail\nmail_gid = vmail\nmail_home = /srv/%d/%n\n";
        assert!(text.contains(keys), "{text}");
        let of_line = |n: u8| fate(&proposal, &format!("{users} line {n}"));
        assert!(of_line(1).is_empty() && of_line(2).is_empty());
        assert_eq!(of_line(3), [Fate::Blocks]);
        assert_eq!(of_line(4), [Fate::Blocks]);
        assert!(fate(&proposal, "userdb static").is_empty(), "{text}");
    }
    // Without a home, where mail is.
    let homeless =
        "userdb {\n driver = static\n args = uid=5000 gid=5000 quota_rule=*:bytes=1G\n}\n";
    let text = format!("{passdb}{homeless}mail_location = maildir:/srv/%d/%n\n");
    let proposal = propose(&text, "test").unwrap();
    assert!(
        proposal
            .text()
            .unwrap()
            .contains("mail_home = /srv/%d/%n\n")
    );
    assert_eq!(fate(&proposal, "userdb static"), [Fate::Blocks]);
    let proposal = propose(&format!("{passdb}{homeless}"), "test").unwrap();
    assert_eq!(
        fate(&proposal, "userdb static"),
        [Fate::Blocks, Fate::Blocks]
    );
    // Accounts of PAM would keep their own.
    let proposal = propose(&format!("{PAM}{old}"), "test").unwrap();
    assert!(fate(&proposal, "userdb static").contains(&Fate::Blocks));
    assert_eq!(fate(&proposal, "userdb static home"), [Fate::Blocks]);
}
