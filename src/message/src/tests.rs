//! The scanner as its users see it: parts, places and sizes of well-formed,
//! broken and hostile messages.

use crate::section::{Found, Section};
use crate::{Content, Limits, Part, Span, Structure, crlf, scan};
use proptest::prelude::*;
use std::io::{self, Read};
use std::time::{Duration, Instant};

fn parse(text: &[u8]) -> Structure {
    scan(&mut &text[..], &Limits::DEFAULT).unwrap()
}

fn slice(text: &[u8], span: Span) -> &[u8] {
    &text[span.start as usize..span.end() as usize]
}

/// The shape of a message: types, sizes as on the wire, lines.
fn shape(part: &Part) -> String {
    let media = part.media_type();
    let name = |t: &[u8]| String::from_utf8_lossy(t).to_lowercase();
    let mut out = format!("{}/{}", name(&media.kind), name(&media.subtype));
    match &part.content {
        Content::Leaf => out += &format!(" {}:{}", part.body.crlf_len, part.body_lines),
        Content::Multipart(_) => {}
        Content::Message(_) => out += &format!(" {}:{}", part.body.crlf_len, part.body_lines),
    }
    let children: Vec<String> = part.children().iter().map(shape).collect();
    if !children.is_empty() {
        out += &format!("({})", children.join(", "));
    }
    out
}

fn shape_of(text: &str) -> String {
    let lf = shape(&parse(text.as_bytes()).root);
    let crlf = shape(&parse(text.replace('\n', "\r\n").as_bytes()).root);
    assert_eq!(lf, crlf, "line ends make a difference in {text:?}");
    lf
}

fn section<'a>(text: &'a [u8], path: &[u32], section: Section) -> Option<&'a str> {
    let span = parse(text).span(path, section)?;
    Some(std::str::from_utf8(slice(text, span)).unwrap())
}

/// RFC 2046 §5.1.1.
const SIMPLE: &str = "From: Nathaniel Borenstein <nsb@bellcore.com>\n\
To: Ned Freed <ned@innosoft.com>\n\
Date: Sun, 21 Mar 1993 23:56:48 -0800 (PST)\n\
Subject: Sample message\n\
MIME-Version: 1.0\n\
Content-type: multipart/mixed; boundary=\"simple boundary\"\n\
\n\
This is the preamble.  It is to be ignored.\n\
\n\
--simple boundary\n\
\n\
This is implicitly typed plain US-ASCII text.\n\
It does NOT end with a linebreak.\n\
--simple boundary\n\
Content-type: text/plain; charset=us-ascii\n\
\n\
This is explicitly typed plain US-ASCII text.\n\
It DOES end with a linebreak.\n\
\n\
--simple boundary--\n\
\n\
This is the epilogue.  It is also to be ignored.\n";

#[test]
fn simple_multipart() {
    assert_eq!(
        shape_of(SIMPLE),
        "multipart/mixed(text/plain 80:1, text/plain 78:2)"
    );
    let second = section(SIMPLE.as_bytes(), &[2], Section::Body).unwrap();
    assert!(second.ends_with("DOES end with a linebreak.\n"));
    let mime = section(SIMPLE.as_bytes(), &[2], Section::Mime).unwrap();
    assert_eq!(mime, "Content-type: text/plain; charset=us-ascii\n\n");
    assert_eq!(section(SIMPLE.as_bytes(), &[1], Section::Mime), Some("\n"));
}

