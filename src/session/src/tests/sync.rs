//! CONDSTORE and QRESYNC (RFC 7162).

use super::{Client, Site};

/// The number behind `name` in an answer.
fn number(answer: &str, name: &str) -> u64 {
    let at = answer
        .find(name)
        .unwrap_or_else(|| panic!("{name}: {answer}"))
        + name.len();
    let digits: String = answer[at..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap()
}

/// What a client keeps of a mailbox.
#[derive(Clone, Copy)]
struct Cache {
    validity: u64,
    modseq: u64,
}

impl Client {
    /// Selects INBOX with QRESYNC enabled.
    fn select_qresync(&mut self) -> Cache {
        self.say("e ENABLE QRESYNC");
        let answer = self.say("s SELECT INBOX");
        Cache {
            validity: number(&answer, "[UIDVALIDITY "),
            modseq: number(&answer, "[HIGHESTMODSEQ "),
        }
    }

    /// The untagged responses that a resynchronization is about.
    fn resync(&mut self, cache: Cache, more: &str) -> Vec<String> {
        self.say("u UNSELECT");
        let Cache { validity, modseq } = cache;
        let answer = self.say(&format!(
            "s SELECT INBOX (QRESYNC ({validity} {modseq}{more}))"
        ));
        assert!(
            answer.contains("s OK [READ-WRITE] Select completed"),
            "{answer}"
        );
        let of_sync = |l: &&str| l.starts_with("* VANISHED") || l.contains(" FETCH ");
        answer.lines().filter(of_sync).map(without_modseq).collect()
    }

    fn modseq(&mut self, uid: u32) -> u64 {
        number(
            &self.say(&format!("m UID FETCH {uid} (MODSEQ)")),
            "MODSEQ (",
        )
    }
}

/// The line without the number of its MODSEQ item, and without `\\Recent`.
fn without_modseq(line: &str) -> String {
    let line = &line.replace(" \\Recent", "").replace("\\Recent", "");
    match line.split_once("MODSEQ (") {
        Some((before, after)) => {
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}MODSEQ ({after}")
        }
        None => line.to_string(),
    }
}

#[test]
fn every_enabling_command_enables() {
    for (command, answers) in [
        ("STATUS INBOX (HIGHESTMODSEQ)", 1),
        ("LIST \"\" INBOX RETURN (STATUS (HIGHESTMODSEQ))", 1),
        ("FETCH 1 (MODSEQ)", 1),
        ("FETCH 1 (FLAGS) (CHANGEDSINCE 1)", 1),
        ("SEARCH MODSEQ 1", 1),
        (
            "STORE 1 (UNCHANGEDSINCE 9223372036854775807) +FLAGS ($x)",
            1,
        ),
        ("SORT (DATE) UTF-8 MODSEQ 1", 1),
        ("THREAD REFERENCES UTF-8 MODSEQ 1", 1),
        ("ENABLE CONDSTORE", 1),
        ("ENABLE QRESYNC", 1),
        ("SELECT INBOX (CONDSTORE)", 1),
        ("STATUS INBOX (UIDNEXT)", 0),
        ("FETCH 1 (FLAGS)", 0),
    ] {
        let site = Site::new();
        let (mut a, mut b) = (site.client(), site.client());
        a.fill("INBOX", 1);
        a.say("a SELECT INBOX");
        b.say("b SELECT INBOX");
        let answer = a.say(&format!("a {command}"));
        assert!(
            answer.contains("\na OK") || answer.starts_with("a OK"),
            "{answer}"
        );
        assert_eq!(
            answer.matches("[HIGHESTMODSEQ ").count(),
            answers,
            "{answer}"
        );
        b.say("b STORE 1 +FLAGS.SILENT (\\Flagged)");
        let told = a.say("a NOOP");
        let aware = told.contains("* 1 FETCH (UID 1 FLAGS (\\Flagged");
        assert_eq!(aware, answers == 1, "{command}: {told}");
        assert_eq!(told.contains("MODSEQ ("), answers == 1, "{command}: {told}");
        // Only the first one is told.
        let again = a.say("a STATUS INBOX (HIGHESTMODSEQ)");
        assert_eq!(
            again.contains("* OK [HIGHESTMODSEQ"),
            answers == 0,
            "{again}"
        );
    }
}

#[test]
fn modseqs_rise_with_changes_and_not_without() {
    let site = Site::new();
    let mut a = site.client();
    a.fill("INBOX", 2);
    a.say("a SELECT INBOX (CONDSTORE)");
    let first = a.modseq(1);
    assert!(first > 0);
    a.say("a STORE 1 +FLAGS.SILENT (\\Seen)");
    let second = a.modseq(1);
    assert!(second > first);
    let answer = a.say("a STORE 1 +FLAGS.SILENT (\\Seen)");
    assert_eq!(answer, "a OK Store completed\r\n");
    assert_eq!(a.modseq(1), second);
    a.say("a STORE 2 +FLAGS ($x)");
    assert!(a.modseq(2) > second);
    let status = a.say("a STATUS INBOX (HIGHESTMODSEQ)");
    assert_eq!(number(&status, "HIGHESTMODSEQ "), a.modseq(2));
}

#[test]
fn silent_stores_tell_the_modseq() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 3);
    a.say("a SELECT INBOX (CONDSTORE)");
    b.say("b SELECT INBOX");
    b.say("b STORE 2 +FLAGS.SILENT ($b)");
    let answer = a.say("a STORE 1:2 +FLAGS.SILENT (\\Seen)");
    let lines: Vec<String> = answer.lines().map(without_modseq).collect();
    assert_eq!(
        lines,
        [
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $b)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $b \\*)] Flags permitted",
            "* 2 FETCH (UID 2 FLAGS (\\Seen $b) MODSEQ ())",
            "* 1 FETCH (UID 1 MODSEQ ())",
            "a OK Store completed",
        ]
    );
}

