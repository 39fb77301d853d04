//! STORE, COPY, MOVE, EXPUNGE.

use super::Site;

const READ_ONLY: &str = "a NO [READ-ONLY] Mailbox is selected read-only";

#[test]
fn store_answers_with_the_new_flags() {
    let site = Site::new();
    let mut client = site.client();
    client.fill("INBOX", 3);
    client.say("a SELECT INBOX");
    client.expect(
        "a STORE 2:3 +FLAGS (\\Seen)",
        &[
            "* 2 FETCH (FLAGS (\\Seen \\Recent))",
            "* 3 FETCH (FLAGS (\\Seen \\Recent))",
            "a OK Store completed",
        ],
    );
    client.expect(
        "a UID STORE 3 FLAGS (\\Flagged $New)",
        &[
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $New)",
            "* OK [PERMANENTFLAGS ...",
            "* 3 FETCH (UID 3 FLAGS (\\Flagged $New \\Recent))",
            "a OK Store completed",
        ],
    );
    client.expect("a STORE 3 -FLAGS.SILENT ($new)", &["a OK Store completed"]);
    client.expect("a NOOP", &["a OK NOOP completed"]);
    client.expect(
        "a STORE 3 +FLAGS ()",
        &[
            "* 3 FETCH (FLAGS (\\Flagged \\Recent))",
            "a OK Store completed",
        ],
    );
    client.expect(
        "a STORE 4 +FLAGS ()",
        &["a BAD No message has such a number"],
    );
    client.expect("a UID STORE 4:9 +FLAGS (\\Seen)", &["a OK Store completed"]);
}

#[test]
fn rev2_names_uids_and_no_recent() {
    let site = Site::new();
    let mut client = site.client_rev2();
    client.fill("INBOX", 1);
    client.say("a SELECT INBOX");
    client.expect(
        "a STORE * FLAGS (\\Draft)",
        &["* 1 FETCH (UID 1 FLAGS (\\Draft))", "a OK Store completed"],
    );
}

#[test]
fn expunge_tells_the_highest_number_first() {
    let site = Site::new();
    let mut client = site.client();
    client.fill("INBOX", 5);
    client.say("a SELECT INBOX");
    client.say("a STORE 1:2,5 +FLAGS.SILENT (\\Deleted)");
    client.expect(
        "a UID EXPUNGE 2:4",
        &["* 2 EXPUNGE", "a OK Expunge completed"],
    );
    client.expect(
        "a EXPUNGE",
        &["* 4 EXPUNGE", "* 1 EXPUNGE", "a OK Expunge completed"],
    );
    client.expect("a EXPUNGE", &["a OK Expunge completed"]);
    assert_eq!(client.session.counters().deleted, 3);
    assert_eq!(client.session.counters().expunged, 3);
}

#[test]
fn close_expunges_in_silence_and_unselect_does_not() {
    let site = Site::new();
    let mut client = site.client();
    client.fill("INBOX", 2);
    client.say("a SELECT INBOX");
    client.say("a STORE 1 +FLAGS.SILENT (\\Deleted)");
    client.expect("a UNSELECT", &["a OK Unselect completed"]);
    client.expect(
        "a STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 2)", "a OK Status completed"],
    );
    client.say("a EXAMINE INBOX");
    client.expect("a CLOSE", &["a OK Close completed"]);
    client.say("a SELECT INBOX");
    client.expect("a CLOSE", &["a OK Close completed"]);
    client.expect(
        "a STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 1)", "a OK Status completed"],
    );
}

#[test]
fn copies_have_uids() {
    let site = Site::new();
    let mut client = site.client();
    client.fill("INBOX", 3);
    client.say("a SELECT INBOX");
    client.expect("a COPY 1 x", &["a NO [TRYCREATE] No such mailbox"]);
    client.say("a CREATE x");
    let answer = client.say("a COPY 2:3 x");
    assert!(answer.starts_with("a OK [COPYUID "), "{answer}");
    assert!(answer.ends_with(" 2:3 1:2] Copy completed\r\n"), "{answer}");
    client.expect("a UID COPY 9 x", &["a OK No messages to copy"]);
    client.expect("a COPY 9 x", &["a BAD No message has such a number"]);
    client.expect(
        "a COPY 1 INBOX",
        &["* 4 EXISTS", "* 4 RECENT", "a OK [COPYUID ..."],
    );
}

#[test]
fn moves_tell_uids_before_the_messages_go() {
    let site = Site::new();
    let mut client = site.client();
    client.fill("INBOX", 3);
    client.say("a CREATE x");
    client.say("a SELECT INBOX");
    let answer = client.say("a MOVE 1,3 x");
    let mut lines = answer.split_terminator("\r\n");
    let code = lines.next().unwrap();
    assert!(code.starts_with("* OK [COPYUID "), "{answer}");
    assert!(code.ends_with(" 1,3 1:2] Moved"), "{answer}");
    let rest: Vec<_> = lines.collect();
    assert_eq!(rest, ["* 3 EXPUNGE", "* 1 EXPUNGE", "a OK Move completed"]);
    client.say("a EXAMINE x");
    client.expect("a MOVE 1 INBOX", &[READ_ONLY]);
}