/// The example of RFC 9051 §6.4.5.1, with words that say where they stand.
const NESTED: &str = "Subject: root\nContent-Type: multipart/mixed; boundary=a\n\n\
--a\nContent-Type: text/plain\n\none\n\
--a\nContent-Type: application/octet-stream\n\ntwo\n\
--a\nContent-Type: message/rfc822\n\n\
Subject: three\nContent-Type: multipart/mixed; boundary=b\n\n\
--b\nContent-Type: text/plain\n\nthree.one\n\
--b\nContent-Type: application/octet-stream\n\nthree.two\n--b--\n\
--a\nContent-Type: multipart/mixed; boundary=c\n\n\
--c\nContent-Type: image/gif\n\nfour.one\n\
--c\nContent-Type: message/rfc822\n\n\
Subject: four.two\nContent-Type: multipart/mixed; boundary=d\n\n\
--d\nContent-Type: text/plain\n\nfour.two.one\n\
--d\nContent-Type: multipart/alternative; boundary=e\n\n\
--e\nContent-Type: text/plain\n\nfour.two.two.one\n\
--e\nContent-Type: text/richtext\n\nfour.two.two.two\n--e--\n--d--\n--c--\n--a--\n";

#[test]
fn part_numbers_of_the_rfc() {
    let text = NESTED.as_bytes();
    let body = |path: &[u32]| section(text, path, Section::Body);
    let header = |path: &[u32]| section(text, path, Section::Header);
    assert_eq!(body(&[]), Some(NESTED));
    assert!(header(&[]).unwrap().starts_with("Subject: root\n"));
    assert!(
        section(text, &[], Section::Text)
            .unwrap()
            .starts_with("--a\n")
    );
    assert_eq!(body(&[1]), Some("one"));
    assert_eq!(body(&[2]), Some("two"));
    assert!(body(&[3]).unwrap().starts_with("Subject: three\n"));
    assert!(header(&[3]).unwrap().starts_with("Subject: three\n"));
    assert!(
        section(text, &[3], Section::Text)
            .unwrap()
            .starts_with("--b\n")
    );
    assert_eq!(body(&[3, 1]), Some("three.one"));
    assert_eq!(body(&[3, 2]), Some("three.two"));
    assert!(body(&[4]).unwrap().starts_with("--c\n"));
    assert_eq!(body(&[4, 1]), Some("four.one"));
    assert_eq!(
        section(text, &[4, 1], Section::Mime),
        Some("Content-Type: image/gif\n\n")
    );
    assert!(header(&[4, 2]).unwrap().starts_with("Subject: four.two\n"));
    assert!(
        section(text, &[4, 2], Section::Text)
            .unwrap()
            .starts_with("--d\n")
    );
    assert_eq!(body(&[4, 2, 1]), Some("four.two.one"));
    assert!(body(&[4, 2, 2]).unwrap().starts_with("--e\n"));
    assert_eq!(body(&[4, 2, 2, 1]), Some("four.two.two.one"));
    assert_eq!(body(&[4, 2, 2, 2]), Some("four.two.two.two"));
    for absent in [&[5][..], &[0], &[1, 1], &[3, 3], &[4, 2, 2, 3], &[4, 1, 1]] {
        assert_eq!(body(absent), None, "{absent:?}");
    }
    for no_message in [&[1][..], &[4], &[4, 1], &[4, 2, 2]] {
        assert_eq!(header(no_message), None, "{no_message:?}");
    }
}

#[test]
fn a_message_without_parts_is_its_own_part_one() {
    let text = b"A: b\n\nbody\n";
    assert_eq!(section(text, &[1], Section::Body), Some("body\n"));
    assert_eq!(section(text, &[1], Section::Mime), Some("A: b\n\n"));
    assert_eq!(section(text, &[1], Section::Header), None);
    assert_eq!(section(text, &[1, 1], Section::Body), None);
    assert_eq!(section(text, &[2], Section::Body), None);

    let text = b"Content-Type: message/rfc822\n\nSubject: in\n\ninner\n";
    assert_eq!(
        section(text, &[1], Section::Body),
        Some("Subject: in\n\ninner\n")
    );
    assert_eq!(
        section(text, &[1], Section::Header),
        Some("Subject: in\n\n")
    );
    assert_eq!(section(text, &[1], Section::Text), Some("inner\n"));
    assert_eq!(section(text, &[1, 1], Section::Body), Some("inner\n"));
    assert_eq!(
        section(text, &[1, 1], Section::Mime),
        Some("Subject: in\n\n")
    );
    assert_eq!(section(text, &[1, 2], Section::Body), None);
    assert_eq!(
        section(text, &[], Section::Header),
        Some("Content-Type: message/rfc822\n\n")
    );
}

