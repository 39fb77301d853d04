//! BODY and TEXT keys over one message in memory: without a copy where the
//! octets are text as they stand, in scratch buffers where not.

use super::fold::{Haystack, Needle, fold_field};
use super::message::in_message;
use crate::collate::{casemap, casemap_ascii};
use crate::decode::{decode_whole, encoding_for};
use crate::header;
use crate::limits::Limits;
use crate::scan::scan_bytes;
use crate::span::Span;
use crate::structure::{Content, Part};
use encoding_rs::UTF_8;

/// Buffers that serve for one message after the other.
#[derive(Debug, Default)]
pub struct Scratch {
    decoded: Vec<u8>,
    folded: Vec<u8>,
}

/// The same as [`in_message`].
pub fn in_bytes(
    message: &[u8],
    body: &[Needle],
    text: &[Needle],
    scratch: &mut Scratch,
) -> (Vec<bool>, Vec<bool>) {
    let structure = scan_bytes(message, &Limits::DEFAULT);
    // Line ends are not made alike here.
    if body.iter().chain(text).any(Needle::spans_lines) {
        let mut source = message;
        return in_message(&structure, &mut source, body, text).unwrap_or_default();
    }
    let mut body = Haystack::new(body);
    let mut text = Haystack::new(text);
    if !text.is_done() {
        fold_header(octets(message, structure.root.header), scratch);
        text.whole(&scratch.folded);
    }
    for part in structure.root.walk() {
        if body.is_done() && text.is_done() {
            break;
        }
        if !std::ptr::eq(part, &structure.root) {
            fold_header(octets(message, part.header), scratch);
            body.whole(&scratch.folded);
            text.whole(&scratch.folded);
        }
        if is_text(part) {
            fold_body(part, octets(message, part.body), scratch);
            body.whole(&scratch.folded);
            text.whole(&scratch.folded);
        }
    }
    (body.found(), text.found())
}

/// Whether a part's body is searched.
pub(super) fn is_text(part: &Part) -> bool {
    matches!(part.content, Content::Leaf) && part.media_type().is_text() && !part.body.is_empty()
}

fn octets(message: &[u8], span: Span) -> &[u8] {
    let at = |n| usize::try_from(n).unwrap_or(usize::MAX).min(message.len());
    message
        .get(at(span.start)..at(span.end()))
        .unwrap_or_default()
}

/// All fields, each as a line of its own.
fn fold_header(block: &[u8], scratch: &mut Scratch) {
    let folded = &mut scratch.folded;
    folded.clear();
    for field in header::fields(block) {
        match field.name.is_ascii() {
            true => casemap_ascii(field.name, folded),
            false => casemap(&String::from_utf8_lossy(field.name), folded),
        }
        folded.extend_from_slice(b": ");
        fold_field(field.value, folded);
        folded.push(b'\n');
    }
}

fn fold_body(part: &Part, raw: &[u8], scratch: &mut Scratch) {
    let Scratch { decoded, folded } = scratch;
    folded.clear();
    let media = part.media_type();
    let charset = media.parameter(b"charset").and_then(encoding_for);
    let charset = charset.unwrap_or(UTF_8);
    let octets = decode_whole(raw, part.encoding(), decoded);
    if octets.is_ascii() && charset.is_ascii_compatible() {
        casemap_ascii(octets, folded);
        return;
    }
    // What is invalid becomes U+FFFD; a byte order mark wins.
    let (text, ..) = charset.decode(octets);
    casemap(&text, folded);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Encoding;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        /// Messages of many kinds are searched alike in memory and as streams.
        #[test]
        fn the_same_as_streams(
            fields in "(Subject: (a|B|\u{e9}|=\\?utf-8\\?q\\?=C3=89b\\?=|\r?\n ){0,5}\r?\n|X\u{e9}: ab\n){0,3}",
            encoding in prop::sample::select(&["7bit", "8bit", "base64", "quoted-printable", "x-odd"][..]),
            charset in prop::sample::select(&["utf-8", "iso-8859-1", "iso-2022-jp", "utf-16", "none"][..]),
            media in prop::sample::select(&["text/plain", "image/png", "message/rfc822"][..]),
            content in "([aAbB=4 \u{e9}]|=C3=A9|=\n|\r?\n|w6k=|YWI=){0,20}",
            needles in prop::collection::vec("[abAB\u{e9}\n: ]{0,3}", 1..4),
        ) {
            let message = format!(
                "{fields}Content-Type: multipart/mixed; boundary=x\n\n--x\n{fields}\
                 Content-Type: {media}; charset={charset}\nContent-Transfer-Encoding: {encoding}\n\n\
                 {content}\n--x--\n"
            );
            let message = message.as_bytes();
            let needles: Vec<Needle> = needles.iter().map(|n| Needle::new(n)).collect();
            let structure = scan_bytes(message, &Limits::DEFAULT);
            let streamed = in_message(&structure, &mut &*message, &needles, &needles).unwrap();
            let mut scratch = Scratch::default();
            let once = in_bytes(message, &needles, &needles, &mut scratch);
            prop_assert_eq!(&once, &streamed);
            let again = in_bytes(message, &needles, &needles, &mut scratch);
            prop_assert_eq!(&again, &streamed);
        }
    }

    #[test]
    fn encodings_are_those_of_the_part() {
        let message = b"Content-Transfer-Encoding: base64\n\naGVsbG8g\nd29ybGQ=\n";
        let needles = [Needle::new("o WOR"), Needle::new("aGVs")];
        let (body, _) = in_bytes(message, &needles, &[], &mut Scratch::default());
        assert_eq!(body, [true, false]);
        assert_eq!(Encoding::of(Some(b"BASE64")), Encoding::Base64);
    }
}
