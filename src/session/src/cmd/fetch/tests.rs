//! FETCH in whole sessions, on Maildirs of their own.

mod large;

use crate::tests::bench::{Bench, drive};

const SIMPLE: &[u8] =
    b"From: Joe <joe@x.test>\nSubject: hello\nDate: Mon, 1 Jan 2024 10:00:00 +0000\n\
    X-Other: 1\n\nline one\nline two\n";

const MULTI: &[u8] = b"Subject: multi\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\n\
    first\n--x\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n\
    aGVsbG8AIHdvcmxk\n--x\nContent-Type: message/rfc822\n\nSubject: inner\n\ninner body\n\
    --x\nContent-Transfer-Encoding: x-odd\n\nodd\n--x\nContent-Transfer-Encoding: quoted-printable\n\n\
    caf=C3=A9=\n!\n--x--\n";

#[test]
fn items_that_need_no_file() {
    let mut bench = Bench::new(&[("", SIMPLE), ("FS", MULTI)]);
    let all = bench.run("a FETCH 1:2 (FLAGS UID)");
    assert!(all.contains("* 1 FETCH (FLAGS () UID 1)\r\n"), "{all}");
    assert!(
        all.contains("* 2 FETCH (FLAGS (\\Flagged \\Seen) UID 2)\r\n"),
        "{all}"
    );
    assert!(all.ends_with("a OK Fetch completed\r\n"), "{all}");
    let all = bench.run("b UID FETCH 2 FLAGS");
    assert_eq!(
        all,
        "* 2 FETCH (UID 2 FLAGS (\\Flagged \\Seen))\r\nb OK Fetch completed\r\n"
    );
    let size = String::from_utf8_lossy(SIMPLE).replace('\n', "\r\n").len();
    let fast = bench.run("c FETCH 1 FAST");
    assert!(
        fast.starts_with("* 1 FETCH (FLAGS () INTERNALDATE \""),
        "{fast}"
    );
    assert!(fast.contains(&format!("RFC822.SIZE {size})\r\n")), "{fast}");
    assert_eq!(
        bench.run("d UID FETCH 77 FLAGS"),
        "d OK Fetch completed\r\n"
    );
    assert!(bench.run("e FETCH 3 FLAGS").starts_with("e BAD "));
}

#[test]
fn envelope_and_header_fields() {
    let mut bench = Bench::new(&[("S", SIMPLE)]);
    let answer = bench.run(
        "a FETCH 1 (ENVELOPE BODY.PEEK[HEADER.FIELDS (subject X-None)] \
         BODY[HEADER.FIELDS.NOT (From Date)]<3.9> RFC822.HEADER)",
    );
    let joe = "((\"Joe\" NIL \"joe\" \"x.test\"))";
    assert_eq!(
        answer,
        format!(
            "* 1 FETCH (ENVELOPE (\"Mon, 1 Jan 2024 10:00:00 +0000\" \"hello\" {joe} {joe} {joe} \
             NIL NIL NIL NIL NIL) BODY[HEADER.FIELDS (subject X-None)] {{18}}\r\n\
             Subject: hello\r\n\r\n BODY[HEADER.FIELDS.NOT (From Date)]<3> {{9}}\r\n\
             ject: hel RFC822.HEADER {{92}}\r\nFrom: Joe <joe@x.test>\r\nSubject: hello\r\n\
             Date: Mon, 1 Jan 2024 10:00:00 +0000\r\nX-Other: 1\r\n\r\n)\r\na OK Fetch completed\r\n"
        )
    );
}