/// Shapes that Dovecot gives the same messages.
#[test]
fn broken_messages() {
    let mixed = "Content-Type: multipart/mixed; boundary=x\n\n";
    let table = [
        ("".to_string(), "text/plain 0:0"),
        ("\nbody only\n".into(), "text/plain 11:1"),
        ("no header line\nA: b\n\nbody".into(), "text/plain 4:0"),
        ("A: b\n".into(), "text/plain 0:0"),
        ("Content-Type: text\n\nfoo\n".into(), "text/plain 5:1"),
        ("Content-Type: multipart/mixed\n\nfoo\n".into(), "multipart/mixed"),
        ("Content-Type: multipart/mixed; boundary=\"\"\n\n--\n".into(), "multipart/mixed"),
        (format!("{mixed}no delimiter\n"), "multipart/mixed"),
        (format!("{mixed}--x--\n"), "multipart/mixed"),
        (format!("{mixed}--x\n\nno end"), "multipart/mixed(text/plain 6:0)"),
        (format!("{mixed}--x"), "multipart/mixed(text/plain 0:0)"),
        (
            format!("{mixed}--x\nContent-Type: text/html\n--x\nContent-Type: message/rfc822\n\nA: x\n--x--\n"),
            "multipart/mixed(text/html 0:0, message/rfc822 6:1(text/plain 0:0))",
        ),
        (
            format!("{mixed}--x\nContent-Type: message/rfc822\n--x--\n"),
            "multipart/mixed(message/rfc822 0:0(text/plain 0:0))",
        ),
        (
            format!("{mixed}--x\nContent-Type: multipart/mixed; boundary=y\n--x--\n"),
            "multipart/mixed(multipart/mixed)",
        ),
        (
            format!("{mixed}--x\n\nfoo\n--x  \n\nbar\n in --x line\n--x-- \t\n--x\nlate\n"),
            "multipart/mixed(text/plain 3:0, text/plain 17:1)",
        ),
        (
            format!("{mixed}--x\nContent-Type: multipart/mixed; boundary=y\n\n--y\n\nyy\n--x\n\nend\n"),
            "multipart/mixed(multipart/mixed(text/plain 2:0), text/plain 5:1)",
        ),
        (
            format!("{mixed}--x\nContent-Type: multipart/mixed; boundary=xx\n\n--xx\n\na\n--xx--\n--x\n\nb\n--x--"),
            "multipart/mixed(multipart/mixed(text/plain 1:0), text/plain 1:0)",
        ),
        (
            "Content-Type: multipart/digest; boundary=x\n\n--x\n\nA: in\n\ntext\n--x\nContent-Type: text/html\n\n--x\n\n--x--".into(),
            "multipart/digest(message/rfc822 13:2(text/plain 4:0), text/html 0:0, message/rfc822 0:0(text/plain 0:0))",
        ),
        (
            "Content-Type: MESSAGE/Global\n\nContent-Type: message/rfc822\n\nA: b\n".into(),
            "message/global 38:3(message/rfc822 6:1(text/plain 0:0))",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(shape_of(&text), expected, "{text:?}");
    }
}

#[test]
fn a_multipart_without_parts_has_an_empty_one() {
    let structure = parse(b"Content-Type: multipart/mixed\n\nfoo\n");
    assert!(matches!(structure.part(&[1]), Some(Found::Empty)));
    assert!(structure.part(&[2]).is_none());
    assert!(structure.part(&[1, 1]).is_none());
    assert_eq!(structure.span(&[1], Section::Body), Some(Span::default()));
    assert_eq!(structure.span(&[1], Section::Header), None);
}

#[test]
fn envelope_of_an_inner_message() {
    let structure = parse(NESTED.as_bytes());
    let Some(Found::Part(part)) = structure.part(&[4, 2]) else {
        panic!("no part 4.2");
    };
    let Content::Message(inner) = &part.content else {
        panic!("no message");
    };
    assert_eq!(
        inner.envelope().subject().as_deref(),
        Some(&b"four.two"[..])
    );
    assert_eq!(
        structure.root.envelope().subject().as_deref(),
        Some(&b"root"[..])
    );
}

/// Gives a pattern again and again without ever holding it all.
struct Repeat {
    pattern: Vec<u8>,
    at: usize,
    left: u64,
}

fn repeat(pattern: impl Into<Vec<u8>>, times: u64) -> Repeat {
    let pattern = pattern.into();
    let left = pattern.len() as u64 * times;
    Repeat {
        pattern,
        at: 0,
        left,
    }
}

impl Read for Repeat {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = (buf.len() as u64).min(self.left) as usize;
        for b in &mut buf[..n] {
            *b = self.pattern[self.at];
            self.at = (self.at + 1) % self.pattern.len();
        }
        self.left -= n as u64;
        Ok(n)
    }
}

