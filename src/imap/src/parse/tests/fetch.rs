//! FETCH.

use super::{err, ok, one};
use crate::command::*;
use crate::parse::{MAX_FETCH_ITEMS, MAX_HEADER_NAMES, MAX_SECTION_DEPTH};
use crate::write;
use proptest::prelude::*;
use std::num::NonZeroU32;

fn items(text: &str) -> Vec<FetchItem> {
    match ok(&format!("FETCH 1 {text}")) {
        Command::Fetch(args) => args.items,
        other => panic!("{other:?}"),
    }
}

fn body(text: &str) -> (Section, Option<Partial>, bool) {
    match items(text).pop() {
        Some(FetchItem::Section {
            section,
            partial,
            peek,
        }) => (section, partial, peek),
        other => panic!("{other:?}"),
    }
}

fn part(numbers: &[u32]) -> SectionPart {
    numbers.iter().filter_map(|&n| NonZeroU32::new(n)).collect()
}

#[test]
fn macros() {
    use FetchItem::*;
    let fast = [Flags, InternalDate, Rfc822Size];
    assert_eq!(items("fast"), fast);
    assert_eq!(items("ALL")[..3], fast);
    assert_eq!(items("ALL")[3..], [Envelope]);
    assert_eq!(items("FULL")[3..], [Envelope, Body]);
    err("FETCH 1 (ALL)");
    err("FETCH 1 ALL FLAGS");
}

#[test]
fn plain_items() {
    use FetchItem::*;
    assert_eq!(
        items(
            "(UID Flags INTERNALDATE RFC822.SIZE envelope BODY BODYSTRUCTURE RFC822 RFC822.HEADER RFC822.TEXT)"
        ),
        [
            Uid,
            Flags,
            InternalDate,
            Rfc822Size,
            Envelope,
            Body,
            BodyStructure,
            Rfc822,
            Rfc822Header,
            Rfc822Text
        ]
    );
    assert_eq!(items("BODY"), [Body]);
    assert_eq!(items("(FLAGS flags UID FLAGS)"), [Flags, Uid], "no doubles");
    let Command::Fetch(args) = ok("UID FETCH 1 (FLAGS)") else {
        panic!()
    };
    assert!(args.uid);
    assert_eq!(args.set, one(1));
    for bad in [
        "",
        " 1",
        " 1 ()",
        " 1 FOO",
        " 1 (FLAGS",
        " 1 (FLAGS) (FOO 1)",
        " FLAGS",
        " 1 RFC822.SIZED",
        " 1 AVERYLONGNAMEINDEED",
        " 1 BODY.PEEK",
        " 1 BINARY",
    ] {
        err(&format!("FETCH{bad}"));
    }
}

#[test]
fn sections() {
    let whole = Section::default();
    assert_eq!(body("BODY[]"), (whole.clone(), None, false));
    assert_eq!(body("body.peek[]"), (whole.clone(), None, true));
    let range = Some(Partial {
        offset: 0,
        length: 2048,
    });
    assert_eq!(body("BODY[]<0.2048>"), (whole, range, false));
    assert_eq!(body("BODY[1.2.3]").0.part, part(&[1, 2, 3]));
    assert_eq!(body("BODY[HEADER]").0.text, Some(SectionText::Header));
    assert_eq!(body("BODY.PEEK[TEXT]").0.text, Some(SectionText::Text));
    let mime = body("BODY[4.2.mime]").0;
    assert_eq!(
        (mime.part, mime.text),
        (part(&[4, 2]), Some(SectionText::Mime))
    );
    let fields = |not, names: &[&str]| SectionText::HeaderFields {
        not,
        names: names.iter().map(|n| n.as_bytes().to_vec()).collect(),
    };
    assert_eq!(
        body("BODY[HEADER.FIELDS (DATE FROM)]").0.text,
        Some(fields(false, &["DATE", "FROM"]))
    );
    assert_eq!(
        body("BODY.PEEK[2.header.fields.not (\"X Y\" {1}\r\nz)]").0,
        Section {
            part: part(&[2]),
            text: Some(fields(true, &["X Y", "z"]))
        }
    );
    for bad in [
        "BODY[",
        "BODY[0]",
        "BODY[1.]",
        "BODY[1.0]",
        "BODY[.1]",
        "BODY[1..2]",
        "BODY[MIME]",
        "BODY[FOO]",
        "BODY[1HEADER]",
        "BODY[1]TEXT",
        "BODY[HEADER.FIELDS]",
        "BODY[HEADER.FIELDS ()]",
        "BODY[HEADER.FIELDS (a]",
        "BODY[]<",
        "BODY[]<1>",
        "BODY[]<1.0>",
        "BODY[]<.1>",
        "BODY[]<1.2",
        "BODY[HEADER ]",
        "BODY []",
        "BODY[4294967296]",
        "BODY[]<9223372036854775808.1>",
    ] {
        err(&format!("FETCH 1 {bad}"));
    }
}

