//! CONDSTORE, and what its tests have in common with those of QRESYNC
//! (RFC 7162).

use super::{Client, Site};

/// The number behind `name` in an answer.
pub(super) fn number(answer: &str, name: &str) -> u64 {
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
pub(super) struct Cache {
    pub validity: u64,
    pub modseq: u64,
}

impl Client {
    /// Selects INBOX with QRESYNC enabled.
    pub(super) fn select_qresync(&mut self) -> Cache {
        self.say("e ENABLE QRESYNC");
        let answer = self.say("s SELECT INBOX");
        Cache {
            validity: number(&answer, "[UIDVALIDITY "),
            modseq: number(&answer, "[HIGHESTMODSEQ "),
        }
    }

    /// The untagged responses that a resynchronization is about.
    pub(super) fn resync(&mut self, cache: Cache, more: &str) -> Vec<String> {
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

    pub(super) fn modseq(&mut self, uid: u32) -> u64 {
        number(
            &self.say(&format!("m UID FETCH {uid} (MODSEQ)")),
            "MODSEQ (",
        )
    }
}

/// The line without the number of its MODSEQ item, and without `\\Recent`.
pub(super) fn without_modseq(line: &str) -> String {
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