#[test]
fn fetching_a_body_tells_uid_flags_and_modseq() {
    let site = Site::new();
    let mut a = site.client();
    a.fill("INBOX", 1);
    a.say("a SELECT INBOX (CONDSTORE)");
    let answer = a.say("a FETCH 1 (BODY[TEXT])");
    let first = answer.lines().next().map(without_modseq);
    assert_eq!(
        first.as_deref(),
        Some("* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ () BODY[TEXT] {8}")
    );
    a.expect(
        "a FETCH 1 (FLAGS)",
        &[
            "* 1 FETCH (FLAGS (\\Seen \\Recent))",
            "a OK Fetch completed",
        ],
    );
}

#[test]
fn what_changed_later_is_left_alone() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 4);
    let known = number(&a.say("a SELECT INBOX (CONDSTORE)"), "[HIGHESTMODSEQ ");
    b.say("b SELECT INBOX");
    b.say("b STORE 2 +FLAGS.SILENT (\\Deleted)");
    b.say("b STORE 3 +FLAGS.SILENT (\\Seen)");
    // Of adding flags, only those count: 2 is changed, 3 is not.
    let command = format!("a STORE 1:3 (UNCHANGEDSINCE {known}) +FLAGS.SILENT (\\Seen)");
    let answer = a.say(&command);
    let lines: Vec<String> = answer.lines().map(without_modseq).collect();
    assert_eq!(
        lines,
        [
            "* 2 FETCH (UID 2 FLAGS (\\Deleted \\Seen) MODSEQ ())",
            "* 1 FETCH (UID 1 MODSEQ ())",
            "* 3 FETCH (UID 3 FLAGS (\\Seen) MODSEQ ())",
            "a OK [MODIFIED 3] Some of the messages have changed before",
        ]
    );
    // Replacing is refused whatever changed.
    let command = format!("a UID STORE 2,4 (UNCHANGEDSINCE {known}) FLAGS ($x)");
    let answer = a.say(&command);
    assert!(
        answer.contains("FETCH (UID 2 FLAGS (\\Deleted \\Seen \\Recent)"),
        "{answer}"
    );
    assert!(
        answer.contains("FETCH (UID 4 FLAGS ($x \\Recent)"),
        "{answer}"
    );
    assert!(answer.ends_with("a OK [MODIFIED 2] Some of the messages have changed before\r\n"));
    let now = a.modseq(2);
    let command = format!("a UID STORE 2 (UNCHANGEDSINCE {now}) FLAGS ($x)");
    assert!(a.say(&command).contains("a OK Store completed"));
}

#[test]
fn nothing_is_unchanged_since_0() {
    let site = Site::new();
    let mut a = site.client();
    a.fill("INBOX", 2);
    a.say("a SELECT INBOX (CONDSTORE)");
    a.say("a STORE 2 +FLAGS.SILENT ($mdnsent)");
    let refused = a.say("a STORE 1:2 (UNCHANGEDSINCE 0) +FLAGS.SILENT (\\Seen)");
    assert!(refused.contains("a OK [MODIFIED 1:2]"), "{refused}");
    let test = a.say("a STORE 1:2 (UNCHANGEDSINCE 0) +FLAGS.SILENT ($mdnsent)");
    assert!(test.contains("a OK [MODIFIED 2]"), "{test}");
    a.expect(
        "a SEARCH KEYWORD $mdnsent UNSEEN",
        &["* SEARCH 1 2", "a OK Search completed"],
    );
}

