//! REPLACE (RFC 8508).

use super::{Client, Site};
use crate::{End, Progress, Settings};

const NEW: &str = "Subject: new\r\n\r\nbody\r\n";

/// A command with [`NEW`] as its literal.
fn with_new(start: &str) -> String {
    format!("{start} {{{}+}}\r\n{NEW}", NEW.len())
}

fn selected(site: &Site, count: u32) -> Client {
    let mut client = site.client();
    client.fill("INBOX", count);
    client.say("a SELECT INBOX");
    client
}

fn count(client: &mut Client, mailbox: &str) -> String {
    client.say(&format!("a STATUS {mailbox} (MESSAGES UIDNEXT)"))
}

#[test]
fn a_draft_gets_a_new_text() {
    let site = Site::new();
    let mut client = selected(&site, 3);
    let start = format!("a REPLACE 2 INBOX (\\Seen \\Draft) {{{}}}", NEW.len());
    client.expect(&start, &["+ OK"]);
    client.expect(
        NEW,
        &[
            "* OK [APPENDUID ...",
            "* 2 EXPUNGE",
            "* 3 EXISTS",
            "* 3 RECENT",
            "a OK Replace completed",
        ],
    );
    client.expect(
        "a UID FETCH 1:* (FLAGS RFC822.SIZE)",
        &[
            "* 1 FETCH (UID 1 FLAGS (\\Recent) ...",
            "* 2 FETCH (UID 3 FLAGS (\\Recent) ...",
            "* 3 FETCH (UID 4 FLAGS (\\Seen \\Draft \\Recent) RFC822.SIZE 22)",
            "a OK Fetch completed",
        ],
    );
}

#[test]
fn the_last_message_and_another_mailbox() {
    let site = Site::new();
    let mut client = selected(&site, 2);
    client.say("a CREATE Sent");
    client.expect(
        &with_new("a UID REPLACE * Sent \" 7-Feb-1994 22:43:04 -0800\""),
        &[
            "* OK [APPENDUID ...",
            "* 2 EXPUNGE",
            "a OK Replace completed",
        ],
    );
    assert!(count(&mut client, "Sent").contains("(MESSAGES 1 UIDNEXT 2)"));
    let counters = client.session.counters();
    assert_eq!((counters.appended, counters.expunged), (3, 1));
}

#[test]
fn what_cannot_be_replaced_stays() {
    let site = Site::new();
    site.client().expect(
        &with_new("a REPLACE 1 INBOX"),
        &["a BAD No mailbox selected"],
    );
    let mut client = selected(&site, 1);
    for (start, answer) in [
        ("a REPLACE 2 INBOX", "a BAD No message has such a number"),
        ("a UID REPLACE 2 INBOX", "a NO [NONEXISTENT] ..."),
        ("a REPLACE 1 nope", "a NO [TRYCREATE] No such mailbox"),
        ("a REPLACE 1 INBOX (\\Nope)", "a BAD ..."),
        ("a REPLACE 1:2 INBOX", "a BAD ..."),
        ("a REPLACE 1", "a BAD ..."),
    ] {
        client.expect(&with_new(start), &[answer]);
    }
    client.expect("a REPLACE 1 INBOX", &["a BAD ..."]);
    client.expect(
        "a REPLACE 1 INBOX {0+}\r\n",
        &["a NO Append cancelled: empty message"],
    );
    client.expect(
        "a REPLACE 1 INBOX {1+}\r\nx {1+}\r\ny",
        &["a BAD Too many messages in one command"],
    );
    assert!(count(&mut client, "INBOX").contains("(MESSAGES 1 UIDNEXT 2)"));
    client.say("a EXAMINE INBOX");
    client.expect(&with_new("a REPLACE 1 INBOX"), &["a NO [READ-ONLY] ..."]);
}

#[test]
fn a_message_that_others_removed_is_not_replaced() {
    let site = Site::new();
    let mut other = selected(&site, 2);
    let mut client = selected(&site, 0);
    // Before the command, and while its literal is on its way.
    let start = format!("a REPLACE 1 INBOX {{{}}}", NEW.len());
    client.expect(&start, &["+ OK"]);
    other.say("b STORE 1 +FLAGS (\\Deleted)");
    other.say("b EXPUNGE");
    client.expect(
        NEW,
        &[
            "* 1 EXPUNGE",
            "a NO [EXPUNGEISSUED] Some of the messages have been deleted",
        ],
    );
    other.say("b STORE 1 +FLAGS (\\Deleted)");
    other.say("b EXPUNGE");
    client.expect(
        &with_new("a REPLACE 1 INBOX"),
        &[
            "* 1 EXPUNGE",
            "a NO [EXPUNGEISSUED] Some of the messages have been deleted",
        ],
    );
    assert!(count(&mut client, "INBOX").contains("(MESSAGES 0 "));
}

#[test]
fn what_is_too_large_is_told_before_the_connection_ends() {
    let site = Site::with(Settings {
        max_message_size: 10,
        ..Settings::default()
    });
    let mut client = site.client();
    client.say("a APPEND INBOX {1+}\r\nx");
    client.say("a SELECT INBOX");
    client.expect(
        "a REPLACE 1 INBOX {11}",
        &["a NO [TOOBIG] Message is too large"],
    );
    client.expect(
        "a REPLACE 1 INBOX {99999999999+}\r\nx",
        &[
            "a NO [TOOBIG] Message is too large",
            "* BYE Too much data in a refused command",
        ],
    );
    assert_eq!(client.progress, Progress::End(End::Protocol));
}
