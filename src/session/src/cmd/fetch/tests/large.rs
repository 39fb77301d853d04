//! Messages that are larger than memory should hold, broken ones, and files
//! that change while they are read.

use crate::Progress;
use crate::cmd::fetch::binary::{Binary, Measured};
use crate::cmd::fetch::body::{Body, Value};
use crate::cmd::fetch::plan::Need;
use crate::cmd::fetch::source::Source;
use crate::tests::bench::{Bench, drive};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use roost_imap::Frame;
use roost_imap::command::{Partial, Section, SectionText};
use roost_message::Structure;
use roost_types::Uid;
use std::num::NonZeroU32;

/// The literal behind `name`, and what follows it.
fn literal<'a>(answer: &'a [u8], name: &str) -> (&'a [u8], &'a [u8]) {
    let at = memchr::memmem::find(answer, name.as_bytes()).unwrap() + name.len();
    let rest = &answer[at..];
    let open = rest.iter().position(|&b| b == b'{').unwrap();
    let close = rest.iter().position(|&b| b == b'}').unwrap();
    let len: usize = std::str::from_utf8(&rest[open + 1..close])
        .unwrap()
        .parse()
        .unwrap();
    rest[close + 3..].split_at(len)
}

/// 3 MB with a large attachment, line ends mixed.
fn large() -> Vec<u8> {
    let mut text = b"Subject: large\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nsmall\n\
        --x\nContent-Transfer-Encoding: base64\n\n"
        .to_vec();
    for i in 0..40_000 {
        text.extend(b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg==");
        text.extend(if i % 3 == 0 { &b"\r\n"[..] } else { b"\n" });
    }
    text.extend(b"--x--\n");
    text
}

#[test]
fn large_messages_leave_in_pieces_of_the_right_length() {
    let large = large();
    let mut crlf = Vec::new();
    roost_message::crlf::append(&large, roost_message::crlf::Nul::Keep, &mut crlf);
    let mut bench = Bench::new(&[("", &large)]);
    let mut most = 0;
    let command = "a FETCH 1 (BODY[] BODY.PEEK[2]<5.2000000> BODY.PEEK[]<100000.70000> \
        BODY.PEEK[1] BINARY.PEEK[2] BINARY.SIZE[2] RFC822.SIZE BODY.PEEK[HEADER.FIELDS (Subject)])";
    let answer = drive(&mut bench.session, command, |n| most = most.max(n));
    assert!(most < 300_000, "a step appended {most}");
    let (whole, rest) = literal(&answer, "BODY[] ");
    assert!(whole == crlf, "the message differs");
    let (part, rest) = literal(rest, " BODY[2]<5> ");
    assert_eq!(part.len(), 2_000_000);
    assert!(part.starts_with(b"EVGR0hJSktMTU5PUFFSU1RVVldY"));
    let (piece, rest) = literal(rest, " BODY[]<100000> ");
    assert!(piece == &crlf[100_000..170_000]);
    let (small, rest) = literal(rest, " BODY[1] ");
    assert_eq!(small, b"small");
    let (binary, rest) = literal(rest, " BINARY[2] ");
    assert_eq!(binary.len(), 40_000 * 52);
    assert!(binary.ends_with(b"XYZabcdefghijklmnopqrstuvwxyz"));
    let rest = String::from_utf8_lossy(rest);
    assert_eq!(
        rest,
        format!(
            " BINARY.SIZE[2] 2080000 RFC822.SIZE {} BODY[HEADER.FIELDS (Subject)] {{18}}\r\n\
             Subject: large\r\n\r\n)\r\na OK Fetch completed\r\n",
            crlf.len()
        )
    );
    let piece = bench.octets("b FETCH 1 BODY.PEEK[]<100000.70000>");
    assert!(literal(&piece, "BODY[]<100000> ").0 == &crlf[100_000..170_000]);
    let both = bench.octets("c FETCH 1 (BODY.PEEK[]<9.5> BODY.PEEK[HEADER]<9.5> ENVELOPE)");
    let expected =
        "* 1 FETCH (BODY[]<9> {5}\r\nlarge BODY[HEADER]<9> {5}\r\nlarge ENVELOPE (NIL \"large\" ";
    assert!(String::from_utf8_lossy(&both).starts_with(expected));
}

/// Every section of every message, from memory and from the disk.
#[test]
fn what_is_held_in_memory_makes_no_difference() {
    let line = prop_oneof![prop::sample::select(vec![
        "",
        "--x",
        "--x--",
        "text\0",
        "\r",
        "From: a@b",
        "Subject: s",
        " folded",
        "Content-Type: multipart/mixed; boundary=x",
        "Content-Type: message/rfc822",
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: quoted-printable",
    ]),];
    let end = prop::sample::select(vec!["\n", "\r\n", "\n\n"]);
    let mail = prop::collection::vec((line, end), 0..20);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mails: Vec<Vec<u8>> = (0..200)
        .map(|_| {
            let lines = mail.new_tree(&mut runner).unwrap().current();
            lines
                .into_iter()
                .flat_map(|(l, e)| [l, e].concat().into_bytes())
                .collect()
        })
        .collect();
    let messages: Vec<(&str, &[u8])> = mails.iter().map(|m| ("S", &m[..])).collect();
    let bench = Bench::new(&messages);
    let selected = bench.session.selected().unwrap();
    let texts = [
        None,
        Some(SectionText::Header),
        Some(SectionText::Text),
        Some(SectionText::Mime),
        Some(SectionText::HeaderFields {
            not: false,
            names: vec![b"From".to_vec()],
        }),
        Some(SectionText::HeaderFields {
            not: true,
            names: vec![b"From".to_vec()],
        }),
    ];
    let mut compared = 0;
    for (_, row) in selected.view().snapshot().iter() {
        let load = |small| {
            let mut source =
                Source::load_up_to(selected.mailbox(), row.uid, Need::Structure, small).unwrap();
            let structure = Structure::clone(source.structure().unwrap());
            source.set_places(structure.into());
            source
        };
        let (memory, disk) = (load(1000), load(0));
        for (path, text, partial) in sections(&texts) {
            let part = path
                .iter()
                .filter_map(|&n| NonZeroU32::new(n))
                .collect::<Vec<_>>();
            let section = Section {
                part: part.clone(),
                text,
            };
            let body = Body::new(None, &section, partial);
            let (a, b) = (body.value(&memory).unwrap(), body.value(&disk).unwrap());
            assert_eq!(
                octets_of(a),
                octets_of(b),
                "{body:?} of UID {}",
                row.uid.get()
            );
            let binary = Binary::new(part, partial);
            let value = |source| binary.value(source, &mut Measured::default()).unwrap();
            let (a, b) = (value(&memory), value(&disk));
            assert_eq!(a.map(octets_of), b.map(octets_of), "{binary:?}");
            compared += 1;
        }
    }
    assert!(compared > 10_000);
}

#[test]
fn a_part_is_measured_once_however_often_it_is_asked_for() {
    let bench = Bench::new(&[("S", &large())]);
    let selected = bench.session.selected().unwrap();
    let mut source = Source::load_up_to(selected.mailbox(), Uid::MIN, Need::Structure, 0).unwrap();
    let structure = Structure::clone(source.structure().unwrap());
    source.set_places(structure.into());
    let binary = Binary::new(vec![NonZeroU32::new(2).unwrap()], None);
    let mut measured = Measured::default();
    let size = binary.size(&source, &mut measured).unwrap();
    assert_eq!(size, Some(40_000 * 52));
    std::fs::remove_file(bench.path(0)).unwrap();
    assert_eq!(binary.size(&source, &mut measured).unwrap(), size);
    assert!(binary.size(&source, &mut Measured::default()).is_err());
}

fn sections(texts: &[Option<SectionText>]) -> Vec<(&[u32], Option<SectionText>, Option<Partial>)> {
    let paths: [&[u32]; 5] = [&[], &[1], &[2], &[1, 1], &[2, 1]];
    let partials = [
        None,
        Some(Partial {
            offset: 3,
            length: 7,
        }),
    ];
    let mut all = Vec::new();
    for path in paths {
        for text in texts {
            for partial in partials {
                all.push((path, text.clone(), partial));
            }
        }
    }
    all
}

/// `None` for NIL; the length that was announced must be true.
fn octets_of(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::Nil => None,
        Value::Bytes(bytes) => Some(bytes),
        Value::Stream {
            mut reader,
            len,
            has_nul,
        } => {
            let mut bytes = Vec::new();
            reader
                .append(&mut bytes, usize::try_from(len).unwrap())
                .unwrap();
            assert_eq!(bytes.len() as u64, len);
            assert!(has_nul || !bytes.contains(&0));
            Some(bytes)
        }
    }
}