#[test]
fn bodies_and_their_parts() {
    let mut bench = Bench::new(&[("S", MULTI)]);
    let mut section = |name: &str| {
        let answer = bench.run(&format!("a FETCH 1 {name}"));
        let head = "* 1 FETCH (";
        let body = answer
            .strip_prefix(head)
            .unwrap_or_else(|| panic!("{answer}"));
        body.strip_suffix(")\r\na OK Fetch completed\r\n")
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    };
    let whole = String::from_utf8_lossy(MULTI).replace('\n', "\r\n");
    assert_eq!(
        section("BODY[]"),
        format!("BODY[] {{{}}}\r\n{whole}", whole.len())
    );
    assert_eq!(
        section("RFC822"),
        format!("RFC822 {{{}}}\r\n{whole}", whole.len())
    );
    assert_eq!(section("BODY[1]"), "BODY[1] {5}\r\nfirst");
    assert_eq!(section("BODY.PEEK[1]<1.3>"), "BODY[1]<1> {3}\r\nirs");
    assert_eq!(section("BODY[1]<5.3>"), "BODY[1]<5> \"\"");
    assert_eq!(
        section("BODY[1]<999999999999.3>"),
        "BODY[1]<999999999999> \"\""
    );
    assert_eq!(section("BODY[]<9.5>"), "BODY[]<9> {5}\r\nmulti");
    assert_eq!(section("BODY[TEXT]<0.5>"), "BODY[TEXT]<0> {5}\r\n--x\r\n");
    assert_eq!(
        section("BODY[3]"),
        "BODY[3] {28}\r\nSubject: inner\r\n\r\ninner body"
    );
    assert_eq!(
        section("BODY[3.HEADER]"),
        "BODY[3.HEADER] {18}\r\nSubject: inner\r\n\r\n"
    );
    assert_eq!(
        section("BODY[3.HEADER.FIELDS (Subject)]"),
        "BODY[3.HEADER.FIELDS (Subject)] {18}\r\nSubject: inner\r\n\r\n"
    );
    assert_eq!(section("BODY[3.TEXT]"), "BODY[3.TEXT] {10}\r\ninner body");
    assert_eq!(section("BODY[3.1]"), "BODY[3.1] {10}\r\ninner body");
    assert_eq!(section("BODY[1.MIME]"), "BODY[1.MIME] {2}\r\n\r\n");
    assert_eq!(section("BODY[9]"), "BODY[9] NIL");
    assert_eq!(section("BODY[1.TEXT]"), "BODY[1.TEXT] NIL");
    assert!(section("BODYSTRUCTURE").ends_with("\"mixed\" (\"boundary\" \"x\") NIL NIL NIL)"));
    assert!(section("BODY").ends_with("\"mixed\")"));
}

#[test]
fn binary_parts() {
    let mut bench = Bench::new(&[("S", MULTI)]);
    let answer = bench.octets("a FETCH 1 (BINARY.SIZE[2] BINARY[2] BINARY[2]<3.4> BINARY.PEEK[5])");
    let expected = "* 1 FETCH (BINARY.SIZE[2] 12 BINARY[2] ~{12}\r\nhello\0 world \
        BINARY[2]<3> ~{4}\r\nlo\0  BINARY[5] {6}\r\ncafé!)\r\na OK Fetch completed\r\n";
    assert_eq!(String::from_utf8_lossy(&answer), expected);
    let answer = bench.run("b FETCH 1 (BINARY[4] BINARY.SIZE[4] UID)");
    assert_eq!(
        answer,
        "* 1 FETCH (UID 1)\r\nb NO [UNKNOWN-CTE] Content transfer encoding not known\r\n"
    );
    let answer = bench.run("c FETCH 1 (BINARY[9] BINARY.SIZE[9] BINARY.SIZE[3] BINARY.SIZE[])");
    let size = MULTI.len() + MULTI.iter().filter(|&&b| b == b'\n').count();
    assert!(
        answer.starts_with(&format!(
            "* 1 FETCH (BINARY[9] NIL BINARY.SIZE[9] 0 BINARY.SIZE[3] 28 BINARY.SIZE[] {size})"
        )),
        "{answer}"
    );
}

