//! QRESYNC (RFC 7162 §3.2).

use super::Site;
use super::sync::{Cache, number, without_modseq};

#[test]
fn vanished_takes_the_place_of_expunge() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 5);
    a.select_qresync();
    b.say("b SELECT INBOX");
    a.say("a STORE 1,3:4 +FLAGS.SILENT (\\Deleted)");
    let answer = a.say("a EXPUNGE");
    assert!(
        answer.starts_with("* VANISHED 1,3:4\r\na OK [HIGHESTMODSEQ "),
        "{answer}"
    );
    let expunged = number(&answer, "[HIGHESTMODSEQ ");
    assert!(expunged > a.modseq(2));
    b.say("b STORE 2 +FLAGS.SILENT (\\Deleted)");
    assert!(
        b.say("b EXPUNGE")
            .contains("EXPUNGE\r\nb OK Expunge completed")
    );
    let answer = a.say("a NOOP");
    assert!(
        answer.starts_with("* VANISHED 2\r\na OK [HIGHESTMODSEQ "),
        "{answer}"
    );
}

#[test]
fn moves_and_uid_expunge_tell_the_new_value() {
    let site = Site::new();
    let mut a = site.client();
    a.fill("INBOX", 3);
    a.say("a CREATE x");
    a.select_qresync();
    let answer = a.say("a UID MOVE 2 x");
    let lines: Vec<&str> = answer.lines().collect();
    assert!(lines[0].starts_with("* OK [COPYUID "), "{answer}");
    assert_eq!(lines[1], "* VANISHED 2");
    assert!(lines[2].starts_with("a OK [HIGHESTMODSEQ "), "{answer}");
    a.say("a UID STORE 1,3 +FLAGS.SILENT (\\Deleted)");
    let answer = a.say("a UID EXPUNGE 3");
    assert!(
        answer.starts_with("* VANISHED 3\r\na OK [HIGHESTMODSEQ "),
        "{answer}"
    );
    // Nothing expunged, nothing told.
    a.expect("a UID EXPUNGE 3", &["a OK Expunge completed"]);
    // RFC 7162 §3.2.8
    a.expect("a CLOSE", &["a OK Close completed"]);
}

#[test]
fn what_is_held_back_holds_the_value_down() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 3);
    let cache = a.select_qresync();
    b.say("b SELECT INBOX");
    b.say("b STORE 3 +FLAGS.SILENT (\\Deleted)");
    b.say("b EXPUNGE");
    b.say("b STORE 1 +FLAGS.SILENT (\\Flagged)");
    let answer = a.say("a STORE 2 +FLAGS.SILENT (\\Seen)");
    let told = number(&answer, "a OK [HIGHESTMODSEQ ");
    assert!(told < number(&answer, "FETCH (UID 2 MODSEQ ("), "{answer}");
    assert!(told >= cache.modseq);
    // Were the connection lost now, the expunge would still be found out.
    let mut c = site.client();
    c.select_qresync();
    let lost = Cache {
        modseq: told,
        ..cache
    };
    assert_eq!(c.resync(lost, "")[0], "* VANISHED (EARLIER) 3");
    let answer = a.say("a NOOP");
    assert!(
        answer.starts_with("* VANISHED 3\r\na OK [HIGHESTMODSEQ "),
        "{answer}"
    );
    assert!(number(&answer, "[HIGHESTMODSEQ ") >= a.modseq(1));
}

#[test]
fn what_is_not_wanted_holds_the_value_down() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 2);
    a.say("a ENABLE QRESYNC");
    let known = number(&a.say("a SELECT INBOX"), "[HIGHESTMODSEQ ");
    a.say("a NOTIFY SET (selected (MessageNew (UID MODSEQ) MessageExpunge))");
    b.say("b SELECT INBOX");
    b.say("b STORE 1 +FLAGS.SILENT (\\Flagged)");
    b.fill("INBOX", 1);
    let got = a.push();
    assert!(got.contains("* 3 FETCH (UID 3 MODSEQ ("), "{got}");
    a.expect(
        "a NOOP",
        &[&format!("a OK [HIGHESTMODSEQ {known}] NOOP completed")],
    );
    let all = "a NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))";
    let got = a.say(all);
    assert!(number(&got, "[HIGHESTMODSEQ ") > known, "{got}");
}

