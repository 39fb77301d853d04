//! SEARCH in whole sessions.

use crate::tests::bench::{Bench, drive};

const MESSAGES: [(&str, &[u8]); 5] = [
    (
        "S",
        b"From: Joe <joe@x.test>\nTo: ann@y.test\nSubject: hello world\n\
          Date: Sat, 1 Jan 2000 23:00:00 -0500\n\nsome body\n",
    ),
    (
        "F",
        b"From: =?utf-8?q?J=C3=B6rg?= <j@x.test>\nCc: Carl <carl@z.test>\n\
          Subject: =?iso-8859-1?q?Gr=FC=DFe?=\n =?utf-8?b?IGFuIGFsbGU=?=\n\
          Date: Sun, 2 Jan 2000 10:00:00 +0000\nX-Spam:\n\nplain\n",
    ),
    (
        "",
        b"Subject: third\nContent-Type: text/plain; charset=koi8-r\n\
          Content-Transfer-Encoding: base64\n\n8NLJ18XUIM3J0g==\n",
    ),
    (
        "RS",
        b"Subject: fourth\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\n\
          one needle here\n--x\nContent-Type: application/pdf; name=report.pdf\n\nhidden text\n--x--\n",
    ),
    ("T", b"no header at all"),
];

fn bench() -> Bench {
    Bench::new(&MESSAGES)
}

/// The numbers of a SEARCH response.
fn hits(bench: &mut Bench, keys: &str) -> Vec<u32> {
    let answer = bench.run(&format!("a SEARCH {keys}"));
    let line = answer
        .lines()
        .find(|l| l.starts_with("* SEARCH"))
        .unwrap_or_else(|| panic!("{answer}"));
    assert!(answer.contains("a OK Search completed"), "{answer}");
    line["* SEARCH".len()..]
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect()
}

#[test]
fn keys_by_flags_and_sets() {
    let mut b = bench();
    for (keys, expected) in [
        ("ALL", &[1, 2, 3, 4, 5][..]),
        ("SEEN", &[1, 4]),
        ("UNSEEN", &[2, 3, 5]),
        ("FLAGGED", &[2]),
        ("ANSWERED SEEN", &[4]),
        ("DELETED", &[5]),
        ("UNDELETED UNFLAGGED", &[1, 3, 4]),
        ("NOT SEEN", &[2, 3, 5]),
        ("OR SEEN FLAGGED", &[1, 2, 4]),
        ("OR (SEEN ANSWERED) (NOT (UNSEEN) 1)", &[1, 4]),
        ("2:3", &[2, 3]),
        ("4:*", &[4, 5]),
        ("99", &[]),
        ("UID 1,3,99", &[1, 3]),
        ("NOT 2:4", &[1, 5]),
        ("KEYWORD nothing", &[]),
        ("UNKEYWORD nothing 1", &[1]),
        ("RECENT", &[]),
        ("OLD 1", &[1]),
        ("NEW", &[]),
    ] {
        assert_eq!(hits(&mut b, keys), expected, "{keys}");
    }
}

#[test]
fn keys_by_header() {
    let mut b = bench();
    for (keys, expected) in [
        ("FROM joe", &[1][..]),
        ("FROM x.test", &[1, 2]),
        ("FROM \"<j@\"", &[2]),
        ("TO ANN", &[1]),
        ("CC carl", &[2]),
        ("BCC x", &[]),
        ("SUBJECT \"LLO WOR\"", &[1]),
        ("SUBJECT utf-8", &[]),
        ("SUBJECT \"e an alle\"", &[2]),
        ("HEADER X-Spam \"\"", &[2]),
        ("HEADER subject \"\"", &[1, 2, 3, 4]),
        ("HEADER X-None \"\"", &[]),
        ("CHARSET UTF-8 FROM \"j\u{f6}rg\"", &[2]),
        ("CHARSET utf-8 SUBJECT \"GR\u{dc}\u{df}E AN\"", &[2]),
        // A letter is in the same letter with a mark (RFC 5051).
        ("FROM JO", &[1, 2]),
        ("SUBJECT GRU", &[2]),
        ("SENTON 1-Jan-2000", &[1]),
        ("SENTBEFORE 2-Jan-2000", &[1]),
        ("SENTSINCE 2-Jan-2000", &[2]),
        ("NOT SENTSINCE 2-Jan-2000", &[1, 3, 4, 5]),
    ] {
        assert_eq!(hits(&mut b, keys), expected, "{keys}");
    }
}

