//! SELECT and the commands on mailboxes as a whole.

use super::Site;

#[test]
fn select_describes_the_mailbox() {
    let site = Site::new();
    let mut client = site.client();
    client.fill("INBOX", 2);
    client.expect(
        "a SELECT inbox",
        &[
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags permitted",
            "* 2 EXISTS",
            "* 2 RECENT",
            "* OK [UNSEEN 1] First unseen",
            "* OK [UIDVALIDITY ...",
            "* OK [UIDNEXT 3] Predicted next UID",
            "* OK [MAILBOXID (...",
            "* OK [HIGHESTMODSEQ ...",
            "a OK [READ-WRITE] Select completed",
        ],
    );
}

#[test]
fn select_in_rev2_lists_and_closes() {
    let site = Site::new();
    let mut client = site.client_rev2();
    client.say("a CREATE b/c");
    client.expect(
        "a SELECT b/c",
        &[
            "* FLAGS (...",
            "* OK [PERMANENTFLAGS ...",
            "* 0 EXISTS",
            "* OK [UIDVALIDITY ...",
            "* OK [UIDNEXT 1] Predicted next UID",
            "* OK [MAILBOXID (...",
            "* OK [HIGHESTMODSEQ ...",
            "* LIST (\\HasNoChildren) \"/\" b/c",
            "a OK [READ-WRITE] Select completed",
        ],
    );
    client.expect(
        "a SELECT nope",
        &[
            "* OK [CLOSED] Previous mailbox is closed",
            "a NO [NONEXISTENT] No such mailbox",
        ],
    );
    client.expect("a CHECK", &["a BAD No mailbox selected"]);
}

#[test]
fn examine_changes_nothing() {
    let site = Site::new();
    site.deliver("A: b\n\nc\n");
    let mut client = site.client();
    let answer = client.say("a EXAMINE INBOX");
    assert!(answer.contains("* 1 RECENT\r\n"), "{answer}");
    assert!(answer.contains("* OK [PERMANENTFLAGS ()]"), "{answer}");
    assert!(answer.ends_with("a OK [READ-ONLY] Examine completed\r\n"));
    client.expect(
        "a STORE 1 +FLAGS (\\Seen)",
        &["a NO [READ-ONLY] Mailbox is selected read-only"],
    );
    client.expect(
        "a EXPUNGE",
        &["a NO [READ-ONLY] Mailbox is selected read-only"],
    );
    client.expect("a CLOSE", &["a OK Close completed"]);
    let answer = client.say("a SELECT INBOX");
    assert!(answer.contains("* 1 RECENT\r\n"), "{answer}");
    let answer = site.client().say("a SELECT INBOX");
    assert!(answer.contains("* 0 RECENT\r\n"), "{answer}");
}

#[test]
fn create_delete_rename() {
    let site = Site::new();
    let mut client = site.client();
    client.expect(
        "a CREATE INBOX",
        &["a NO [ALREADYEXISTS] Mailbox already exists"],
    );
    client.expect("a CREATE a", &["a OK [MAILBOXID (..."]);
    client.expect(
        "a CREATE a",
        &["a NO [ALREADYEXISTS] Mailbox already exists"],
    );
    client.expect(
        "a CREATE \"x//y\"",
        &["a NO [CANNOT] Not a possible mailbox name"],
    );
    client.expect(
        "a CREATE &AGE-",
        &["a NO [CANNOT] Mailbox name is not validly encoded"],
    );
    client.expect("a RENAME a b", &["a OK Rename completed"]);
    client.expect("a RENAME a c", &["a NO [NONEXISTENT] No such mailbox"]);
    client.expect("a DELETE a", &["a NO [NONEXISTENT] No such mailbox"]);
    client.expect("a DELETE INBOX", &["a NO [CANNOT] Not possible with INBOX"]);
    client.expect("a DELETE b", &["a OK Delete completed"]);
}

#[test]
fn directories_without_messages() {
    let site = Site::new();
    let mut client = site.client();
    client.expect("a CREATE dir/", &["a OK Create completed"]);
    client.expect(
        "a LIST \"\" dir",
        &[
            "* LIST (\\Noselect \\HasNoChildren) \"/\" dir",
            "a OK List completed",
        ],
    );
    client.expect(
        "a SELECT dir",
        &["a NO [NONEXISTENT] Name holds no messages"],
    );
    client.expect("a CREATE dir", &["a OK [MAILBOXID (..."]);
    let answer = client.say("a SELECT dir");
    assert!(
        answer.ends_with("a OK [READ-WRITE] Select completed\r\n"),
        "{answer}"
    );
}