#[test]
fn nul_is_served_as_0x80_except_in_binary() {
    let mut bench = Bench::new(&[("S", b"A: b\n\nx\0y\n")]);
    let answer = bench.octets("a FETCH 1 (BODY[TEXT] BINARY[1])");
    let expected: &[u8] =
        b"* 1 FETCH (BODY[TEXT] {5}\r\nx\x80y\r\n BINARY[1] ~{5}\r\nx\0y\r\n)\r\na OK Fetch completed\r\n";
    assert_eq!(answer, expected);
}

#[test]
fn reading_a_body_sets_seen_and_says_so() {
    let mut bench = Bench::new(&[("", SIMPLE), ("", SIMPLE), ("S", SIMPLE)]);
    let answer = bench.run("a FETCH 1 BODY.PEEK[TEXT]");
    assert!(!answer.contains("FLAGS"), "{answer}");
    let answer = bench.run("b FETCH 1,3 BODY[TEXT]");
    assert_eq!(
        answer,
        "* 1 FETCH (FLAGS (\\Seen) BODY[TEXT] {20}\r\nline one\r\nline two\r\n)\r\n\
         * 3 FETCH (BODY[TEXT] {20}\r\nline one\r\nline two\r\n)\r\nb OK Fetch completed\r\n"
    );
    let answer = bench.run("c FETCH 2 (FLAGS RFC822.TEXT)");
    assert!(
        answer.starts_with("* 2 FETCH (FLAGS (\\Seen) RFC822.TEXT {20}"),
        "{answer}"
    );
    assert_eq!(answer.matches("FLAGS").count(), 1, "{answer}");
    assert!(bench.path(1).to_string_lossy().ends_with(":2,S"));
}

#[test]
fn an_examined_mailbox_stays_as_it_is() {
    let mut bench = Bench::new(&[("", SIMPLE)]);
    bench.run("a EXAMINE INBOX");
    let answer = bench.run("b FETCH 1 BODY[TEXT]");
    assert!(!answer.contains("FLAGS"), "{answer}");
    assert!(bench.path(0).to_string_lossy().ends_with(":2,"));
}

#[test]
fn messages_that_are_gone() {
    let mut bench = Bench::new(&[("S", SIMPLE), ("S", SIMPLE), ("S", SIMPLE)]);
    let mut other = bench.other();
    drive(&mut other, "x STORE 2 FLAGS \\Deleted", |_| {});
    let answer = drive(&mut other, "x EXPUNGE", |_| {});
    assert!(String::from_utf8_lossy(&answer).contains("* 2 EXPUNGE"));
    let answer = bench.run("a FETCH 1:3 (UID FLAGS)");
    assert!(answer.contains("* 2 FETCH (UID 2 FLAGS ("), "{answer}");
    assert!(answer.contains("a OK"), "{answer}");
    let answer = bench.run("b FETCH 1:3 (UID BODY.PEEK[TEXT])");
    assert!(
        answer.contains("* 1 FETCH (UID 1 BODY[TEXT] {20}"),
        "{answer}"
    );
    assert!(answer.contains("* 2 FETCH (UID 2)\r\n"), "{answer}");
    assert!(
        answer.contains("* 3 FETCH (UID 3 BODY[TEXT] {20}"),
        "{answer}"
    );
    assert!(answer.contains("\r\nb NO [EXPUNGEISSUED] "), "{answer}");
    let answer = bench.run("c FETCH 2 BODY.PEEK[TEXT]");
    assert!(answer.starts_with("c NO [EXPUNGEISSUED] "), "{answer}");
}

#[test]
fn many_messages_take_many_small_steps() {
    let messages = vec![("S", SIMPLE); 3000];
    let mut bench = Bench::new(&messages);
    let (mut most, mut steps) = (0, 0);
    let answer = drive(
        &mut bench.session,
        "a FETCH 1:* (UID FLAGS ENVELOPE)",
        |n| {
            most = most.max(n);
            steps += 1;
        },
    );
    assert!(most < 80_000 && steps > 5, "{steps} steps of up to {most}");
    let text = String::from_utf8(answer).unwrap();
    assert_eq!(text.matches(" FETCH (UID ").count(), 3000);
}

