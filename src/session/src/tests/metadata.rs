//! METADATA (RFC 5464), classes of mailboxes, and what LIST and STATUS tell of
//! them.

use super::Site;
use crate::Settings;

#[test]
fn annotations_of_a_mailbox() {
    let site = Site::new();
    let mut client = site.client();
    client.expect(
        "a SETMETADATA INBOX (/private/comment \"My own\" /SHARED/Comment {3+}\r\na\r\n)",
        &["a OK Setmetadata completed"],
    );
    client.expect(
        "a GETMETADATA INBOX (/shared/comment /private/comment /private/none)",
        &[
            "* METADATA INBOX (/shared/comment {3}",
            "a",
            " /private/comment \"My own\")",
            "a OK Getmetadata completed",
        ],
    );
    client.expect(
        "a GETMETADATA (MAXSIZE 3 DEPTH infinity) INBOX (/shared /private)",
        &[
            "* METADATA INBOX (/shared/comment {3}",
            "a",
            ")",
            "a OK [METADATA LONGENTRIES 6] Getmetadata completed",
        ],
    );
    client.say("a SETMETADATA INBOX (/private/comment NIL)");
    client.expect(
        "a GETMETADATA INBOX /private/comment",
        &["a OK Getmetadata completed"],
    );
    client.expect(
        "a GETMETADATA nowhere /private/comment",
        &["a NO [NONEXISTENT] No such mailbox"],
    );
}

#[test]
fn annotations_go_where_the_mailbox_goes() {
    let site = Site::new();
    let mut client = site.client();
    client.say("a CREATE a");
    client.say("a SETMETADATA a (/shared/comment x)");
    client.say("a SETMETADATA a (/shared/comment \"x\")");
    client.say("a RENAME a b");
    client.expect(
        "a GETMETADATA b /shared/comment",
        &[
            "* METADATA b (/shared/comment \"x\")",
            "a OK Getmetadata completed",
        ],
    );
    client.say("a DELETE b");
    client.say("a CREATE b");
    client.expect(
        "a GETMETADATA b /shared/comment",
        &["a OK Getmetadata completed"],
    );
    client.say("a SETMETADATA INBOX (/shared/comment \"in\")");
    client.say("a RENAME INBOX old");
    for name in ["INBOX", "old"] {
        client.expect(
            &format!("a GETMETADATA {name} /shared/comment"),
            &[
                &format!("* METADATA {name} (/shared/comment \"in\")"),
                "a OK Getmetadata completed",
            ],
        );
    }
}

#[test]
fn limits_and_what_is_the_servers() {
    let site = Site::with(Settings {
        admin: Some("mailto:root@example.org".into()),
        ..Settings::default()
    });
    let mut client = site.client();
    let large = "x".repeat((64 << 10) + 1);
    client.expect(
        &format!(
            "a SETMETADATA INBOX (/shared/a \"1\" /shared/b {{{}+}}\r\n{large})",
            large.len()
        ),
        &["a NO [METADATA MAXSIZE 65536] Value is too large"],
    );
    for n in 0..100 {
        client.say(&format!("a SETMETADATA INBOX (/shared/x{n} \"1\")"));
    }
    client.expect(
        "a SETMETADATA INBOX (/shared/y \"1\")",
        &["a NO [METADATA TOOMANY] Too many annotations"],
    );
    client.expect(
        "a GETMETADATA INBOX (/shared/a /shared/y)",
        &["a OK Getmetadata completed"],
    );
    client.expect(
        "a GETMETADATA (DEPTH infinity) \"\" /shared",
        &[
            "* METADATA \"\" (/shared/admin \"mailto:root@example.org\")",
            "a OK Getmetadata completed",
        ],
    );
    client.expect(
        "a SETMETADATA \"\" (/shared/comment \"1\")",
        &["a NO [NOPERM] ..."],
    );
    client.expect(
        "a SETMETADATA \"\" (/private/vendor/x/y \"1\")",
        &["a OK Setmetadata completed"],
    );
    client.expect(
        "a GETMETADATA \"\" /private/vendor/x/y",
        &[
            "* METADATA \"\" (/private/vendor/x/y \"1\")",
            "a OK Getmetadata completed",
        ],
    );
}

#[test]
fn mailboxes_for_something_else_than_mail() {
    let site = Site::new();
    let mut client = site.client();
    client.say("a CREATE People (CLASS \"IPF.Contact\")");
    client.say("a CREATE Mail");
    client.expect(
        "a LIST \"\" *",
        &[
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* LIST (\\HasNoChildren) \"/\" Mail",
            "a OK List completed",
        ],
    );
    client.expect(
        "a LIST \"\" People",
        &[
            "* LIST (\\HasNoChildren) \"/\" People",
            "a OK List completed",
        ],
    );
    client.expect(
        "a LIST (CLASS UNSEEN INTERNALSIZE) \"\" %e%",
        &[
            "* LIST (\\HasNoChildren CLASS(\"IPF.Contact\") \\UNSEEN(0) \\INTERNALSIZE(0)) \"/\" People",
            "a OK List completed",
        ],
    );
    client.expect(
        "a LIST \"\" (People Mail) RETURN (CLASS UNSEEN)",
        &[
            "* LIST (\\HasNoChildren) \"/\" Mail (\"UNSEEN\" (0))",
            "* LIST (\\HasNoChildren) \"/\" People (\"CLASS\" (\"IPF.Contact\") \"UNSEEN\" (0))",
            "a OK List completed",
        ],
    );
    client.say("a SUBSCRIBE People");
    client.expect(
        "a LSUB \"\" *",
        &["* LSUB () \"/\" People", "a OK Lsub completed"],
    );
    client.expect(
        "a ENABLE X-ROOST-SHOWALL",
        &["* ENABLED X-ROOST-SHOWALL", "a OK Enabled"],
    );
    client.expect(
        "a LIST \"\" P*",
        &[
            "* LIST (\\HasNoChildren) \"/\" People",
            "a OK List completed",
        ],
    );
    client.expect(
        "a SETMETADATA People (/shared/vendor/roost/class NIL)",
        &["a OK Setmetadata completed"],
    );
    let mut other = site.client();
    other.expect(
        "a LIST \"\" P*",
        &[
            "* LIST (\\HasNoChildren) \"/\" People",
            "a OK List completed",
        ],
    );
    other.expect(
        "a SETMETADATA People (/shared/vendor/roost/class \"IPF.Task\" /private/specialuse \"\\\\Archive\")",
        &["a OK Setmetadata completed"],
    );
    other.expect(
        "a GETMETADATA (DEPTH infinity) People (/shared /private)",
        &[
            "* METADATA People (/shared/vendor/roost/class \"IPF.Task\" /private/specialuse \"\\\\Archive\")",
            "a OK Getmetadata completed",
        ],
    );
}

