//! Answers out of what is kept are those that the files give, whatever has
//! become of the pieces.

use super::{envelope, structure};
use crate::tests::bench::Bench;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use roost_imap::write::{self, Dialect};
use roost_message::crlf::{self, Nul};
use roost_message::filter::{self, Keep};
use roost_message::{Envelope, Limits, header, scan_bytes};

const ITEMS: &str = "(UID RFC822.SIZE INTERNALDATE ENVELOPE BODY BODYSTRUCTURE PREVIEW \
    BODY.PEEK[HEADER] BODY.PEEK[HEADER.FIELDS (Subject From X-Odd)] \
    BODY.PEEK[HEADER.FIELDS (subject TO content-type)] BODY.PEEK[HEADER.FIELDS.NOT (To X-Odd)] \
    BODY.PEEK[HEADER.FIELDS (Subject)]<3.9> BODY.PEEK[] BODY.PEEK[]<5.70> BODY.PEEK[TEXT] \
    BODY.PEEK[1] BODY.PEEK[1]<2.5> BODY.PEEK[1.MIME] BODY.PEEK[2] BODY.PEEK[2.1.HEADER] \
    BODY.PEEK[2.HEADER.FIELDS (From)] BODY.PEEK[1.1] BINARY.SIZE[1] BINARY.SIZE[2])";

/// Headers, parts and texts of many kinds, few of them right.
fn mails() -> Vec<Vec<u8>> {
    let line = prop::sample::select(vec![
        "",
        "--x",
        "--x--",
        "text",
        "text\0",
        "> quoted",
        "\r",
        "From: a@b",
        "From: =?utf-8?q?J=C3=BCrgen?= <j@b>, caf\u{e9} <c@d>",
        "To: undisclosed: a@b, <c@d>;",
        "Subject: Re: s =?iso-8859-1?q?=E9?=",
        "Subject: caf\u{e9}",
        "X-Odd: 1",
        " folded",
        "Date: Mon, 1 Jan 2024 10:00:00 +0200",
        "Received: from somewhere by nowhere; sometime",
        "no field",
        "Content-Type: multipart/mixed; boundary=x",
        "Content-Type: multipart/alternative",
        "Content-Type: message/rfc822",
        "Content-Type: text/html; charset=iso-8859-1; name=\"\u{e9}\"",
        "Content-Disposition: attachment; filename=\"a b\"",
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: quoted-printable",
        "aGVsbG8=",
        "<p>caf=C3=A9</p>",
    ]);
    let end = prop::sample::select(vec!["\n", "\n", "\r\n", "\n\n"]);
    let mail = prop::collection::vec((line, end), 0..24);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut mails: Vec<Vec<u8>> = (0..150)
        .map(|_| {
            let lines = mail.new_tree(&mut runner).unwrap().current();
            let lines = lines.into_iter();
            lines
                .flat_map(|(l, e)| [l, e].concat().into_bytes())
                .collect()
        })
        .collect();
    // More than fits into one read, and a header that is not kept whole.
    let mut large =
        b"Subject: large\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\n".to_vec();
    large.extend(b"line of text\n".repeat(7000));
    large.extend(b"--x\nContent-Type: message/rfc822\n\nFrom: i@j\n\ninner\n--x--\n");
    mails.push(large);
    let mut header = b"Subject: s\nTo: ".to_vec();
    header.extend(b"someone@example.test,\n ".repeat(5000));
    header.extend(b"\nX-Odd: y\n\nbody\n");
    mails.push(header);
    mails
}

fn bench(mails: &[Vec<u8>]) -> Bench {
    let messages: Vec<(&str, &[u8])> = mails.iter().map(|m| ("S", &m[..])).collect();
    Bench::new(&messages)
}

fn answer(bench: &mut Bench) -> Vec<u8> {
    bench.octets(&format!("a FETCH 1:* {ITEMS}"))
}

fn contains(answer: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(answer, part).is_some()
}

#[test]
fn the_files_say_the_same() {
    let mails = mails();
    for dialect in [Dialect::Ascii, Dialect::Utf8] {
        let mut bench = bench(&mails);
        if dialect == Dialect::Utf8 {
            bench.run("e ENABLE IMAP4rev2");
        }
        for (n, mail) in (1..).zip(&mails) {
            let block = &mail[..header::len(mail)];
            let structure = scan_bytes(mail, &Limits::DEFAULT);
            let mut expected = b" ENVELOPE ".to_vec();
            envelope::write(&mut expected, &Envelope::new(block), dialect);
            expected.extend(b" BODY ");
            let mut text = Vec::new();
            let extensions = structure::write(&mut text, &structure.root, dialect);
            let whole = text.clone();
            for (start, end) in extensions.into_iter().rev() {
                text.drain(start..end);
            }
            expected.extend([&text[..], b" BODYSTRUCTURE ", &whole].concat());
            expected.extend(b" PREVIEW ");
            let preview = roost_message::preview::preview(&structure, &mut &mail[..]).unwrap();
            write::nstring(&mut expected, Some(preview.as_bytes()), dialect);
            expected.extend(b" BODY[HEADER] ");
            string(&mut expected, |out| crlf::append(block, Nul::Replace, out));
            for names in ["Subject From X-Odd", "subject TO content-type"] {
                expected.extend(format!(" BODY[HEADER.FIELDS ({names})] ").bytes());
                let names: Vec<_> = names.split(' ').map(|n| n.as_bytes().to_vec()).collect();
                string(&mut expected, |out| {
                    filter::append(block, &Keep::only(&names), out)
                });
            }
            let answer = bench.octets(&format!("a FETCH {n} {ITEMS}"));
            assert!(
                contains(&answer, &expected),
                "{:?}\n{}\n{}",
                String::from_utf8_lossy(&mail[..mail.len().min(500)]),
                String::from_utf8_lossy(&answer[..answer.len().min(2000)]),
                String::from_utf8_lossy(&expected[..expected.len().min(2000)])
            );
            let size = format!(" RFC822.SIZE {} ", structure.size.crlf_len);
            assert!(contains(&answer, size.as_bytes()), "{size}");
        }
    }
}

