//! Several sessions on one mailbox (RFC 2180), and other programs.

use super::Site;
use crate::job::{STEP_MESSAGES, STEP_OCTETS};
use crate::{End, Progress};

#[test]
fn changes_come_with_the_next_command() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 2);
    a.say("a SELECT INBOX");
    b.say("b SELECT INBOX");
    b.say("b STORE 2 +FLAGS ($x)");
    a.expect(
        "a NOOP",
        &[
            "* FLAGS (...",
            "* OK [PERMANENTFLAGS ...",
            "* 2 FETCH (FLAGS ($x \\Recent))",
            "a OK NOOP completed",
        ],
    );
    b.fill("INBOX", 1);
    a.expect(
        "a CHECK",
        &["* 3 EXISTS", "* 2 RECENT", "a OK Check completed"],
    );
    a.expect("a NOOP", &["a OK NOOP completed"]);
}

#[test]
fn silent_store_is_echoed_only_where_others_changed_too() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 2);
    a.say("a SELECT INBOX");
    b.say("b SELECT INBOX");
    b.say("b STORE 1 +FLAGS.SILENT (\\Answered)");
    a.expect(
        "a STORE 1:2 +FLAGS.SILENT (\\Seen)",
        &[
            "* 1 FETCH (FLAGS (\\Answered \\Seen \\Recent))",
            "a OK Store completed",
        ],
    );
    b.expect(
        "b NOOP",
        &[
            "* 1 FETCH (FLAGS (\\Answered \\Seen))",
            "* 2 FETCH (FLAGS (\\Seen))",
            "b OK NOOP completed",
        ],
    );
}

#[test]
fn numbers_stay_valid_until_the_expunge_is_told() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 4);
    a.say("a SELECT INBOX");
    b.say("b SELECT INBOX");
    b.say("b STORE 2 +FLAGS.SILENT (\\Deleted)");
    b.expect("b EXPUNGE", &["* 2 EXPUNGE", "b OK Expunge completed"]);
    b.fill("INBOX", 1);
    // STORE by number holds the EXPUNGE back; number 3 is still UID 3.
    a.expect(
        "a STORE 2:3 +FLAGS (\\Flagged)",
        &[
            "* 5 EXISTS",
            "* 4 RECENT",
            "* 3 FETCH (FLAGS (\\Flagged \\Recent))",
            "a NO [EXPUNGEISSUED] Some of the messages have been deleted",
        ],
    );
    a.expect(
        "a STORE 3 +FLAGS (\\Seen)",
        &[
            "* 3 FETCH (FLAGS (\\Flagged \\Seen \\Recent))",
            "a OK Store completed",
        ],
    );
    a.expect("a NOOP", &["* 2 EXPUNGE", "a OK NOOP completed"]);
    a.expect(
        "a STORE 2 +FLAGS (\\Draft)",
        &[
            "* 2 FETCH (FLAGS (\\Flagged \\Seen \\Draft \\Recent))",
            "a OK Store completed",
        ],
    );
}

#[test]
fn what_is_gone_is_not_copied() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 2);
    a.say("a CREATE x");
    a.say("a SELECT INBOX");
    b.say("b SELECT INBOX");
    b.say("b STORE 1 +FLAGS.SILENT (\\Deleted)");
    b.say("b EXPUNGE");
    a.expect(
        "a COPY 1:2 x",
        &[
            "* 1 EXPUNGE",
            "a NO [EXPUNGEISSUED] Some of the messages have been deleted",
        ],
    );
    a.expect(
        "a STATUS x (MESSAGES)",
        &["* STATUS x (MESSAGES 0)", "a OK Status completed"],
    );
}