/// RFC 5464 §4.3: all of it or nothing.
#[test]
fn what_is_refused_has_changed_nothing() {
    let site = Site::new();
    let mut client = site.client();
    client.say("a CREATE Mail (CLASS \"IPF.Note\")");
    let stuck = site.dir.path().join("Maildir/roost-folders.tmp");
    std::fs::create_dir(&stuck).unwrap();
    let change = "a SETMETADATA Mail (/shared/comment \"1\" /shared/vendor/roost/class \"IPF.Task\" \
                  /private/specialuse \"\\\\Archive\")";
    let answer = client.say(change);
    assert!(answer.starts_with("a NO "), "{answer}");
    let answer = client.say("a CREATE New (CLASS \"IPF.Note\")");
    assert!(answer.starts_with("a NO "), "{answer}");
    std::fs::remove_dir(&stuck).unwrap();
    let as_before = |client: &mut super::Client| {
        client.expect(
            "a GETMETADATA (DEPTH infinity) Mail (/shared /private)",
            &[
                "* METADATA Mail (/shared/vendor/roost/class \"IPF.Note\")",
                "a OK Getmetadata completed",
            ],
        );
    };
    as_before(&mut client);
    client.expect("a LIST \"\" New", &["a OK List completed"]);
    // It is the annotations that are too many.
    for n in 0..100 {
        client.say(&format!("a SETMETADATA Mail (/shared/x{n} \"1\")"));
    }
    client.expect(change, &["a NO [METADATA TOOMANY] Too many annotations"]);
    for n in 0..100 {
        client.say(&format!("a SETMETADATA Mail (/shared/x{n} NIL)"));
    }
    as_before(&mut client);
    client.expect(change, &["a OK Setmetadata completed"]);
}

#[test]
fn a_locked_mailbox_can_only_be_read() {
    let site = Site::new();
    let mut client = site.client();
    client.say("a CREATE Minutes");
    client.fill("Minutes", 2);
    client.say("a SELECT Minutes");
    let name = roost_types::MailboxName::parse("Minutes", '/').unwrap();
    site.account.set_locked(&name, true).unwrap();
    client.expect(
        "a STORE 1 +FLAGS (\\Seen)",
        &["* FLAGS ...", "* OK [PERMANENTFLAGS ()] ...", "a NO ..."],
    );
    client.expect("a EXPUNGE", &["a NO [NOPERM] Permission denied"]);
    client.expect("a DELETE Minutes", &["a NO [NOPERM] Permission denied"]);
    client.expect(
        "a APPEND Minutes {6+}\r\na: b\r\n",
        &["a NO [NOPERM] Permission denied"],
    );
    client.say("a SELECT INBOX");
    let selected = client.say("a SELECT Minutes");
    assert!(
        selected.ends_with("a OK [READ-ONLY] Select completed\r\n"),
        "{selected}"
    );
    client.expect(
        "a FETCH 1 FLAGS",
        &["* 1 FETCH (FLAGS (...", "a OK Fetch completed"],
    );
    site.account.set_locked(&name, false).unwrap();
    let selected = client.say("a SELECT Minutes");
    assert!(
        selected.ends_with("a OK [READ-WRITE] Select completed\r\n"),
        "{selected}"
    );
}

#[test]
fn more_items_of_status() {
    let site = Site::new();
    let mut client = site.client();
    client.expect(
        "a STATUS INBOX (INTERNALSIZE OLDEST UNSEENMEDIA)",
        &[
            "* STATUS INBOX (INTERNALSIZE 0 UNSEENMEDIA 0)",
            "a OK Status completed",
        ],
    );
    for (flags, date) in [
        ("$Media", "24-Feb-2002 07:59:42 +0000"),
        ("$Media \\Seen", "23-Feb-2002 08:59:42 +0100"),
        ("", "25-Feb-2002 07:59:42 +0000"),
    ] {
        client.say(&format!(
            "a APPEND INBOX ({flags}) \"{date}\" {{6+}}\r\na: b\r\n"
        ));
    }
    client.expect(
        "a STATUS INBOX (UNSEEN OLDEST INTERNALSIZE UNSEENMEDIA)",
        &[
            "* STATUS INBOX (UNSEEN 2 OLDEST \"23-Feb-2002 07:59:42 +0000\" INTERNALSIZE 15 UNSEENMEDIA 1)",
            "a OK Status completed",
        ],
    );
}
