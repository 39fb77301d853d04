//! UIDONLY (RFC 9586).

use super::Site;

#[test]
fn messages_are_named_by_uids_alone() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 3);
    b.say("b SELECT INBOX");
    a.expect("a ENABLE UIDONLY", &["* ENABLED UIDONLY", "a OK Enabled"]);
    let selected = a.say("a SELECT INBOX");
    assert!(selected.contains("* 3 EXISTS"), "{selected}");
    assert!(!selected.contains("[UNSEEN"), "{selected}");
    a.expect(
        "a UID FETCH 2 (FLAGS)",
        &["* 2 UIDFETCH (FLAGS ())", "a OK Fetch completed"],
    );
    a.expect(
        "a UID FETCH 2 (UID RFC822.SIZE)",
        &["* 2 UIDFETCH (UID 2 RFC822.SIZE...", "a OK Fetch completed"],
    );
    // \Seen is set on the way.
    a.expect(
        "a UID FETCH 2 (BODY[TEXT])",
        &[
            "* 2 UIDFETCH (FLAGS (\\Seen) BODY[TEXT] {8}",
            "body 2",
            ")",
            "a OK Fetch completed",
        ],
    );
    a.expect(
        "a UID STORE 3 +FLAGS (\\Flagged)",
        &["* 3 UIDFETCH (FLAGS (\\Flagged))", "a OK Store completed"],
    );
    b.say("b UID STORE 1 +FLAGS.SILENT (\\Deleted)");
    a.expect(
        "a NOOP",
        &["* 1 UIDFETCH (FLAGS (\\Deleted))", "a OK NOOP completed"],
    );
    b.say("b EXPUNGE");
    a.expect("a NOOP", &["* VANISHED 1", "a OK NOOP completed"]);
    a.expect(
        "a UID SEARCH UID 1:* FLAGGED",
        &["* SEARCH 3", "a OK Search completed"],
    );
    a.expect("a UID SEARCH RETURN (SAVE) ALL", &["a OK Search completed"]);
    a.expect(
        "a UID SEARCH $ SEEN",
        &["* SEARCH 2", "a OK Search completed"],
    );
}

#[test]
fn message_numbers_are_refused() {
    let site = Site::new();
    let mut a = site.client();
    a.fill("INBOX", 2);
    a.say("a ENABLE UIDONLY QRESYNC");
    a.say("a SELECT INBOX");
    for command in [
        "FETCH 1 FLAGS",
        "STORE 1 +FLAGS (x)",
        "SEARCH ALL",
        "COPY 1 INBOX",
        "MOVE 1 INBOX",
        "SORT (DATE) UTF-8 ALL",
        "THREAD REFERENCES UTF-8 ALL",
        "UID SORT (DATE) UTF-8 1",
        "UID THREAD REFERENCES UTF-8 NOT 1:2",
        "REPLACE 1 INBOX {3+}\r\nx:y",
        "UID SEARCH 1",
        "UID SEARCH OR NOT 1:* SEEN",
        "SELECT INBOX (QRESYNC (1 1 1 (1 1)))",
    ] {
        a.expect(
            &format!("a {command}"),
            &["a BAD [UIDREQUIRED] UIDONLY is enabled: only UIDs name messages"],
        );
    }
    // The mailbox is still selected.
    a.expect(
        "a UID FETCH 1 UID",
        &["* 1 UIDFETCH (UID 1)", "a OK Fetch completed"],
    );
}