fn string(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut text = Vec::new();
    write(&mut text);
    match text.is_empty() {
        true => out.extend(b"\"\""),
        false => write::literal(out, &text),
    }
}

#[test]
fn what_is_kept_makes_no_difference() {
    let mut bench = bench(&mails());
    let fresh = answer(&mut bench);
    assert!(answer(&mut bench) == fresh, "a second time");
    bench = bench.again();
    assert!(answer(&mut bench) == fresh, "out of the file");
    std::fs::remove_file(bench.cache()).unwrap();
    assert!(answer(&mut bench) == fresh, "out of a deleted file");
    bench.run("e ENABLE IMAP4rev2");
    let other = answer(&mut bench);
    bench = bench.again();
    bench.run("e ENABLE IMAP4rev2");
    assert!(answer(&mut bench) == other, "in the other dialect");
}

#[test]
fn a_kept_answer_needs_no_file() {
    let mut bench = bench(&mails());
    let items = "a FETCH 1:150 (RFC822.SIZE ENVELOPE BODYSTRUCTURE PREVIEW \
        BODY.PEEK[HEADER.FIELDS (Subject To)])";
    let fresh = bench.octets(items);
    bench = bench.again();
    for n in 0..150 {
        std::fs::write(bench.path(n), "another message\n").unwrap();
    }
    assert!(bench.octets(items) == fresh);
}

#[test]
fn damage_makes_no_difference() {
    let mut bench = bench(&mails());
    let fresh = answer(&mut bench);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..200);
    for round in 0..20 {
        bench = bench.again();
        answer(&mut bench);
        let path = bench.cache();
        // Some of it while the file is open, which it is not at other times.
        let alive = round % 2 == 0;
        let path = match alive {
            true => path,
            false => {
                bench = bench.again();
                path
            }
        };
        let mut octets = std::fs::read(&path).unwrap();
        for (at, value) in damage.new_tree(&mut runner).unwrap().current() {
            if !octets.is_empty() {
                *at.get_mut(&mut octets) = value;
            }
        }
        std::fs::write(&path, octets).unwrap();
        assert!(answer(&mut bench) == fresh, "round {round}");
    }
}

#[test]
fn wants_that_come_later_are_met() {
    let mut bench = bench(&mails());
    let lazy = bench.run("a FETCH 151 (PREVIEW (LAZY))");
    assert!(lazy.contains("PREVIEW NIL"), "{lazy}");
    bench.run("b FETCH 1:* (ENVELOPE BODYSTRUCTURE)");
    bench.run("b FETCH 1:150 PREVIEW");
    let lazy = bench.run("c FETCH 1:151 (PREVIEW (LAZY))");
    assert!(lazy.contains("* 151 FETCH (PREVIEW NIL)"), "{lazy}");
    assert_eq!(lazy.matches("PREVIEW NIL").count(), 1);
    let all = answer(&mut bench);
    bench = bench.again();
    assert!(answer(&mut bench) == all);
    let lazy = bench.run("d FETCH 151 (PREVIEW (LAZY))");
    assert!(lazy.contains("PREVIEW \"line of text line"), "{lazy}");
}

#[test]
fn a_size_that_a_file_name_has_wrong_is_put_right_everywhere() {
    let mail = b"Subject: s\nFrom: a@b\n\nbody\n";
    let mut bench = bench(&[mail.to_vec()]);
    let name = format!("1700000000.M7P7.x,S={},W=5:2,S", mail.len());
    std::fs::write(bench.path(0).with_file_name(name), mail).unwrap();
    bench.run("a NOOP");
    assert_eq!(sizes(&mut bench), [5; 3]);
    bench.run("c FETCH 2 BODYSTRUCTURE");
    let right = mail.len() + mail.iter().filter(|&&b| b == b'\n').count();
    assert_eq!(sizes(&mut bench), [right; 3]);
}

/// RFC822.SIZE of the second message, alone and beside what records tell.
fn sizes(bench: &mut Bench) -> [usize; 3] {
    ["", " ENVELOPE", " BODY.PEEK[HEADER.FIELDS (Subject)]"].map(|item| {
        let answer = bench.run(&format!("b FETCH 2 (RFC822.SIZE{item})"));
        let (_, size) = answer.split_once("RFC822.SIZE ").unwrap();
        let end = size.find([' ', ')']).unwrap();
        size[..end].parse().unwrap()
    })
}