#[test]
fn binary() {
    assert_eq!(
        items("(BINARY[1] BINARY.PEEK[1.2]<3.4> BINARY.SIZE[] BINARY[])"),
        [
            FetchItem::Binary {
                part: part(&[1]),
                partial: None,
                peek: false
            },
            FetchItem::Binary {
                part: part(&[1, 2]),
                partial: Some(Partial {
                    offset: 3,
                    length: 4
                }),
                peek: true
            },
            FetchItem::BinarySize { part: vec![] },
            FetchItem::Binary {
                part: vec![],
                partial: None,
                peek: false
            },
        ]
    );
    for bad in [
        "BINARY[1.]",
        "BINARY[HEADER]",
        "BINARY[1.MIME]",
        "BINARY.SIZE[1]<0.1>",
        "BINARY.SIZE",
    ] {
        err(&format!("FETCH 1 {bad}"));
    }
}

#[test]
fn what_sets_seen() {
    let seen = |text| items(text)[0].sets_seen();
    for text in [
        "BODY[]",
        "RFC822",
        "RFC822.TEXT",
        "BINARY[1]",
        "BODY[HEADER]",
    ] {
        assert!(seen(text), "{text}");
    }
    for text in [
        "BODY.PEEK[]",
        "RFC822.HEADER",
        "BINARY.PEEK[1]",
        "BINARY.SIZE[1]",
        "ENVELOPE",
        "FLAGS",
    ] {
        assert!(!seen(text), "{text}");
    }
}

#[test]
fn limits() {
    let many = |n: usize| {
        let items: Vec<_> = (1..=n).map(|i| format!("BODY[{i}]")).collect();
        format!("FETCH 1 ({})", items.join(" "))
    };
    ok(&many(MAX_FETCH_ITEMS));
    err(&many(MAX_FETCH_ITEMS + 1));
    let deep = |n: usize| format!("FETCH 1 BODY[{}]", vec!["1"; n].join("."));
    ok(&deep(MAX_SECTION_DEPTH));
    err(&deep(MAX_SECTION_DEPTH + 1));
    let names = |n: usize| format!("FETCH 1 BODY[HEADER.FIELDS ({})]", vec!["x"; n].join(" "));
    ok(&names(MAX_HEADER_NAMES));
    err(&names(MAX_HEADER_NAMES + 1));
}

fn any_section() -> impl Strategy<Value = Section> {
    let name = "[ -~]{1,12}".prop_map(String::into_bytes);
    let text = prop_oneof![
        Just(SectionText::Header),
        Just(SectionText::Text),
        Just(SectionText::Mime),
        (any::<bool>(), prop::collection::vec(name, 1..5))
            .prop_map(|(not, names)| SectionText::HeaderFields { not, names }),
    ];
    let part = prop::collection::vec(1u32..=u32::MAX, 0..4).prop_map(|p| part(&p));
    (part, prop::option::of(text))
        .prop_filter("MIME needs a part", |(part, text)| {
            !(part.is_empty() && *text == Some(SectionText::Mime))
        })
        .prop_map(|(part, text)| Section { part, text })
}

proptest! {
    #[test]
    fn section_names_read_back(section in any_section(), offset in prop::option::of(0..=i64::MAX as u64)) {
        let partial = offset.map(|offset| Partial { offset, length: 7 });
        let mut name = Vec::new();
        write::section_name(&mut name, &section, partial);
        let mut text = String::from_utf8(name).unwrap();
        if partial.is_some() {
            // The response names the offset only.
            text.truncate(text.len() - 1);
            text.push_str(".7>");
        }
        prop_assert_eq!(body(&text), (section, partial, false));
    }
}