#[test]
fn keys_by_text() {
    let mut b = bench();
    for (keys, expected) in [
        ("BODY \"SOME BODY\"", &[1][..]),
        ("BODY hello", &[]),
        ("TEXT hello", &[1]),
        ("TEXT \"x.test\"", &[1, 2]),
        (
            "BODY \"\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442} \u{41c}\"",
            &[3],
        ),
        ("TEXT needle", &[4]),
        ("BODY hidden", &[]),
        ("BODY report.pdf", &[4]),
        ("BODY \"\"", &[1, 2, 3, 4, 5]),
        ("OR BODY needle TEXT plain", &[2, 3, 4]),
        ("BODY needle NOT TEXT report", &[]),
        ("SEEN TEXT e", &[1, 4]),
        ("BODY \"at all\"", &[]),
        ("TEXT \"at all\"", &[5]),
    ] {
        assert_eq!(hits(&mut b, keys), expected, "{keys}");
    }
}

#[test]
fn keys_by_size_and_date() {
    let mut b = bench();
    let file = std::fs::File::options()
        .write(true)
        .open(b.path(0))
        .unwrap();
    let day = std::time::Duration::from_secs(946_684_800);
    file.set_modified(std::time::UNIX_EPOCH + day).unwrap();
    for (keys, expected) in [
        ("SMALLER 17", &[5][..]),
        ("LARGER 113 SMALLER 184", &[4]),
        ("LARGER 100000", &[]),
        ("BEFORE 1-Jan-2000", &[]),
        ("ON 1-Jan-2000", &[1]),
        ("BEFORE 2-Jan-2000", &[1]),
        ("SINCE 2-Jan-2000", &[2, 3, 4, 5]),
        ("OLDER 100000000", &[1]),
        ("YOUNGER 100000000", &[2, 3, 4, 5]),
        ("OLDER 100000000 SEEN", &[1]),
        ("NOT OLDER 100000000 UNSEEN YOUNGER 4294967295", &[2, 3, 5]),
        // The files came today, whatever their times say.
        ("SAVEDBEFORE 2-Jan-2000", &[]),
        ("SAVEDSINCE 2-Jan-2000", &[1, 2, 3, 4, 5]),
        ("SAVEDON 1-Jan-2000", &[]),
        ("SAVEDATESUPPORTED", &[1, 2, 3, 4, 5]),
        ("NOT SAVEDATESUPPORTED", &[]),
    ] {
        assert_eq!(hits(&mut b, keys), expected, "{keys}");
    }
}

/// Windows of any size, from either end, with keys of every kind, are pieces
/// of the whole.
#[test]
fn windows_are_pieces_of_the_whole() {
    let messages: Vec<(&str, &[u8])> = (0..300)
        .map(|i| match i % 3 {
            0 => ("S", &b"Subject: x\n\nneedle\n"[..]),
            1 => ("F", &b"Subject: y\n\nhay\n"[..]),
            _ => ("", &b"Subject: x\n\nhay\n"[..]),
        })
        .collect();
    let mut b = Bench::new(&messages);
    let mut window = |keys: &str, range: &str| {
        let answer = b.run(&format!("a SEARCH RETURN (PARTIAL {range}) {keys}"));
        let set = answer.split(['(', ')']).nth(3).unwrap();
        let set = set.split_once(' ').unwrap().1.to_string();
        match set.as_str() {
            "NIL" => Vec::new(),
            set => set.split(',').map(str::to_string).collect(),
        }
    };
    for (keys, offset) in [
        ("SEEN", 0),
        ("FLAGGED 1:*", 1),
        ("BODY needle", 0),
        ("SUBJECT y", 1),
    ] {
        for size in [7, 40, 100] {
            for minus in ["", "-"] {
                let mut all = Vec::new();
                for n in 0..=100 / size {
                    let (from, to) = (n * size + 1, (n + 1) * size);
                    all.extend(window(keys, &format!("{minus}{from}:{minus}{to}")));
                }
                all.sort_by_key(|n| n.parse::<u32>().unwrap());
                let whole: Vec<String> =
                    (0..100).map(|i| (i * 3 + offset + 1).to_string()).collect();
                assert_eq!(all, whole, "{keys} {minus}{size}");
            }
        }
    }
}