fn depth(part: &Part) -> usize {
    1 + part.children().iter().map(depth).max().unwrap_or(0)
}

fn quickly<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let out = work();
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    out
}

#[test]
fn messages_within_messages_without_end() {
    let mut bomb = repeat("Content-Type: message/rfc822\n\n", 100_000);
    let structure = quickly(|| scan(&mut bomb, &Limits::DEFAULT).unwrap());
    assert_eq!(depth(&structure.root), Limits::DEFAULT.depth);
    assert_eq!(structure.size.len, 3_000_000);
    let deepest = structure.root.walk().last().unwrap();
    assert!(deepest.media_type().is(b"application", b"octet-stream"));
}

#[test]
fn multiparts_within_multiparts_without_end() {
    let mut text = String::new();
    for i in 0..100_000 {
        text += &format!("Content-Type: multipart/mixed; boundary={i}y\n\n--{i}y\n");
    }
    let structure = quickly(|| parse(text.as_bytes()));
    assert_eq!(depth(&structure.root), Limits::DEFAULT.depth);
}

#[test]
fn parts_without_end() {
    let head = "Content-Type: multipart/digest; boundary=x\n\n";
    let body = repeat("--x\n\n", 1_000_000);
    let mut bomb = head.as_bytes().chain(body);
    let structure = quickly(|| scan(&mut bomb, &Limits::DEFAULT).unwrap());
    let parts = structure.root.walk().count();
    assert!(parts <= Limits::DEFAULT.parts + 1, "{parts}");
    assert_eq!(structure.size.len, 5_000_000 + head.len() as u64);
}

#[test]
fn headers_and_lines_without_end() {
    let bombs = [
        repeat(
            "To: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@bbbbbbbbbb\n",
            1_000_000,
        ),
        repeat("To: ", 10_000_000),
        repeat("To\n", 10_000_000),
        repeat("\r", 30_000_000),
    ];
    for mut bomb in bombs {
        let size = bomb.left;
        let structure = quickly(|| scan(&mut bomb, &Limits::DEFAULT).unwrap());
        assert_eq!(structure.root.header.len, size);
        assert!(structure.root.fields().len() <= Limits::DEFAULT.header + 1);
    }
}

#[test]
fn all_headers_together_stay_within_what_may_be_kept() {
    let limits = Limits {
        kept: 10_000,
        ..Limits::DEFAULT
    };
    let mut text = String::from("Content-Type: multipart/mixed; boundary=x\n\n");
    for _ in 0..100 {
        text += &format!("--x\nContent-ID: {}\n\nbody\n", "i".repeat(1000));
    }
    let structure = scan(&mut text.as_bytes(), &limits).unwrap();
    let kept: usize = structure.root.walk().map(|p| p.fields().len()).sum();
    assert!(kept <= limits.kept && kept > 5000, "{kept}");
    assert_eq!(structure.root.children().len(), 100);
}

struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.1.min(buf.len()).min(self.0.len());
        buf[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

/// Lines that make structure, and any others.
fn mail() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => prop::sample::select(vec![
            "", "--x", "--x--", "--y", "--xy", "--y--", "-", "--", "text", "\r", " ",
            "Content-Type: multipart/mixed; boundary=x",
            "Content-Type: multipart/digest; boundary=\"y\"",
            "Content-Type: multipart/mixed; boundary=xy",
            "Content-Type: message/rfc822",
            "Content-Type: text/html; charset=x",
            "Subject: s", "From: a@b, c",
        ]).prop_map(|s| s.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    let end = prop::sample::select(vec!["\n", "\r\n", "\n\n", "\r\n\r\n", "\r", ""]);
    prop::collection::vec((line, end), 0..40).prop_map(|lines| {
        let mut out = Vec::new();
        for (line, end) in lines {
            out.extend(line);
            out.extend(end.as_bytes());
        }
        out
    })
}

fn check_span(text: &[u8], span: Span) -> Result<(), TestCaseError> {
    prop_assert!(span.end() <= text.len() as u64, "{:?}", span);
    let count = crlf::count(&mut slice(text, span)).unwrap();
    prop_assert_eq!(count.crlf(), span.crlf_len, "{:?}", span);
    Ok(())
}

fn check_part(text: &[u8], part: &Part) -> Result<(), TestCaseError> {
    check_span(text, part.header)?;
    check_span(text, part.body)?;
    prop_assert_eq!(part.header.end(), part.body.start);
    let lines = slice(text, part.body)
        .iter()
        .filter(|&&b| b == b'\n')
        .count();
    prop_assert_eq!(part.body_lines, lines as u64);
    let mut at = part.body.start;
    for child in part.children() {
        prop_assert!(child.header.start >= at);
        at = child.body.end();
        prop_assert!(at <= part.body.end());
        check_part(text, child)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn places_and_sizes_are_true(text in mail()) {
        let structure = parse(&text);
        prop_assert_eq!(structure.size.len, text.len() as u64);
        check_span(&text, structure.size)?;
        prop_assert_eq!(structure.root.whole(), structure.size);
        check_part(&text, &structure.root)?;
    }

    #[test]
    fn small_reads_find_the_same(text in mail(), step in 1usize..9) {
        let slow = scan(&mut Slow(&text, step), &Limits::DEFAULT).unwrap();
        prop_assert_eq!(slow, parse(&text));
    }

    #[test]
    fn small_limits_keep_places_true(text in mail(), depth in 1usize..5, parts in 1usize..6) {
        let limits = Limits { depth, parts, header: 30, kept: 100 };
        let structure = scan(&mut &text[..], &limits).unwrap();
        check_part(&text, &structure.root)?;
        let found = structure.root.walk().count();
        prop_assert!(found <= parts + 1, "{} parts", found);
        prop_assert_eq!(scan(&mut Slow(&text, 3), &limits).unwrap(), structure);
    }

    #[test]
    fn any_bytes_have_a_structure(text in prop::collection::vec(any::<u8>(), 0..300)) {
        check_part(&text, &parse(&text).root)?;
    }

    #[test]
    fn every_part_that_exists_has_a_number(text in mail()) {
        fn check(s: &Structure, path: &mut Vec<u32>, part: &Part) -> Result<(), TestCaseError> {
            for (i, child) in part.children().iter().enumerate() {
                match &part.content {
                    Content::Multipart(_) => {
                        path.push(i as u32 + 1);
                        let found = s.span(path, Section::Body);
                        prop_assert_eq!(found, Some(child.body), "{:?}", path);
                        check(s, path, child)?;
                        path.pop();
                    }
                    _ => prop_assert_eq!(s.span(path, Section::Text), Some(child.body)),
                }
            }
            Ok(())
        }
        let structure = parse(&text);
        // Part numbers of a message that holds a multipart leave no level out.
        if matches!(structure.root.content, Content::Multipart(_)) {
            let only_multiparts = structure.root.walk()
                .all(|p| !matches!(p.content, Content::Message(_)));
            if only_multiparts {
                check(&structure, &mut Vec::new(), &structure.root)?;
            }
        }
    }
}