#[test]
fn many_items_of_one_message_take_many_steps() {
    let mail = format!("Subject: {}\n\nbody\n", "x".repeat(900));
    let mut bench = Bench::new(&[("S", mail.as_bytes())]);
    let items: String = (0..200)
        .map(|n| format!("BODY.PEEK[HEADER]<{n}.900> "))
        .collect();
    let (mut most, mut steps) = (0, 0);
    let command = format!("a FETCH 1 ({})", items.trim_end());
    let answer = drive(&mut bench.session, &command, |n| {
        most = most.max(n);
        steps += 1;
    });
    assert!(answer.len() > 100_000, "{}", answer.len());
    assert!(most < 70_000 && steps > 1, "{steps} of up to {most}");
}

#[test]
fn windows_of_messages() {
    let small: &[u8] = b"A: b\n\n";
    let mut bench = Bench::new(&[("", small); 7]);
    let mut uids = |command: &str| {
        let answer = bench.run(command);
        assert!(answer.contains("a OK "), "{answer}");
        let lines = answer.lines().filter(|l| l.contains(" FETCH "));
        lines
            .map(|l| l.split(' ').nth(1).unwrap().parse().unwrap())
            .collect::<Vec<u32>>()
    };
    assert_eq!(uids("a UID FETCH 2:6 (UID) (PARTIAL -1:-3)"), [4, 5, 6]);
    assert_eq!(uids("a UID FETCH 2:* FLAGS (PARTIAL 2:1)"), [2, 3]);
    assert_eq!(uids("a UID FETCH 1:* UID (PARTIAL 8:9)"), [0u32; 0]);
    let all: Vec<u32> = (0..4)
        .flat_map(|n| {
            uids(&format!(
                "a UID FETCH 1:* UID (PARTIAL {}:{})",
                n * 2 + 1,
                n * 2 + 2
            ))
        })
        .collect();
    assert_eq!(all, [1, 2, 3, 4, 5, 6, 7]);
    // The window is of the set, and what has changed is asked of the window.
    bench.run("b STORE 1,7 +FLAGS.SILENT (x)");
    let answer = bench.run("c FETCH 7 MODSEQ");
    let modseq: u64 = answer
        .split(['(', ')'])
        .nth(2)
        .and_then(|n| n.parse().ok())
        .unwrap();
    let command = format!(
        "a UID FETCH 1:* UID (PARTIAL -1:-2 CHANGEDSINCE {})",
        modseq - 1
    );
    let mut uids = |command: &str| bench.run(command).matches(" FETCH ").count();
    assert_eq!(uids(&command), 1);
}

/// What is known of a message is copied; the first time, and where a field is
/// not kept, it is found out: nobody can tell.
#[test]
fn quick_answers_are_those_of_the_files() {
    let long = format!("To: b@y.test\nX-Odd: {}\nCc: c\n\nbody\n", "o".repeat(2000));
    let mut bench = Bench::new(&[("", SIMPLE), ("F", long.as_bytes()), ("S", MULTI)]);
    let items = "(INTERNALDATE RFC822.SIZE FLAGS MODSEQ ENVELOPE BODY BODYSTRUCTURE \
         BODY.PEEK[HEADER.FIELDS (To X-Odd Subject)] BODY.PEEK[HEADER.FIELDS (From Cc)])";
    bench.run("e ENABLE CONDSTORE");
    for command in ["UID FETCH", "FETCH"] {
        let first = bench.run(&format!("a {command} 1:* {items}"));
        let counted = bench.session.counters();
        assert_eq!(bench.run(&format!("a {command} 1:* {items}")), first);
        let again = bench.session.counters();
        assert_eq!(again.header_count - counted.header_count, 6);
        let octets = again.header_bytes - counted.header_bytes;
        assert_eq!(octets, 18 + 26 + 2025 + 9 + 18 + 2, "{first}");
        assert!(first.contains(&"o".repeat(2000)), "{first}");
        assert!(first.contains("* 3 FETCH (") && first.ends_with("a OK Fetch completed\r\n"));
    }
}
