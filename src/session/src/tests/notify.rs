//! NOTIFY (RFC 5465).

use super::{Client, Site, compare};
use crate::{Progress, Settings};
use std::time::{Duration, Instant};

/// What is pushed now, line by line.
fn pushed(client: &mut Client, expected: &[&str]) {
    let got = client.push();
    compare("push", &got, expected);
}

/// Waits for a push, after somebody outside was at work.
fn wait(client: &mut Client) -> String {
    let start = Instant::now();
    loop {
        let got = client.push();
        if !got.is_empty() {
            return got;
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "nothing is pushed"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

const OTHERS: &str =
    "(personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))";

#[test]
fn other_mailboxes_are_told_of_between_commands() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    b.say("b CREATE x");
    a.expect(
        &format!("a NOTIFY SET {OTHERS}"),
        &["a OK Notify completed"],
    );
    pushed(&mut a, &[]);
    b.fill("x", 1);
    pushed(
        &mut a,
        &["* STATUS x (MESSAGES 1 UIDNEXT 2 UIDVALIDITY ..."],
    );
    b.say("b SELECT x");
    b.say("b STORE 1 +FLAGS.SILENT (\\Seen)");
    pushed(&mut a, &["* STATUS x (UIDVALIDITY ..."]);
    // Without CONDSTORE there is nothing to tell of other flags.
    b.say("b STORE 1 +FLAGS.SILENT (\\Flagged \\Deleted)");
    pushed(&mut a, &[]);
    b.say("b EXPUNGE");
    // Around commands as well.
    a.expect(
        "a NOOP",
        &[
            "* STATUS x (MESSAGES 0 UIDNEXT 2 ...",
            "a OK NOOP completed",
        ],
    );
    pushed(&mut a, &[]);
}

#[test]
fn condstore_has_its_numbers_told() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    b.say("b CREATE x");
    b.fill("x", 1);
    a.say("a ENABLE CONDSTORE");
    a.say(&format!("a NOTIFY SET {OTHERS}"));
    b.say("b SELECT x");
    b.say("b STORE 1 +FLAGS.SILENT (\\Flagged)");
    let got = a.push();
    assert!(got.starts_with("* STATUS x (UIDVALIDITY "), "{got}");
    assert!(got.contains(" UNSEEN 1 HIGHESTMODSEQ "), "{got}");
    assert!(!got.contains("MESSAGES"), "{got}");
}

#[test]
fn status_first() {
    let site = Site::new();
    let mut a = site.client();
    for name in ["x", "x/y", "z"] {
        a.say(&format!("a CREATE {name}"));
    }
    a.say("a SUBSCRIBE z");
    a.fill("x/y", 2);
    a.expect(
        "a NOTIFY SET STATUS (subtree x (MessageNew MessageExpunge)) (subscribed (MessageNew \
         MessageExpunge FlagChange)) (mailboxes (INBOX nobody) (MailboxName))",
        &[
            "* STATUS x (MESSAGES 0 UIDNEXT 1 UIDVALIDITY ...",
            "* STATUS x/y (MESSAGES 2 UIDNEXT 3 UIDVALIDITY ...",
            "* STATUS z (MESSAGES 0 UIDNEXT 1 UIDVALIDITY ...",
            "a OK Notify completed",
        ],
    );
    // Not of the selected mailbox.
    a.say("a SELECT z");
    a.expect(
        "a NOTIFY SET STATUS (subscribed (MessageNew MessageExpunge))",
        &["a OK Notify completed"],
    );
}

#[test]
fn names_and_subscriptions() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.say(&format!("a NOTIFY SET {OTHERS}"));
    b.say("b CREATE x");
    pushed(&mut a, &["* LIST (\\HasNoChildren) \"/\" x"]);
    b.say("b CREATE x/y");
    pushed(
        &mut a,
        &[
            "* LIST (\\HasNoChildren) \"/\" x/y",
            "* LIST (\\HasChildren) \"/\" x",
        ],
    );
    b.say("b SUBSCRIBE x");
    pushed(&mut a, &["* LIST (\\HasChildren \\Subscribed) \"/\" x"]);
    b.say("b RENAME x z");
    pushed(
        &mut a,
        &["* LIST (\\HasChildren) \"/\" z (\"OLDNAME\" (x))"],
    );
    b.say("b UNSUBSCRIBE x");
    pushed(&mut a, &["* LIST (\\NonExistent) \"/\" x"]);
    b.say("b DELETE z");
    pushed(&mut a, &["* LIST (\\NonExistent \\HasChildren) \"/\" z"]);
    b.say("b DELETE z/y");
    let got = a.push();
    assert!(
        got.starts_with("* LIST (\\NonExistent) \"/\" z/y\r\n"),
        "{got}"
    );
    // A client of IMAP4rev1 has its names in modified UTF-7.
    b.say("b CREATE B&AOQ-r");
    pushed(&mut a, &["* LIST (\\HasNoChildren) \"/\" B&AOQ-r"]);
}