#[test]
fn a_silent_command_says_how_far_it_is() {
    let message: &[u8] = b"A: b\n\n";
    let mut b = Bench::new(&[("", message); 2_500]);
    b.interval(std::time::Duration::ZERO);
    let answer = b.run("a STORE 1:* +FLAGS.SILENT (\\Seen)");
    let line = "* OK [INPROGRESS (\"a\" 1000 2500)] Running\r\n";
    assert!(answer.starts_with(line), "{answer}");
    assert!(answer.ends_with("a OK Store completed\r\n"), "{answer}");
    // Never within a response.
    let large = format!("A: b\n\n{}", "x".repeat(300_000));
    let mut b = Bench::new(&[("", large.as_bytes())]);
    b.interval(std::time::Duration::ZERO);
    let answer = b.run("a FETCH 1 BODY.PEEK[]");
    assert!(!answer.contains("INPROGRESS"), "said within a literal");
}

#[test]
fn charsets() {
    let mut b = bench();
    let mut command = b"a SEARCH CHARSET ISO-8859-1 SUBJECT \"gr\xfc\"".to_vec();
    let mut run = |octets: &[u8]| {
        let mut out = Vec::new();
        let mut p = b
            .session
            .take(roost_imap::Frame::Command(octets.to_vec()), &mut out);
        while p == crate::Progress::More {
            p = b.session.step(&mut out);
        }
        String::from_utf8(out).unwrap()
    };
    // A literal: quoted strings hold UTF-8 only.
    command.truncate(command.len() - 5);
    command.extend(b"{3}\r\ngr\xfc");
    assert!(run(&command).starts_with("* SEARCH 2\r\n"));
    let answer = run(b"b SEARCH CHARSET X-NONE ALL");
    assert!(
        answer.starts_with("b NO [BADCHARSET (US-ASCII UTF-8 "),
        "{answer}"
    );
    let answer = run(b"c SEARCH SUBJECT {3}\r\ngr\xfc");
    assert!(answer.starts_with("c BAD "), "{answer}");
}

#[test]
fn extended_results() {
    let mut b = bench();
    for (command, expected) in [
        (
            "SEARCH RETURN (MIN MAX COUNT ALL) UNSEEN",
            "* ESEARCH (TAG \"a\") MIN 2 MAX 5 ALL 2:3,5 COUNT 3\r\n",
        ),
        (
            "SEARCH RETURN (MIN) UNSEEN",
            "* ESEARCH (TAG \"a\") MIN 2\r\n",
        ),
        (
            "SEARCH RETURN (MAX) SEEN",
            "* ESEARCH (TAG \"a\") MAX 4\r\n",
        ),
        (
            "UID SEARCH RETURN (MIN MAX) SEEN",
            "* ESEARCH (TAG \"a\") UID MIN 1 MAX 4\r\n",
        ),
        ("SEARCH RETURN () SEEN", "* ESEARCH (TAG \"a\") ALL 1,4\r\n"),
        (
            "SEARCH RETURN (COUNT MIN ALL) KEYWORD x",
            "* ESEARCH (TAG \"a\") COUNT 0\r\n",
        ),
        (
            "UID SEARCH RETURN (ALL) KEYWORD x",
            "* ESEARCH (TAG \"a\") UID\r\n",
        ),
        (
            "SEARCH RETURN (PARTIAL 2:9) UNSEEN",
            "* ESEARCH (TAG \"a\") PARTIAL (2:9 3,5)\r\n",
        ),
        (
            "UID SEARCH RETURN (PARTIAL -1:-2 MIN COUNT) UNSEEN",
            "* ESEARCH (TAG \"a\") UID MIN 2 PARTIAL (-1:-2 3,5) COUNT 3\r\n",
        ),
        (
            "SEARCH RETURN (PARTIAL -2:-1 MIN) UNSEEN",
            "* ESEARCH (TAG \"a\") MIN 2 PARTIAL (-2:-1 3,5)\r\n",
        ),
        (
            "SEARCH RETURN (PARTIAL 1:1 MAX) BODY e",
            "* ESEARCH (TAG \"a\") MAX 4 PARTIAL (1:1 1)\r\n",
        ),
        (
            "SEARCH RETURN (PARTIAL 4:5) UNSEEN",
            "* ESEARCH (TAG \"a\") PARTIAL (4:5 NIL)\r\n",
        ),
        (
            "SEARCH RETURN (MIN MAX) 3",
            "* ESEARCH (TAG \"a\") MIN 3 MAX 3\r\n",
        ),
    ] {
        let answer = b.run(&format!("a {command}"));
        assert_eq!(
            answer,
            format!("{expected}a OK Search completed\r\n"),
            "{command}"
        );
    }
    let enabled = b.run("e ENABLE IMAP4rev2");
    assert!(enabled.contains("* ENABLED IMAP4rev2"), "{enabled}");
    let answer = b.run("a UID SEARCH UNSEEN");
    assert_eq!(
        answer,
        "* ESEARCH (TAG \"a\") UID ALL 2:3,5\r\na OK Search completed\r\n"
    );
}

