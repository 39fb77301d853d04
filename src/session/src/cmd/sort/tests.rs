//! SORT and THREAD in whole sessions.

use crate::tests::bench::{Bench, drive};
use proptest::prelude::*;

const MESSAGES: [(&str, &[u8]); 5] = [
    (
        "S",
        b"From: Zoe <zoe@x.test>\nTo: b@y.test\nSubject: Re: banana\nMessage-ID: <1@x>\n\
          References: <0@x>\nDate: Sat, 1 Jan 2000 12:00:00 +0000\n\nx\n",
    ),
    (
        "F",
        b"From: =?utf-8?q?=C3=89mile?= <m@x.test>\nTo: A@y.test\nSubject: apple\nMessage-ID: <2@x>\n\
          Date: Sat, 1 Jan 2000 13:30:00 +0200\n\nmore octets\n",
    ),
    (
        "",
        b"From: (Anna) a@x.test\nCc: x@y.test\nSubject: banana\nMessage-ID: <0@x>\n\
          Date: Fri, 31 Dec 1999 12:00:00 +0000\n\nxx\n",
    ),
    (
        "S",
        b"From: emil@x.test\nTo: Group: c@y.test;\nSubject: =?utf-8?q?=C3=84pple?=\n\
          Message-ID: <4@x>\nIn-Reply-To: Your <2@x> of today\nDate: Sun, 2 Jan 2000 12:00:00 +0000\n\nxxx\n",
    ),
    ("", b"no header at all"),
];

fn run(bench: &mut Bench, command: &str) -> String {
    let answer = bench.run(&format!("a {command}"));
    let (head, end) = answer.split_once("\r\n").unwrap();
    assert!(end.starts_with("a OK "), "{command}: {answer}");
    head.to_string()
}

#[test]
fn sorted_by_every_key() {
    let mut b = Bench::new(&MESSAGES);
    for (criteria, order) in [
        ("SUBJECT", "5 2 4 1 3"),
        ("REVERSE SUBJECT", "1 3 4 2 5"),
        ("SUBJECT DATE", "5 2 4 3 1"),
        ("DATE", "3 2 1 4 5"),
        ("FROM", "5 3 4 2 1"),
        ("TO", "3 5 2 1 4"),
        ("CC", "1 2 4 5 3"),
        ("SIZE", "5 3 1 2 4"),
        ("REVERSE SIZE", "4 2 1 3 5"),
        ("DISPLAYFROM", "5 3 4 2 1"),
        ("DISPLAYTO", "3 5 2 1 4"),
        ("ARRIVAL", "1 2 3 4 5"),
        ("REVERSE ARRIVAL", "1 2 3 4 5"),
    ] {
        // All came in the same second or in their order.
        for n in 0..5 {
            let file = std::fs::File::options()
                .write(true)
                .open(b.path(n))
                .unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
            file.set_modified(time).unwrap();
        }
        let line = run(&mut b, &format!("SORT ({criteria}) UTF-8 ALL"));
        assert_eq!(line, format!("* SORT {order}"), "{criteria}");
    }
    assert_eq!(run(&mut b, "UID SORT (DATE) US-ASCII SEEN"), "* SORT 1 4");
    assert_eq!(run(&mut b, "SORT (DATE) US-ASCII KEYWORD x"), "* SORT");
    let bad = b.run("a SORT (DATE) X-NONE ALL");
    assert!(bad.starts_with("a NO [BADCHARSET ("), "{bad}");
}

#[test]
fn extended_results() {
    let mut b = Bench::new(&MESSAGES);
    for (command, expected) in [
        ("SORT RETURN () (DATE) UTF-8 1:4", "ALL 3,2,1,4"),
        (
            "UID SORT RETURN (MIN MAX COUNT) (DATE) UTF-8 1:4",
            "UID MIN 3 MAX 4 COUNT 4",
        ),
        ("SORT RETURN (COUNT) (DATE) UTF-8 1:4", "COUNT 4"),
        ("SORT RETURN (ALL COUNT) (DATE) UTF-8 KEYWORD x", "COUNT 0"),
        (
            "SORT RETURN (PARTIAL 2:3) (DATE) UTF-8 1:4",
            "PARTIAL (2:3 2,1)",
        ),
        (
            "SORT RETURN (PARTIAL -1:-2) (DATE) UTF-8 1:4",
            "PARTIAL (-1:-2 1,4)",
        ),
        (
            "SORT RETURN (PARTIAL 5:9) (DATE) UTF-8 1:4",
            "PARTIAL (5:9 NIL)",
        ),
    ] {
        let line = run(&mut b, command);
        assert_eq!(
            line,
            format!("* ESEARCH (TAG \"a\") {expected}"),
            "{command}"
        );
    }
    assert_eq!(
        b.run("a SORT RETURN (SAVE) (DATE) UTF-8 SEEN"),
        "a OK Sort completed\r\n"
    );
    assert_eq!(run(&mut b, "SEARCH $"), "* SEARCH 1 4");
}