#[test]
fn what_the_client_does_itself_is_no_news() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    b.say("b CREATE x");
    a.say(&format!(
        "a NOTIFY SET (selected (MessageNew (UID) MessageExpunge)) {OTHERS}"
    ));
    a.fill("x", 2);
    pushed(&mut a, &[]);
    a.expect("a CREATE x/y", &["a OK ..."]);
    a.expect("a SUBSCRIBE x/y", &["a OK ..."]);
    a.expect("a RENAME x/y q", &["a OK ..."]);
    a.expect("a DELETE q", &["a OK ..."]);
    a.expect("a UNSUBSCRIBE x/y", &["a OK ..."]);
    pushed(&mut a, &[]);
    a.say("a SELECT x");
    a.expect("a COPY 1 INBOX", &["a OK ..."]);
    pushed(&mut a, &[]);
    // In the selected mailbox it is counted, and not described.
    let message = "x: y\r\n\r\nz\r\n";
    a.expect(
        &format!("a APPEND x {{{}+}}\r\n{message}", message.len()),
        &["* 3 EXISTS", "* 3 RECENT", "a OK [APPENDUID ..."],
    );
    pushed(&mut a, &[]);
    b.fill("x", 1);
    pushed(&mut a, &["* 4 EXISTS", "* 4 RECENT", "* 4 FETCH (UID 4)"]);
}

#[test]
fn the_selected_mailbox_at_once() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    b.fill("INBOX", 3);
    a.say("a SELECT INBOX");
    a.expect(
        "a NOTIFY SET (selected (MessageNew (FLAGS BODY.PEEK[HEADER.FIELDS (Subject)]) \
         MessageExpunge FlagChange))",
        &["a OK Notify completed"],
    );
    b.say("b SELECT INBOX");
    b.say("b STORE 2 +FLAGS.SILENT (\\Deleted)");
    pushed(&mut a, &["* 2 FETCH (UID 2 FLAGS (\\Deleted \\Recent))"]);
    b.say("b EXPUNGE");
    pushed(&mut a, &["* 2 EXPUNGE"]);
    b.say("b UNSELECT");
    b.fill("INBOX", 1);
    pushed(
        &mut a,
        &[
            "* 3 EXISTS",
            "* 3 RECENT",
            "* 3 FETCH (UID 4 FLAGS (\\Recent) BODY[HEADER.FIELDS (Subject)] {15}",
            "Subject: m1",
            "",
            ")",
        ],
    );
    // In IDLE the same.
    a.say("a IDLE");
    b.fill("INBOX", 1);
    assert!(a.wake().contains("* 4 FETCH (UID 5 FLAGS (\\Recent) BODY["));
    a.expect("DONE", &["a OK Idle completed"]);
}

#[test]
fn expunges_can_wait_for_a_command() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    b.fill("INBOX", 3);
    a.say("a NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))");
    a.say("a SELECT INBOX");
    b.say("b SELECT INBOX");
    b.say("b STORE 1 +FLAGS.SILENT (\\Deleted)");
    b.say("b EXPUNGE");
    b.say("b STORE 1 +FLAGS.SILENT (\\Seen)");
    pushed(&mut a, &["* 2 FETCH (UID 2 FLAGS (\\Seen \\Recent))"]);
    a.expect(
        "a FETCH 2 UID",
        &["* 2 FETCH (UID 2)", "a OK Fetch completed"],
    );
    a.expect("a NOOP", &["* 1 EXPUNGE", "a OK NOOP completed"]);
    b.say("b STORE 1 +FLAGS.SILENT (\\Deleted)");
    b.say("b EXPUNGE");
    a.expect("a IDLE", &["* 1 EXPUNGE", "+ idling"]);
}