#[test]
fn a_header_too_large_for_memory_is_served_whole() {
    let mut text = Vec::new();
    for i in 0..20_000 {
        text.extend(format!("X-{i}: some value that fills the line\n").bytes());
    }
    text.extend(b"Subject: last\n\nbody\n");
    let header = text.len() - 5 + 20_002;
    let mut bench = Bench::new(&[("S", &text)]);
    let answer = bench.octets(
        "a FETCH 1 (BODY[HEADER] BODY[HEADER.FIELDS (Subject X-7)] BODY[HEADER.FIELDS.NOT (X-7)])",
    );
    let (whole, rest) = literal(&answer, "BODY[HEADER] ");
    assert_eq!(whole.len(), header);
    let (fields, rest) = literal(rest, "X-7)] ");
    assert_eq!(
        fields,
        b"X-7: some value that fills the line\r\nSubject: last\r\n\r\n"
    );
    let (others, rest) = literal(rest, "X-7)] ");
    assert_eq!(
        others.len(),
        header - "X-7: some value that fills the line\r\n".len()
    );
    assert_eq!(rest, b")\r\na OK Fetch completed\r\n");
}

#[test]
fn a_file_that_shrinks_ends_the_connection_without_a_wrong_literal() {
    let large = large();
    let mut bench = Bench::new(&[("S", &large)]);
    let path = bench.path(0);
    let mut out = Vec::new();
    let command = b"a FETCH 1 BODY.PEEK[]".to_vec();
    let mut progress = bench.session.take(Frame::Command(command), &mut out);
    let mut steps = 0;
    while progress == Progress::More {
        progress = bench.session.step(&mut out);
        steps += 1;
        if steps == 4 {
            assert!(!bench.session.can_say_bye(), "within a literal");
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(1000).unwrap();
        }
    }
    assert!(matches!(progress, Progress::End(_)), "{progress:?}");
    assert!(!String::from_utf8_lossy(&out).contains("BYE"));
    assert!(out.len() < large.len());
}

#[test]
fn broken_mail_has_an_answer_to_everything() {
    let broken: [&[u8]; 5] = [
        b"",
        b"\n",
        b"Content-Type: multipart/mixed\n\nno parts",
        b"From: <\xff\nSubject: \0\nContent-Type: ;;\"\n",
        b"\xff\xfe\0\0",
    ];
    let messages: Vec<(&str, &[u8])> = broken.iter().map(|&b| ("S", b)).collect();
    let mut bench = Bench::new(&messages);
    let answer = bench.octets(
        "a FETCH 1:* (UID RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE BODY[] BODY[1] BODY[1.MIME] \
         BODY[HEADER] BODY[TEXT] BINARY[1] BINARY.SIZE[1] BODY[HEADER.FIELDS (From)])",
    );
    let text = String::from_utf8_lossy(&answer);
    assert!(text.ends_with("a OK Fetch completed\r\n"), "{text}");
    for n in 1..=5 {
        assert!(
            text.contains(&format!("* {n} FETCH (UID {n} RFC822.SIZE ")),
            "{text}"
        );
    }
    assert!(
        text.contains("BODY[1] \"\" BODY[1.MIME] \"\" BODY[HEADER] {33}"),
        "{text}"
    );
}