#[test]
fn what_is_gone_meanwhile_keeps_no_other_from_being_copied_by_uid() {
    let site = Site::new();
    let mut a = site.client();
    a.fill("INBOX", 4);
    a.say("a CREATE x");
    a.say("a SELECT INBOX");
    let copied = a.say_while("a UID COPY 1:4 x", || site.remove("body 1"));
    let ok = copied.contains("a OK [COPYUID ") && copied.contains(" 2:4 1:3] Copy completed");
    assert!(ok, "{copied}");
    let none = a.say_while("a UID COPY 2 x", || site.remove("body 2"));
    assert!(none.contains("a OK No messages to copy"), "{none}");
    let number = a.say_while("a COPY 1:2 x", || site.remove("body 3"));
    assert!(number.contains("a NO [EXPUNGEISSUED] "), "{number}");
    let moved = a.say_while("a UID MOVE 3:4 x", || ());
    let ok = moved.contains("* OK [COPYUID ") && moved.contains(" 4 4] Moved");
    assert!(ok, "{moved}");
}

#[test]
fn a_copy_in_steps_is_whole_or_not_at_all() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 5);
    a.say("a CREATE x");
    a.say("a SELECT INBOX");
    let mut count = |wanted: u32| {
        let line = format!("* STATUS x (MESSAGES {wanted})");
        b.expect("b STATUS x (MESSAGES)", &[&line, "b OK Status completed"]);
    };
    let copied = a.say("a COPY 1:5 x");
    assert!(copied.contains(" 1:5 1:5] Copy completed"), "{copied}");
    count(5);
    let failed = a.say_after_step("a COPY 1:5 x", || {
        count(7);
        site.remove("body 5");
    });
    assert!(failed.contains("a NO [EXPUNGEISSUED] "), "{failed}");
    count(5);
    a.begin("a COPY 1:4 x");
    count(7);
    drop(a);
    count(5);
}

#[test]
fn idle_tells_at_once() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client_rev2());
    a.fill("INBOX", 2);
    a.say("a SELECT INBOX");
    b.say("b SELECT INBOX");
    b.expect("b IDLE", &["+ idling"]);
    let mut watch = b.session.watch().unwrap();
    watch.mark_unchanged();
    a.say("a STORE 1 +FLAGS.SILENT (\\Deleted)");
    a.say("a EXPUNGE");
    a.fill("INBOX", 1);
    a.say("a STORE 1 +FLAGS.SILENT (\\Seen)");
    assert!(watch.has_changed().unwrap());
    assert_eq!(
        b.wake(),
        "* 1 EXPUNGE\r\n* 2 EXISTS\r\n* 1 FETCH (UID 2 FLAGS (\\Seen))\r\n"
    );
    assert_eq!(b.wake(), "");
    b.expect("DONE", &["b OK Idle completed"]);
}

#[test]
fn deliveries_by_other_programs() {
    let site = Site::new();
    let mut a = site.client();
    a.say("a SELECT INBOX");
    site.deliver("A: b\n\nc\n");
    a.expect(
        "a NOOP",
        &["* 1 EXISTS", "* 1 RECENT", "a OK NOOP completed"],
    );
}

#[test]
fn recent_goes_to_one_session() {
    let site = Site::new();
    site.deliver("A: b\n\nc\n");
    let (mut a, mut b) = (site.client(), site.client());
    assert!(a.say("a SELECT INBOX").contains("* 1 RECENT"));
    assert!(b.say("b SELECT INBOX").contains("* 0 RECENT"));
    b.expect(
        "b STORE 1 FLAGS ()",
        &["* 1 FETCH (FLAGS ())", "b OK Store completed"],
    );
}

#[test]
fn a_mailbox_deleted_by_others_ends_the_session() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.say("a CREATE x");
    a.say("a SELECT x");
    b.expect("b DELETE x", &["b OK Delete completed"]);
    a.expect("a NOOP", &["* BYE Selected mailbox was deleted"]);
    assert_eq!(a.progress, Progress::End(End::Fatal));
}

#[test]
fn a_renamed_mailbox_stays_selected() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.say("a CREATE x");
    a.fill("x", 1);
    a.say("a SELECT x");
    b.expect("b RENAME x y", &["b OK Rename completed"]);
    a.expect(
        "a STORE 1 FLAGS (\\Seen)",
        &[
            "* 1 FETCH (FLAGS (\\Seen \\Recent))",
            "a OK Store completed",
        ],
    );
}

