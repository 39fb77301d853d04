//! Messages with `$Service`, which most sessions are not shown, and with
//! `$Hidden`.

use super::sync::number;
use super::{Client, Site};
use crate::Settings;

/// A client that is shown all.
fn shows_all(site: &Site) -> Client {
    let mut client = site.client();
    client.expect(
        "e ENABLE X-ROOST-SHOWALL",
        &["* ENABLED X-ROOST-SHOWALL", "e OK Enabled"],
    );
    client
}

fn exists(client: &mut Client) -> u32 {
    let answer = client.say("s SELECT INBOX");
    let line = answer.lines().find(|line| line.ends_with(" EXISTS"));
    line.unwrap()[2..]
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

const STATUS: &str = "a STATUS INBOX (MESSAGES RECENT UIDNEXT UNSEEN DELETED SIZE INTERNALSIZE)";

#[test]
fn it_leaves_every_view_and_its_numbers() {
    let site = Site::new();
    let (mut a, mut b, mut all) = (site.client(), site.client(), shows_all(&site));
    a.fill("INBOX", 4);
    for client in [&mut a, &mut b, &mut all] {
        assert_eq!(exists(client), 4);
    }
    // STORE must not tell an expunge (RFC 9051 §7.5.1).
    a.expect(
        "a STORE 2 +FLAGS ($Service)",
        &[
            "* FLAGS (...",
            "* OK [PERMANENTFLAGS (...",
            "a OK Store completed",
        ],
    );
    a.expect(
        "a FETCH 2:3 UID",
        &[
            "* 2 FETCH (UID 2)",
            "* 3 FETCH (UID 3)",
            "a OK Fetch completed",
        ],
    );
    a.expect("a NOOP", &["* 2 EXPUNGE", "a OK NOOP completed"]);
    b.expect(
        "b NOOP",
        &[
            "* FLAGS (...",
            "* OK [PERMANENTFLAGS (...",
            "* 2 EXPUNGE",
            "b OK NOOP completed",
        ],
    );
    let told = all.say("c NOOP");
    assert!(told.contains("* 2 FETCH (FLAGS ($Service))"), "{told}");
    for client in [&mut a, &mut b] {
        client.expect(
            "a FETCH 1:* UID",
            &[
                "* 1 FETCH (UID 1)",
                "* 2 FETCH (UID 3)",
                "* 3 FETCH (UID 4)",
                "a OK Fetch completed",
            ],
        );
        client.expect("a FETCH 4 UID", &["a BAD No message has such a number"]);
        client.expect("a UID FETCH 2 (UID BODY.PEEK[])", &["a OK Fetch completed"]);
        client.expect(
            "a UID SEARCH OR UID 2 KEYWORD $Service",
            &["* SEARCH", "a OK Search completed"],
        );
        client.expect("a SEARCH ALL", &["* SEARCH 1 2 3", "a OK Search completed"]);
        client.expect(
            "a UID SEARCH TEXT body",
            &["* SEARCH 1 3 4", "a OK Search completed"],
        );
        client.expect(
            "a UID SORT (REVERSE SUBJECT) UTF-8 ALL",
            &["* SORT 4 3 1", "a OK Sort completed"],
        );
        client.expect(
            "a UID THREAD ORDEREDSUBJECT UTF-8 ALL",
            &["* THREAD (1)(3)(4)", "a OK Thread completed"],
        );
        client.expect(
            "a UID STORE 2 +FLAGS (\\Flagged)",
            &["a OK Store completed"],
        );
        client.expect("a UID COPY 2 INBOX", &["a OK ..."]);
        client.expect("a UID MOVE 2 INBOX", &["a OK ..."]);
    }
    all.expect(
        "c UID SEARCH KEYWORD $Service",
        &["* SEARCH 2", "c OK Search completed"],
    );
    assert_eq!(exists(&mut site.client()), 3);
    assert_eq!(exists(&mut shows_all(&site)), 4);
}

#[test]
fn counts_leave_it_out_and_what_the_mailbox_takes_does_not() {
    let site = Site::new();
    let (mut a, mut all) = (site.client(), shows_all(&site));
    a.fill("INBOX", 3);
    a.expect(
        STATUS,
        &[
            "* STATUS INBOX (MESSAGES 3 RECENT 3 UIDNEXT 4 UNSEEN 3 DELETED 0 SIZE 69 INTERNALSIZE 60)",
            "a OK Status completed",
        ],
    );
    let added = all.say("c APPEND INBOX ($Service \\Deleted) {7+}\r\nx:y\r\n\r\n");
    assert!(added.contains("c OK [APPENDUID "), "{added}");
    a.expect(
        STATUS,
        &[
            "* STATUS INBOX (MESSAGES 3 RECENT 3 UIDNEXT 5 UNSEEN 3 DELETED 0 SIZE 69 INTERNALSIZE 65)",
            "a OK Status completed",
        ],
    );
    all.expect(
        STATUS,
        &[
            "* STATUS INBOX (MESSAGES 4 RECENT 4 UIDNEXT 5 UNSEEN 4 DELETED 1 SIZE 76 INTERNALSIZE 65)",
            "a OK Status completed",
        ],
    );
    a.expect(
        "a LIST \"\" INBOX RETURN (STATUS (MESSAGES UNSEEN))",
        &[
            "* LIST (...",
            "* STATUS INBOX (MESSAGES 3 UNSEEN 3)",
            "a OK List completed",
        ],
    );
    a.expect(
        "a LIST (UNSEEN INTERNALSIZE) \"\" INBOX",
        &[
            "* LIST (\\HasNoChildren \\UNSEEN(3) \\INTERNALSIZE(65)) \"/\" INBOX",
            "a OK List completed",
        ],
    );
    // Those who do not see it do not expunge it.
    assert_eq!(exists(&mut a), 3);
    a.expect("a EXPUNGE", &["a OK Expunge completed"]);
    a.expect("a UID EXPUNGE 1:*", &["a OK Expunge completed"]);
    a.say("a CLOSE");
    assert_eq!(exists(&mut all), 4);
    all.expect("c EXPUNGE", &["* 4 EXPUNGE", "c OK Expunge completed"]);
}

#[test]
fn it_is_shown_again_to_those_who_select_the_mailbox_anew() {
    let site = Site::new();
    let (mut a, mut b, mut all) = (site.client(), site.client(), shows_all(&site));
    a.fill("INBOX", 3);
    assert_eq!(exists(&mut all), 3);
    all.say("c STORE 2 +FLAGS.SILENT ($Service)");
    assert_eq!((exists(&mut a), exists(&mut b)), (2, 2));
    all.say("c STORE 2 -FLAGS.SILENT ($Service)");
    // UIDs that are told rise: these clients have passed this one.
    let quiet = a.say("a NOOP");
    assert!(
        !quiet.contains("EXISTS") && !quiet.contains("EXPUNGE"),
        "{quiet}"
    );
    a.expect(
        "a FETCH 1:* UID",
        &[
            "* 1 FETCH (UID 1)",
            "* 2 FETCH (UID 3)",
            "a OK Fetch completed",
        ],
    );
    a.expect("a UID SEARCH UID 2", &["* SEARCH", "a OK Search completed"]);
    all.say("c APPEND INBOX {3+}\r\nx:y");
    for client in [&mut a, &mut b] {
        let told = client.say("a NOOP");
        assert!(told.contains("* 3 EXISTS\r\n"), "{told}");
        client.expect(
            "a UID SEARCH ALL",
            &["* SEARCH 1 3 4", "a OK Search completed"],
        );
    }
    assert_eq!(exists(&mut a), 4);
    a.expect(
        "a UID SEARCH ALL",
        &["* SEARCH 1 2 3 4", "a OK Search completed"],
    );
    // Again, in a view that has it.
    all.say("c STORE 2 +FLAGS.SILENT ($Service)");
    a.expect("a NOOP", &["* 2 EXPUNGE", "a OK NOOP completed"]);
    b.expect("b NOOP", &["b OK NOOP completed"]);
}

#[test]
fn it_vanishes_for_who_resynchronizes() {
    let site = Site::new();
    let (mut a, mut b, mut all) = (site.client(), site.client(), shows_all(&site));
    a.fill("INBOX", 4);
    let cache = b.select_qresync();
    let (validity, before) = (cache.validity, cache.modseq);
    assert_eq!(exists(&mut all), 4);
    all.say("c UID STORE 2:3 +FLAGS.SILENT ($Service)");
    let told = b.say("b NOOP");
    assert!(told.contains("* VANISHED 2:3\r\n"), "{told}");
    assert!(told.contains("b OK [HIGHESTMODSEQ "), "{told}");
    let since = number(&told, "[HIGHESTMODSEQ ");
    assert!(since > before);
    let command = format!("b UID FETCH 1:* (FLAGS) (CHANGEDSINCE {before} VANISHED)");
    b.expect(
        &command,
        &["* VANISHED (EARLIER) 2:3", "b OK Fetch completed"],
    );
    a.say("a ENABLE QRESYNC");
    for known in ["", " 1:3", " 1:4 (1,4 1,4)"] {
        let command = format!("a SELECT INBOX (QRESYNC ({validity} {before}{known}))");
        let told = a.say(&command);
        assert!(told.contains("* 2 EXISTS\r\n"), "{told}");
        assert!(told.contains("* VANISHED (EARLIER) 2:3\r\n"), "{told}");
        assert!(!told.contains("FETCH"), "{told}");
    }
    // It changes while it is away, and comes back.
    all.say("c UID STORE 2 -FLAGS.SILENT ($Service)");
    let told = a.say(&format!("a SELECT INBOX (QRESYNC ({validity} {since}))"));
    assert!(told.contains("* 3 EXISTS\r\n"), "{told}");
    assert!(told.contains("* 2 FETCH (UID 2 FLAGS ()"), "{told}");
}

#[test]
fn by_uids_alone() {
    let site = Site::new();
    let (mut a, mut all) = (site.client(), shows_all(&site));
    a.fill("INBOX", 3);
    a.say("a ENABLE UIDONLY");
    assert_eq!((exists(&mut a), exists(&mut all)), (3, 3));
    all.say("c STORE 3 +FLAGS ($Service)");
    a.expect(
        "a NOOP",
        &[
            "* FLAGS (...",
            "* OK [PERMANENTFLAGS (...",
            "* VANISHED 3",
            "a OK NOOP completed",
        ],
    );
    // `*` is the last one that is there.
    a.expect(
        "a UID FETCH * UID",
        &["* 2 UIDFETCH (UID 2)", "a OK Fetch completed"],
    );
}

#[test]
fn idle_and_notify_tell_it() {
    let site = Site::new();
    let (mut a, mut b, mut all) = (site.client(), site.client(), shows_all(&site));
    a.fill("INBOX", 3);
    assert_eq!((exists(&mut a), exists(&mut all)), (3, 3));
    a.say("a IDLE");
    b.expect(
        "b NOTIFY SET (personal (MessageNew MessageExpunge FlagChange))",
        &["b OK Notify completed"],
    );
    let mut shown = shows_all(&site);
    shown.say("d NOTIFY SET (personal (MessageNew MessageExpunge FlagChange))");
    all.say("c STORE 1 +FLAGS ($Service)");
    let told = a.wake();
    assert!(told.contains("* 1 EXPUNGE\r\n"), "{told}");
    let told = b.push();
    assert!(
        told.contains("* STATUS INBOX (MESSAGES 2 UIDNEXT 4 "),
        "{told}"
    );
    let told = shown.push();
    assert!(
        told.contains("* STATUS INBOX (MESSAGES 3 UIDNEXT 4 "),
        "{told}"
    );
    all.say("c STORE 1 -FLAGS ($Service)");
    let told = b.push();
    assert!(
        told.contains("* STATUS INBOX (MESSAGES 3 UIDNEXT 4 "),
        "{told}"
    );
    let told = a.wake();
    assert_eq!(told, "");
}

#[test]
fn all_is_shown_only_if_asked_for_before_a_mailbox_is_selected() {
    let site = Site::new();
    let mut client = site.client();
    client.fill("INBOX", 1);
    client.say("a SELECT INBOX");
    client.expect("a ENABLE EXTENSIONS", &["* ENABLED", "a OK Enabled"]);
    client.say("a STORE 1 +FLAGS ($Service)");
    client.expect("a NOOP", &["* 1 EXPUNGE", "a OK NOOP completed"]);
    client.say("a CLOSE");
    client.expect(
        "a ENABLE EXTENSIONS",
        &["* ENABLED EXTENSIONS", "a OK Enabled"],
    );
    assert_eq!(exists(&mut client), 1);
    let capability = client.say("a CAPABILITY");
    assert!(capability.contains(" X-ROOST-SHOWALL"), "{capability}");
}

#[test]
fn hidden_messages_are_shown_to_administrators() {
    let site = Site::with(Settings {
        hide_hidden: true,
        ..Settings::default()
    });
    let mut alice = site.client();
    alice.fill("INBOX", 3);
    alice.say("a SETACL INBOX bob lrsiwte");
    alice.say("a SETACL INBOX carol lra");
    assert_eq!(exists(&mut alice), 3);
    let mut bob = site.asker("bob");
    let selected = bob.say("b SELECT ~alice/INBOX");
    assert!(selected.contains("* 3 EXISTS"), "{selected}");
    alice.say("a STORE 2 +FLAGS ($Hidden)");
    alice.expect("a SEARCH ALL", &["* SEARCH 1 2 3", "a OK Search completed"]);
    let told = bob.say("b NOOP");
    assert!(told.contains("* 2 EXPUNGE\r\n"), "{told}");
    bob.expect(
        "b STATUS ~alice/INBOX (MESSAGES)",
        &[
            "* STATUS ~alice/INBOX (MESSAGES 2)",
            "b OK Status completed",
        ],
    );
    let mut carol = site.asker("carol");
    let selected = carol.say("c SELECT ~alice/INBOX");
    assert!(selected.contains("* 3 EXISTS"), "{selected}");
    // Rights that change: it is gone at once, and comes back with a SELECT.
    alice.say("a SETACL INBOX carol lr");
    let told = carol.say("c NOOP");
    assert!(told.contains("* 2 EXPUNGE\r\n"), "{told}");
    alice.say("a SETACL INBOX bob +a");
    let told = bob.say("b NOOP");
    assert!(!told.contains("EXISTS"), "{told}");
    let selected = bob.say("b SELECT ~alice/INBOX");
    assert!(selected.contains("* 3 EXISTS"), "{selected}");
    // Without the setting it is a keyword like others.
    let plain = Site::new();
    let mut alice = plain.client();
    alice.fill("INBOX", 1);
    alice.say("a SETACL INBOX bob lr");
    alice.say("a SELECT INBOX");
    alice.say("a STORE 1 +FLAGS ($Hidden)");
    let selected = plain.asker("bob").say("b SELECT ~alice/INBOX");
    assert!(selected.contains("* 1 EXISTS"), "{selected}");
}
