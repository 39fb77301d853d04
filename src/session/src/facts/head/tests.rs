//! What is kept of a header, against the header itself.

use super::make::MAX_FIELDS;
use super::*;
use proptest::prelude::*;
use roost_message::crlf::{self, Nul};
use roost_message::filter::{self, Keep};

fn record(header: &[u8]) -> Vec<u8> {
    let numbers = Numbers {
        size: Some(7),
        internal: UnixTime(5),
    };
    let mut out = Vec::new();
    let fields: Vec<_> = header::fields(header).collect();
    make(header, &fields, true, numbers, &mut out);
    out
}

fn values(head: &Head<'_>, name: &[u8]) -> Option<Vec<Vec<u8>>> {
    let values = head.values(FieldId::of(name), name)?;
    Some(values.map(<[u8]>::to_vec).collect())
}

#[test]
fn what_is_kept() {
    let header = b"Subject: Re: =?utf-8?q?=C3=A9t=C3=A9?=\nTo: a\n b\nX-Odd: 1\n\
        Date: Mon, 1 Jan 2024 10:00:00 +0200\nTO: c\r\n\n";
    let record = record(header);
    let head = Head::parse(&record).unwrap();
    assert_eq!((head.size, head.internal), (Some(7), UnixTime(5)));
    assert_eq!(head.sent.unwrap().time, UnixTime(1_704_096_000));
    assert_eq!(head.subject, "E\u{301}TE\u{301}".as_bytes());
    assert!(head.is_reply());
    assert_eq!(values(&head, b"to").unwrap(), [&b" a\r\n b"[..], b" c"]);
    assert_eq!(values(&head, b"x-odd").unwrap(), [b" 1"]);
    assert_eq!(values(&head, b"cc").unwrap(), [b""; 0]);
    let mut out = Vec::new();
    let to = FieldId::of(b"to").unwrap().bit();
    head.fields(to).unwrap().append(&mut out);
    assert_eq!(out, b"To: a\r\n b\r\nTO: c\r\n\r\n");
    assert!(head.header().unwrap().ends_with(b"\r\nTO: c\r\n"));
}

#[test]
fn what_is_not_kept_is_said_to_be_so() {
    let long = format!("To: {}\nSubject: s\nX-Odd: 1\n\n", "x".repeat(MAX_FIELDS));
    let record = record(long.as_bytes());
    let head = Head::parse(&record).unwrap();
    assert!(head.fields(FieldId::of(b"To").unwrap().bit()).is_none());
    assert_eq!(values(&head, b"To"), None);
    assert_eq!(values(&head, b"X-Odd"), None);
    assert_eq!(values(&head, b"Subject").unwrap(), [b" s"]);
    assert_eq!(head.header(), None);
    let mut out = Vec::new();
    make(
        b"Subject: s\n",
        &header::fields(b"Subject: s\n").collect::<Vec<_>>(),
        false,
        Numbers {
            size: None,
            internal: UnixTime(0),
        },
        &mut out,
    );
    let head = Head::parse(&out).unwrap();
    assert_eq!(values(&head, b"Subject"), None);
    assert_eq!((head.size, head.subject), (None, &b"S"[..]));
}

proptest! {
    #[test]
    fn a_header_that_was_kept_is_the_header(header in "(([A-C]|To|Cc)?:?[x\r\0 \t]{0,3}\r?\n?){0,10}") {
        let header = header.as_bytes();
        let header = &header[..header::len(header)];
        let record = record(header);
        let head = Head::parse(&record).unwrap();
        let mut whole = Vec::new();
        crlf::append(header, Nul::Replace, &mut whole);
        if let Some(kept) = head.header() {
            prop_assert_eq!([kept, b"\r\n"].concat(), whole);
        }
        let names = [b"To".to_vec(), b"CC".to_vec()];
        let (mut filtered, mut fields) = (Vec::new(), Vec::new());
        filter::append(header, &Keep::only(&names), &mut filtered);
        let wanted = names.iter().filter_map(|n| FieldId::of(n)).fold(0, |set, id| set | id.bit());
        let kept = head.fields(wanted).unwrap();
        kept.append(&mut fields);
        prop_assert_eq!(kept.octets(), fields.len());
        prop_assert_eq!(filtered, fields);
    }

    #[test]
    fn any_octets_may_be_parsed(record in prop::collection::vec(any::<u8>(), 0..120)) {
        let mut record = record;
        if let Some(version) = record.first_mut() { *version = VERSION; }
        if let Some(head) = Head::parse(&record) {
            for wanted in [u64::MAX, 0x5555_5555_5555_5555] {
                if let Some(kept) = head.fields(wanted) {
                    let mut out = Vec::new();
                    kept.append(&mut out);
                    prop_assert_eq!(kept.octets(), out.len());
                }
            }
            values(&head, b"To");
        }
    }
}