#[test]
fn resynchronizing_tells_what_changed() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 6);
    let cache = a.select_qresync();
    a.say("a UNSELECT");
    b.say("b SELECT INBOX");
    b.say("b STORE 2,5 +FLAGS.SILENT (\\Deleted)");
    b.say("b EXPUNGE");
    b.say("b UID STORE 3,6 +FLAGS.SILENT (\\Flagged)");
    b.fill("INBOX", 1);
    assert_eq!(
        a.resync(cache, ""),
        [
            "* VANISHED (EARLIER) 2,5",
            "* 2 FETCH (UID 3 FLAGS (\\Flagged) MODSEQ ())",
            "* 4 FETCH (UID 6 FLAGS (\\Flagged) MODSEQ ())",
            "* 5 FETCH (UID 7 FLAGS () MODSEQ ())",
        ]
        .map(String::from),
    );
    assert_eq!(
        a.resync(cache, " 1:3"),
        [
            "* VANISHED (EARLIER) 2",
            "* 2 FETCH (UID 3 FLAGS (\\Flagged) MODSEQ ())",
        ]
    );
    // Message 2 has UID 3: the client knows what is gone up to there.
    assert_eq!(
        a.resync(cache, " 1:6 (1:2 1,3)")[0],
        "* VANISHED (EARLIER) 5"
    );
    assert_eq!(a.resync(cache, " (1,4 1,4)")[0], "* VANISHED (EARLIER) 2,5");
    let other = Cache {
        validity: 7,
        ..cache
    };
    assert_eq!(a.resync(other, ""), [""; 0]);
    // UID FETCH asks for the same.
    let modseq = cache.modseq;
    let answer = a.say(&format!(
        "a UID FETCH 1:6 (FLAGS) (CHANGEDSINCE {modseq} VANISHED)"
    ));
    let lines: Vec<String> = answer.lines().map(without_modseq).collect();
    assert_eq!(
        lines,
        [
            "* VANISHED (EARLIER) 2,5",
            "* 2 FETCH (UID 3 FLAGS (\\Flagged) MODSEQ ())",
            "* 4 FETCH (UID 6 FLAGS (\\Flagged) MODSEQ ())",
            "a OK Fetch completed",
        ]
    );
}

#[test]
fn history_that_is_too_short_tells_all_that_is_not_there() {
    let site = Site::new();
    let mut a = site.client();
    a.fill("INBOX", 5);
    let cache = a.select_qresync();
    a.say("a STORE 2:4 +FLAGS.SILENT (\\Deleted)");
    a.say("a EXPUNGE");
    let old = Cache { modseq: 1, ..cache };
    let told = a.resync(old, "");
    assert_eq!(told[0], "* VANISHED (EARLIER) 2:4");
    assert_eq!(told.len(), 3);
    // UIDs that never were are gone, too; such above UIDNEXT are not known.
    assert_eq!(a.resync(old, " 4:900")[0], "* VANISHED (EARLIER) 4");
    // A value that we have not given out yet is worth nothing.
    let future = Cache {
        modseq: i64::MAX as u64,
        ..cache
    };
    assert_eq!(a.resync(future, ""), told);
}

#[test]
fn vanished_earlier_leaves_out_what_is_still_counted() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 4);
    let cache = a.select_qresync();
    b.say("b SELECT INBOX");
    b.say("b STORE 1 +FLAGS.SILENT (\\Deleted)");
    b.say("b EXPUNGE");
    a.say("a NOOP");
    b.say("b STORE 2 +FLAGS.SILENT (\\Deleted)");
    b.say("b EXPUNGE");
    let modseq = cache.modseq;
    let answer = a.say(&format!(
        "a UID FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq} VANISHED)"
    ));
    let vanished: Vec<&str> = answer.lines().filter(|l| l.contains("VANISHED")).collect();
    assert_eq!(
        vanished,
        ["* VANISHED (EARLIER) 1", "* VANISHED 3"],
        "{answer}"
    );
    assert!(answer.starts_with("* VANISHED (EARLIER)"), "{answer}");
}

#[test]
fn misuse_is_bad() {
    let site = Site::new();
    let mut a = site.client();
    a.fill("INBOX", 1);
    a.say("a SELECT INBOX");
    for command in [
        "SELECT INBOX (QRESYNC (1 1))",
        "UID FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)",
    ] {
        a.expect(&format!("a {command}"), &["a BAD QRESYNC is not enabled"]);
    }
    a.expect("a SELECT INBOX (FOO)", &["a BAD Unknown parameter"]);
    // Still selected.
    a.expect("a NOOP", &["a OK NOOP completed"]);
}

#[test]
fn a_mailbox_without_an_index_has_no_modseqs() {
    let site = Site::new();
    let mut owner = site.client();
    owner.fill("INBOX", 3);
    owner.say("o SELECT INBOX");
    let second = site.second();
    let mut a = second.client();
    a.say("a ENABLE QRESYNC");
    let answer = a.say("a SELECT INBOX (QRESYNC (1 1))");
    assert!(answer.contains("* OK [NOMODSEQ] "), "{answer}");
    assert!(!answer.contains("HIGHESTMODSEQ"), "{answer}");
    for command in [
        "FETCH 1 (MODSEQ)",
        "FETCH 1 (FLAGS) (CHANGEDSINCE 1)",
        "SEARCH MODSEQ 1",
        "STORE 1 (UNCHANGEDSINCE 1) FLAGS ()",
    ] {
        a.expect(
            &format!("a {command}"),
            &["a BAD Mailbox keeps no mod-sequences"],
        );
    }
    a.expect(
        "a STATUS INBOX (HIGHESTMODSEQ)",
        &["* STATUS INBOX (HIGHESTMODSEQ 0)", "a OK Status completed"],
    );
    a.expect(
        "a STORE 2 +FLAGS (\\Deleted)",
        &["* 2 FETCH (FLAGS (\\Deleted))", "a OK Store completed"],
    );
    a.expect("a EXPUNGE", &["* 2 EXPUNGE", "a OK Expunge completed"]);
}