#[test]
fn special_uses() {
    let site = Site::new();
    let mut client = site.client();
    client.expect("a CREATE s (USE (\\Sent))", &["a OK [MAILBOXID (..."]);
    client.expect("a CREATE t (USE (\\All))", &["a NO [USEATTR] ..."]);
    client.expect("a CREATE t (USE (\\Xyz))", &["a NO [USEATTR] ..."]);
    client.expect("a CREATE t (USE (\\Sent \\Junk))", &["a NO [USEATTR] ..."]);
    client.expect(
        "a LIST (SPECIAL-USE) \"\" *",
        &[
            "* LIST (\\HasNoChildren \\Sent) \"/\" s",
            "a OK List completed",
        ],
    );
}

#[test]
fn the_selected_mailbox_is_deleted() {
    let site = Site::new();
    let mut client = site.client();
    client.say("a CREATE x");
    client.say("a SELECT x");
    client.expect(
        "a DELETE x",
        &[
            "* OK [CLOSED] Selected mailbox is closed",
            "a OK Delete completed",
        ],
    );
    client.expect("a CHECK", &["a BAD No mailbox selected"]);
}

#[test]
fn names_are_made_canonical() {
    let site = Site::new();
    let mut client = site.client_rev2();
    client.expect(
        "a CREATE \"Ba\u{308}r\"",
        &[
            "* LIST () \"/\" \"Bär\" (\"OLDNAME\" (\"Ba\u{308}r\"))",
            "a OK [MAILBOXID (...",
        ],
    );
    let answer = client.say("a SELECT \"Ba\u{308}r\"");
    assert!(
        answer.contains("* LIST (\\HasNoChildren) \"/\" \"Bär\" (\"OLDNAME\" (\"Ba\u{308}r\"))"),
        "{answer}"
    );
    let mut old = site.client();
    old.expect(
        "a STATUS B&AOQ-r (MESSAGES)",
        &["* STATUS B&AOQ-r (MESSAGES 0)", "a OK Status completed"],
    );
    old.expect(
        "a STATUS \"Bär\" (MESSAGES)",
        &["a NO [CANNOT] Mailbox name is not validly encoded"],
    );
}

#[test]
fn courier_names() {
    let site = Site::courier();
    let mut client = site.client();
    client.expect("a CREATE INBOX.Work.New", &["a OK [MAILBOXID (..."]);
    client.expect("a CREATE Work", &["a NO [NONEXISTENT] ..."]);
    client.expect(
        "a LIST \"\" *",
        &[
            "* LIST (\\HasChildren) \".\" INBOX",
            "* LIST (\\Noselect \\HasChildren) \".\" INBOX.Work",
            "* LIST (\\HasNoChildren) \".\" INBOX.Work.New",
            "a OK List completed",
        ],
    );
    client.expect(
        "a LIST \"\" %",
        &["* LIST (\\HasChildren) \".\" INBOX", "a OK List completed"],
    );
    client.expect(
        "a LIST \"\" \"\"",
        &["* LIST (\\Noselect) \".\" \"\"", "a OK List completed"],
    );
    assert!(site.dir.path().join("Maildir/.Work.New/cur").is_dir());
}

#[test]
fn status_counts() {
    let site = Site::new();
    let mut client = site.client();
    client.fill("INBOX", 3);
    client.say("a SELECT INBOX");
    client.say("a STORE 1 +FLAGS.SILENT (\\Seen)");
    client.say("a STORE 2 +FLAGS.SILENT (\\Deleted)");
    client.expect(
        "a STATUS INBOX (SIZE DELETED UNSEEN UIDNEXT MESSAGES)",
        &[
            "* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UNSEEN 2 DELETED 1 SIZE 69)",
            "a OK Status completed",
        ],
    );
    client.expect(
        "a STATUS nope (MESSAGES)",
        &["a NO [NONEXISTENT] No such mailbox"],
    );
}

#[test]
fn rev2_is_told_the_old_name() {
    let site = Site::new();
    let mut client = site.client_rev2();
    client.say("a CREATE x");
    client.expect(
        "a RENAME x \"y z\"",
        &[
            "* LIST (\\HasNoChildren) \"/\" \"y z\" (\"OLDNAME\" (x))",
            "a OK Rename completed",
        ],
    );
}