#[test]
fn messages_that_are_gone_make_it_no() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 3);
    let known = number(&a.say("a SELECT INBOX (CONDSTORE)"), "[HIGHESTMODSEQ ");
    b.say("b SELECT INBOX");
    b.say("b STORE 3 +FLAGS.SILENT (\\Deleted)");
    b.say("b EXPUNGE");
    b.say("b STORE 2 +FLAGS.SILENT (\\Seen)");
    let answer = a.say(&format!(
        "a STORE 1:3 (UNCHANGEDSINCE {known}) +FLAGS (\\Seen)"
    ));
    assert!(
        answer.ends_with("a NO [MODIFIED 2] Some of the messages no longer exist\r\n"),
        "{answer}"
    );
}

#[test]
fn searches_tell_the_highest_modseq() {
    let site = Site::new();
    let mut a = site.client();
    a.fill("INBOX", 3);
    a.say("a SELECT INBOX (CONDSTORE)");
    a.say("a STORE 2 +FLAGS.SILENT (\\Seen)");
    let (second, third) = (a.modseq(2), a.modseq(3));
    let tail = |answer: &str| answer.lines().next().unwrap().to_string();
    assert_eq!(
        tail(&a.say("a SEARCH MODSEQ 1")),
        format!("* SEARCH 1 2 3 (MODSEQ {second})")
    );
    assert_eq!(
        tail(&a.say(&format!("a UID SEARCH NOT MODSEQ {second} UID 2:3"))),
        format!("* SEARCH 3 (MODSEQ {third})")
    );
    assert_eq!(
        tail(&a.say(&format!("a SEARCH MODSEQ {}", second + 1))),
        "* SEARCH"
    );
    let entry = "MODSEQ \"/flags/\\\\Seen\" all";
    assert_eq!(
        tail(&a.say(&format!("a SEARCH RETURN (MAX COUNT) {entry} {third}"))),
        format!("* ESEARCH (TAG \"a\") MAX 3 COUNT 2 MODSEQ {second}")
    );
    assert_eq!(
        tail(&a.say("a SORT (REVERSE SUBJECT) UTF-8 MODSEQ 1")),
        format!("* SORT 3 2 1 (MODSEQ {second})")
    );
    assert_eq!(
        tail(&a.say(&format!(
            "a UID SORT RETURN (ALL) (SUBJECT) UTF-8 MODSEQ {third}"
        ))),
        format!("* ESEARCH (TAG \"a\") UID ALL 2:3 MODSEQ {second}")
    );
    // Of the messages that are told (RFC 4731 §3.2).
    assert_eq!(
        tail(&a.say(&format!("a UID SEARCH RETURN (MAX) {entry} {third}"))),
        format!("* ESEARCH (TAG \"a\") UID MAX 3 MODSEQ {third}")
    );
    assert_eq!(
        tail(&a.say("a UID SORT RETURN (MIN MAX) (REVERSE SUBJECT) UTF-8 1,3 MODSEQ 1")),
        format!("* ESEARCH (TAG \"a\") UID MIN 3 MAX 1 MODSEQ {third}")
    );
    assert_eq!(
        tail(&a.say("a SORT RETURN (MIN) (REVERSE SUBJECT) UTF-8 MODSEQ 1")),
        format!("* ESEARCH (TAG \"a\") MIN 3 MODSEQ {third}")
    );
    assert_eq!(
        tail(&a.say("a SEARCH RETURN (PARTIAL 3:3) MODSEQ 1")),
        format!("* ESEARCH (TAG \"a\") PARTIAL (3:3 3) MODSEQ {third}")
    );
    assert_eq!(
        tail(&a.say("a SEARCH RETURN (PARTIAL 3:3 COUNT) MODSEQ 1")),
        format!("* ESEARCH (TAG \"a\") PARTIAL (3:3 3) COUNT 3 MODSEQ {second}")
    );
    assert_eq!(
        tail(&a.say("a SEARCH RETURN () MODSEQ 9223372036854775807")),
        "* ESEARCH (TAG \"a\")"
    );
}

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