#[test]
fn what_is_not_wanted_of_the_selected_mailbox() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    b.fill("INBOX", 3);
    a.say("a SELECT INBOX");
    a.expect("a NOTIFY SET (personal (MailboxName))", &["a OK ..."]);
    b.say("b SELECT INBOX");
    b.say("b STORE 1 +FLAGS.SILENT (\\Deleted)");
    b.say("b STORE 2 +FLAGS.SILENT (\\Seen)");
    b.say("b EXPUNGE");
    b.fill("INBOX", 1);
    pushed(&mut a, &[]);
    a.expect("a NOOP", &["a OK NOOP completed"]);
    // The numbers stay what they were.
    a.expect(
        "a STORE 2 +FLAGS (\\Flagged)",
        &["* 2 FETCH (UID 2 FLAGS ...", "a OK Store completed"],
    );
    a.expect("a IDLE", &["+ idling"]);
    assert_eq!(a.wake(), "");
    a.expect("DONE", &["a OK Idle completed"]);
    // It is all told when it is wanted.
    b.say("b STORE 2 +FLAGS.SILENT (\\Answered)");
    a.expect("a NOOP", &["a OK NOOP completed"]);
    a.expect(
        "a NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))",
        &[
            "* 4 EXISTS",
            "* 3 RECENT",
            "* 2 FETCH (UID 2 FLAGS (\\Flagged \\Seen \\Recent))",
            "* 3 FETCH (UID 3 FLAGS (\\Answered \\Recent))",
            "* 1 EXPUNGE",
            "a OK Notify completed",
        ],
    );
}

#[test]
fn nothing_after_none() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    b.say("b CREATE x");
    a.say("a SELECT INBOX");
    a.say(&format!(
        "a NOTIFY SET (selected (MessageNew MessageExpunge)) {OTHERS}"
    ));
    assert!(a.session.pushes());
    a.expect("a NOTIFY NONE", &["a OK Notify completed"]);
    assert!(!a.session.pushes());
    b.fill("x", 1);
    b.fill("INBOX", 1);
    pushed(&mut a, &[]);
    a.expect("a NOOP", &["a OK NOOP completed"]);
}

#[test]
fn messages_never_told_are_not_told_as_gone() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 2);
    a.say("a SELECT INBOX");
    a.say("a NOTIFY NONE");
    let append = "b APPEND INBOX (\\Deleted) {6+}\r\nA: b\r\n";
    b.say(append);
    a.expect("a EXPUNGE", &["a OK Expunge completed"]);
    // Nor later, when what has been hidden comes out.
    b.fill("INBOX", 1);
    b.say("b SELECT INBOX");
    b.say(append);
    b.say("b STORE 1 +FLAGS.SILENT (\\Deleted)");
    a.expect("a EXPUNGE", &["* 1 EXPUNGE", "a OK Expunge completed"]);
    a.expect(
        "a NOTIFY SET (selected (MessageNew MessageExpunge))",
        &["* 2 EXISTS", "* 1 RECENT", "a OK Notify completed"],
    );
}

#[test]
fn messages_never_told_do_not_vanish_either() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 2);
    a.say("a ENABLE QRESYNC");
    a.say("a SELECT INBOX");
    a.say("a NOTIFY NONE");
    b.say("b APPEND INBOX (\\Deleted) {6+}\r\nA: b\r\n");
    a.say("a STORE 2 +FLAGS.SILENT (\\Deleted)");
    a.expect("a EXPUNGE", &["* VANISHED 2", "a OK [HIGHESTMODSEQ ..."]);
}

#[test]
fn others_flags_have_their_uid_within_commands_too() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 2);
    a.say("a SELECT INBOX");
    a.say("a NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))");
    b.say("b SELECT INBOX");
    let change = || drop(b.say("b STORE 1 +FLAGS.SILENT (\\Flagged)"));
    let got = a.say_while("a STORE 2 +FLAGS.SILENT (\\Seen)", change);
    assert!(got.contains("* 1 FETCH (UID 1 FLAGS (\\Flagged"), "{got}");
}

#[test]
fn all_that_has_happened_is_told_first() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 3);
    a.say("a SELECT INBOX");
    b.say("b SELECT INBOX");
    b.say("b STORE 1 +FLAGS.SILENT (\\Deleted)");
    b.say("b EXPUNGE");
    b.say("b STORE 1 +FLAGS.SILENT (\\Seen)");
    b.fill("INBOX", 1);
    a.expect(
        "a NOTIFY SET (selected NONE)",
        &[
            "* 1 EXPUNGE",
            "* 3 EXISTS",
            "* 2 RECENT",
            "* 1 FETCH (UID 2 FLAGS (\\Seen \\Recent))",
            "a OK Notify completed",
        ],
    );
    // What was hidden since then, too.
    b.say("b STORE 2 +FLAGS.SILENT (\\Deleted)");
    b.say("b EXPUNGE");
    b.fill("INBOX", 1);
    a.expect("a NOOP", &["a OK NOOP completed"]);
    a.expect(
        "a NOTIFY SET (personal (MailboxName))",
        &[
            "* 4 EXISTS",
            "* 2 RECENT",
            "* 2 EXPUNGE",
            "a OK Notify completed",
        ],
    );
}