#[test]
fn saved_results() {
    let mut b = bench();
    assert_eq!(
        b.run("a SEARCH RETURN (SAVE) UNSEEN"),
        "a OK Search completed\r\n"
    );
    assert_eq!(hits(&mut b, "$"), [2, 3, 5]);
    assert_eq!(hits(&mut b, "UID $ FLAGGED"), [2]);
    assert_eq!(hits(&mut b, "NOT $"), [1, 4]);
    let answer = b.run("a FETCH $ UID");
    assert!(
        answer.contains("* 5 FETCH (UID 5)") && !answer.contains("* 4 "),
        "{answer}"
    );
    for (returns, expected) in [
        ("SAVE MIN", &[2][..]),
        ("SAVE MAX", &[5]),
        ("MIN MAX SAVE", &[2, 5]),
        ("SAVE MIN COUNT", &[2, 3, 5]),
        ("SAVE ALL", &[2, 3, 5]),
        ("SAVE PARTIAL 2:2", &[3]),
        ("SAVE PARTIAL -1:-2", &[3, 5]),
        ("SAVE PARTIAL 2:2 MIN MAX", &[2, 3, 5]),
        ("SAVE PARTIAL 2:2 COUNT", &[2, 3, 5]),
    ] {
        b.run(&format!("a SEARCH RETURN ({returns}) UNSEEN"));
        assert_eq!(hits(&mut b, "$"), expected, "{returns}");
    }
    // The set in the command is the one from before.
    b.run("a SEARCH RETURN (SAVE) $ NOT 3");
    assert_eq!(hits(&mut b, "$"), [2, 5]);
    b.run("a SEARCH RETURN (SAVE) CHARSET X-NONE ALL");
    assert_eq!(hits(&mut b, "$"), [0u32; 0]);
}

#[test]
fn messages_that_are_gone_match_nothing() {
    let mut b = bench();
    b.run("a SEARCH RETURN (SAVE) ALL");
    let mut other = b.other();
    drive(&mut other, "x EXPUNGE", |_| {});
    assert_eq!(hits(&mut b, "ALL"), [1, 2, 3, 4]);
    assert_eq!(hits(&mut b, "NOT DELETED"), [1, 2, 3, 4]);
    assert_eq!(hits(&mut b, "$"), [1, 2, 3, 4]);
    std::fs::remove_file(b.path(2)).unwrap();
    assert_eq!(hits(&mut b, "NOT BODY needle"), [1, 2]);
}

#[test]
fn long_results_come_in_pieces() {
    // Sorted by size, none is behind the number before.
    let pair: [(&str, &[u8]); 2] = [("S", b"A: b\n\nlong\n"), ("", b"A: b\n\n")];
    let messages: Vec<(&str, &[u8])> = (0..15_000).map(|i| pair[i % 2]).collect();
    let mut b = Bench::new(&messages);
    for (command, words, numbers) in [
        ("a SEARCH ALL", 15_002, 1),
        ("a SORT (SIZE) UTF-8 ALL", 15_002, 1),
        ("a SORT RETURN (ALL) (SIZE) UTF-8 ALL", 6, 15_000),
        (
            "a SORT RETURN (PARTIAL 1:15000) (SIZE) UTF-8 ALL",
            7,
            15_000,
        ),
    ] {
        let (mut most, mut steps) = (0, 0);
        let answer = drive(&mut b.session, command, |n| {
            most = most.max(n);
            steps += 1;
        });
        assert!(
            most < 70_000 && steps > 2,
            "{command}: {steps} of up to {most}"
        );
        let text = String::from_utf8(answer).unwrap();
        let line = text.lines().next().unwrap();
        assert_eq!(line.split(' ').count(), words, "{command}");
        assert_eq!(line.split(',').count(), numbers, "{command}");
    }
    let answer = b.run("a SEARCH RETURN (COUNT) SEEN");
    assert!(answer.contains(" COUNT 7500\r\n"), "{answer}");
}