/// More messages than one step of STORE takes.
fn many(site: &Site) -> u32 {
    let count = u32::try_from(STEP_MESSAGES).unwrap() * 3 + 10;
    for _ in 0..count {
        site.deliver("x\n");
    }
    count
}

#[test]
fn many_changes_are_told_in_pieces() {
    let site = Site::new();
    let count = many(&site);
    let (mut a, mut b) = (site.client(), site.client());
    a.say("a SELECT INBOX");
    b.say("b SELECT INBOX");
    a.expect(
        "a STORE 1:* +FLAGS.SILENT (\\Seen)",
        &["a OK Store completed"],
    );
    b.framer.push(b"b NOOP\r\n");
    let frame = b.framer.next_frame().unwrap();
    let (mut answer, mut piece) = (Vec::new(), Vec::new());
    let mut progress = b.session.take(frame, &mut piece);
    while progress == Progress::More {
        assert!(piece.len() < STEP_OCTETS + 100);
        answer.append(&mut piece);
        progress = b.session.step(&mut piece);
    }
    answer.append(&mut piece);
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.len() > STEP_OCTETS);
    assert_eq!(
        answer.matches(" FETCH (FLAGS (\\Seen))\r\n").count() as u32,
        count
    );
    assert!(answer.ends_with("b OK NOOP completed\r\n"));
}

/// RFC 6851 §3.3; RFC 9051 §6.4.8: one COPYUID, before the messages go.
#[test]
fn many_messages_are_moved_in_pieces() {
    let site = Site::new();
    let count = many(&site) + many(&site);
    let mut a = site.client();
    a.say("a CREATE x");
    a.say("a SELECT INBOX");
    a.framer.push(b"a MOVE 1:* x\r\n");
    let frame = a.framer.next_frame().unwrap();
    let mut answer = Vec::new();
    let (mut progress, mut moving) = (a.session.take(frame, &mut answer), 0);
    while progress == Progress::More {
        progress = a.session.step(&mut answer);
        moving +=
            u32::from(a.session.activity().look().status == "moving messages" && answer.is_empty());
    }
    // The command begins, and two pieces are moved at least.
    assert!(moving >= 3, "{moving}");
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("* OK [COPYUID "), "{answer:.100}");
    assert!(answer.contains(&format!(" 1:{count} 1:{count}] Moved\r\n")));
    assert_eq!(answer.matches(" EXPUNGE\r\n").count() as u32, count);
    assert!(answer.ends_with("a OK Move completed\r\n"));
}

#[test]
fn what_others_change_before_its_turn_is_told_when_it_has_come() {
    let site = Site::new();
    let count = many(&site);
    let (mut a, mut b) = (site.client(), site.client());
    a.say("a SELECT INBOX");
    b.say("b SELECT INBOX");
    a.framer.push(b"a STORE 1:* +FLAGS.SILENT (\\Seen)\r\n");
    let frame = a.framer.next_frame().unwrap();
    let mut answer = Vec::new();
    let mut progress = a.session.take(frame, &mut answer);
    // The command begins, and its first piece is carried out.
    for _ in 0..2 {
        assert_eq!(progress, Progress::More);
        progress = a.session.step(&mut answer);
    }
    let first = format!("b STORE 1,{count} +FLAGS.SILENT (\\Flagged)");
    assert!(b.say(&first).contains("b OK "));
    while progress == Progress::More {
        progress = a.session.step(&mut answer);
    }
    let answer = String::from_utf8(answer).unwrap();
    let expected = format!(
        "* 1 FETCH (FLAGS (\\Flagged \\Seen \\Recent))\r\n\
         * {count} FETCH (FLAGS (\\Flagged \\Seen \\Recent))\r\na OK Store completed\r\n"
    );
    assert_eq!(answer, expected);
}