#[test]
fn what_came_to_the_mailbox_that_is_left() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    b.say("b CREATE x");
    a.say("a SELECT x");
    a.say("a NOTIFY SET (selected NONE) (personal (MessageNew MessageExpunge))");
    b.fill("x", 1);
    pushed(&mut a, &[]);
    a.expect(
        "a UNSELECT",
        &[
            "* STATUS x (MESSAGES 1 UIDNEXT 2 ...",
            "a OK Unselect completed",
        ],
    );
    b.fill("x", 1);
    pushed(&mut a, &["* STATUS x (MESSAGES 2 UIDNEXT 3 ..."]);
    a.say("a SELECT x");
    a.expect("a CLOSE", &["a OK Close completed"]);
    pushed(&mut a, &[]);
}

#[test]
fn refusals() {
    let site = Site::new();
    let mut a = site.client();
    a.expect(
        "a NOTIFY SET (personal (AnnotationChange))",
        &["a NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)] ..."],
    );
    a.expect("a NOTIFY SET (personal (MessageNew))", &["a BAD ..."]);
    assert!(!a.session.pushes());
    let few = Site::with(Settings {
        max_notify: 2,
        ..Settings::default()
    });
    let (mut a, mut b) = (few.client(), few.client());
    a.say("a CREATE x");
    a.say("a NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))");
    b.say("b CREATE y");
    assert!(a.push().contains("* OK [NOTIFICATIONOVERFLOW] "));
    assert!(!a.session.pushes());
    a.expect(
        "a NOTIFY SET (personal (MessageNew MessageExpunge))",
        &["a NO [NOTIFICATIONOVERFLOW] ..."],
    );
    // Names alone need no watching of mailboxes.
    a.expect("a NOTIFY SET (personal (MailboxName))", &["a OK ..."]);
}

#[test]
fn deliveries_by_other_programs() {
    let site = Site::new();
    let mut a = site.client();
    a.say("a NOTIFY SET (inboxes (MessageNew MessageExpunge))");
    site.deliver("A: b\n\nc\n");
    assert!(wait(&mut a).starts_with("* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY "));
    a.say("a SELECT INBOX");
    a.say("a NOTIFY SET (selected (MessageNew (RFC822.SIZE) MessageExpunge))");
    site.deliver("A: b\n\nc\n");
    let got = wait(&mut a);
    compare(
        "push",
        &got,
        &[
            "* 2 EXISTS",
            "* 2 RECENT",
            "* 2 FETCH (UID 2 RFC822.SIZE 11)",
        ],
    );
}

#[test]
fn a_mailbox_that_cannot_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new();
    let mut a = site.client();
    a.say("a CREATE x");
    let other = site.second();
    let mut b = other.client();
    let folder = site.dir.path().join("Maildir/.x/cur");
    let mode = |mode| {
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o000);
    // Root reads everything.
    if std::fs::read_dir(&folder).is_err() {
        b.expect(
            "b NOTIFY SET STATUS (mailboxes x (MessageNew MessageExpunge))",
            &["* LIST (\\NoAccess) \"/\" x", "b OK Notify completed"],
        );
    }
    mode(0o700);
}

#[test]
fn many_new_messages_are_described_in_steps() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.say("a SELECT INBOX");
    a.say("a NOTIFY SET (selected (MessageNew (UID BODY.PEEK[]) MessageExpunge))");
    let text = "x".repeat(30_000);
    for _ in 0..10 {
        let message = format!("A: b\r\n\r\n{text}\r\n");
        b.say(&format!(
            "b APPEND INBOX {{{}+}}\r\n{message}",
            message.len()
        ));
    }
    let mut out = Vec::new();
    let (mut steps, mut total) = (0, 0);
    a.progress = a.session.changed(&mut out);
    while a.progress == Progress::More {
        total += out.len();
        steps += 1;
        out.clear();
        a.progress = a.session.step(&mut out);
    }
    assert!(steps >= 3 && total + out.len() > 300_000, "{steps}");
    assert_eq!(a.progress, Progress::Next);
}