/// The first in the order asked for, not in that of the mailbox (RFC 5267 §3).
#[test]
fn saved_results_are_those_of_the_order() {
    let mut b = Bench::new(&MESSAGES);
    for (returns, expected) in [
        ("SAVE MIN", "4"),
        ("SAVE MAX", "3"),
        ("MIN MAX SAVE", "3 4"),
        ("SAVE PARTIAL 1:2", "1 4"),
        ("SAVE PARTIAL -1:-1 MIN", "3 4"),
        ("SAVE MIN COUNT", "1 2 3 4"),
        ("SAVE ALL", "1 2 3 4"),
    ] {
        let command = format!("a SORT RETURN ({returns}) (REVERSE DATE) UTF-8 1:4");
        b.run(&command);
        let saved = run(&mut b, "SEARCH $");
        assert_eq!(saved, format!("* SEARCH {expected}"), "{returns}");
    }
}

#[test]
fn threads() {
    let mut b = Bench::new(&MESSAGES);
    for (command, expected) in [
        // apple, banana and its answer, Äpple, and what has no subject.
        ("THREAD ORDEREDSUBJECT UTF-8 ALL", "(3 1)(2)(4)(5)"),
        ("THREAD REFERENCES UTF-8 ALL", "(3 1)(2 4)(5)"),
        ("UID THREAD REFERENCES UTF-8 2:4", "(3)(2 4)"),
        ("THREAD REFS UTF-8 ALL", "(3 1)(2 4)(5)"),
        ("THREAD REFS US-ASCII 1", "(1)"),
    ] {
        let line = run(&mut b, command);
        assert_eq!(line, format!("* THREAD {expected}"), "{command}");
    }
    assert_eq!(run(&mut b, "THREAD REFERENCES UTF-8 KEYWORD x"), "* THREAD");
}

/// As many as are remembered; and more come, and some go.
#[test]
fn what_is_remembered_is_what_would_be_computed() {
    let texts: Vec<String> = (0..200)
        .map(|i| {
            format!(
                "Subject: {}\nMessage-ID: <{i}@x>\nReferences: <{}@x>\n\nx\n",
                i * 7 % 31,
                i / 3
            )
        })
        .collect();
    let messages: Vec<(&str, &[u8])> = texts.iter().map(|t| ("", t.as_bytes())).collect();
    let mut b = Bench::new(&messages);
    let ask = |b: &mut Bench| {
        let commands = [
            "SORT (SUBJECT) UTF-8 ALL",
            "UID SORT (SUBJECT) UTF-8 ALL",
            "UID THREAD REFERENCES UTF-8 ALL",
            "THREAD REFERENCES UTF-8 ALL",
        ];
        commands.map(|command| run(b, command))
    };
    let first = ask(&mut b);
    assert_eq!(ask(&mut b), first);
    let mut other = b.other();
    drive(&mut other, "x STORE 5,9 +FLAGS.SILENT (\\Deleted)", |_| {});
    drive(&mut other, "x EXPUNGE", |_| {});
    b.run("a NOOP");
    let second = ask(&mut b);
    assert_ne!(second[1], first[1]);
    assert_eq!(ask(&mut b), second);
    let uids = second[1]
        .split(' ')
        .skip(2)
        .filter(|&n| n != "5" && n != "9");
    assert_eq!(uids.count(), 198);
}

#[test]
fn messages_that_cannot_be_read_are_sorted_all_the_same() {
    // Compressed by its looks, and damaged.
    let damaged: &[u8] = b"\x1f\x8b\x08\x00damaged";
    let mut b = Bench::new(&[MESSAGES[0], ("", damaged), MESSAGES[2]]);
    assert_eq!(run(&mut b, "SORT (SUBJECT) UTF-8 ALL"), "* SORT 2 1 3");
    let line = run(&mut b, "THREAD REFERENCES UTF-8 ALL");
    assert_eq!(line, "* THREAD (3 1)(2)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever stands in the messages, SORT and THREAD have each once.
    #[test]
    fn every_message_once(texts in prop::collection::vec(
        "(Subject: (re: |\\[x\\]|[ab\u{e9}]){0,4}\n|From: [<>@a,\"]{0,8}\n|Date: [0-9]{1,2} Jan 2000\n|Message-ID: <[ab]@x>\n|References: (<[abc]@x>){0,3}\n){0,5}\nbody",
        1..20,
    )) {
        let messages: Vec<(&str, &[u8])> = texts.iter().map(|t| ("", t.as_bytes())).collect();
        let mut b = Bench::new(&messages);
        let expected: Vec<usize> = (1..=texts.len()).collect();
        for command in [
            "SORT (SUBJECT REVERSE FROM DATE) UTF-8 ALL",
            "SORT (DISPLAYFROM SIZE) UTF-8 ALL",
            "THREAD REFERENCES UTF-8 ALL",
            "THREAD REFS UTF-8 ALL",
            "THREAD ORDEREDSUBJECT UTF-8 ALL",
        ] {
            let line = run(&mut b, command);
            let mut numbers: Vec<usize> = line
                .split(|c: char| !c.is_ascii_digit())
                .filter(|w| !w.is_empty())
                .map(|w| w.parse().unwrap())
                .collect();
            numbers.sort_unstable();
            prop_assert_eq!(&numbers, &expected, "{}", line);
        }
    }
}
