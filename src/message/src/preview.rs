//! Previews (RFC 8970): the beginning of what a message says, as plain text.

mod html;

use crate::decode::{Decoded, Encoding, TextReader};
use crate::mime;
use crate::search::Source;
use crate::structure::{Content, Part, Structure};
use std::io;

/// Characters of a preview (RFC 8970 §3.3 wants 200 and forbids more than 256).
pub const MAX_CHARS: usize = 200;

/// Octets of text that are looked at; markup may take most of them.
const MAX_PLAIN: usize = 8 * 1024;
const MAX_HTML: usize = 64 * 1024;

/// Parts that are tried until one says something.
const MAX_PARTS: usize = 4;

/// The preview of a message; empty where no part has text.
///
/// # Errors
/// Those of `source`.
pub fn preview(structure: &Structure, source: &mut dyn Source) -> io::Result<String> {
    for part in structure.root.walk().filter(|p| is_text(p)).take(MAX_PARTS) {
        let is_html = part.media_type().subtype.eq_ignore_ascii_case(b"html");
        let text = read(part, source, if is_html { MAX_HTML } else { MAX_PLAIN })?;
        let preview = match is_html {
            true => of_text(&html::strip(&text)),
            false => of_plain(&text),
        };
        if !preview.is_empty() {
            return Ok(preview);
        }
    }
    Ok(String::new())
}

fn is_text(part: &Part) -> bool {
    let media = part.media_type();
    matches!(part.content, Content::Leaf)
        && (media.is(b"text", b"plain") || media.is(b"text", b"html"))
        && !part.body.is_empty()
        && part.encoding() != Encoding::Unknown
        && mime::disposition(part.fields())
            .is_none_or(|d| !d.kind.eq_ignore_ascii_case(b"attachment"))
}

fn read(part: &Part, source: &mut dyn Source, most: usize) -> io::Result<String> {
    let mut text = String::new();
    let media = part.media_type();
    let Ok(decoded) = Decoded::new(source.open(part.body)?, part.encoding()) else {
        return Ok(text);
    };
    let mut reader = TextReader::new(decoded, media.parameter(b"charset"));
    while text.len() < most
        && let Some(piece) = reader.next_piece()?
    {
        text.push_str(piece);
    }
    Ok(text)
}

/// What the sender wrote; what is quoted only where there is nothing else.
fn of_plain(text: &str) -> String {
    let own = Text::of(text.lines().filter(|line| !line.starts_with('>')));
    match own.is_empty() {
        true => of_text(text),
        false => own,
    }
}

fn of_text(text: &str) -> String {
    Text::of(text.lines())
}

/// Text with single blanks, as much of it as is wanted.
#[derive(Default)]
struct Text {
    out: String,
    chars: usize,
    blank: bool,
}

impl Text {
    fn of<'a>(lines: impl Iterator<Item = &'a str>) -> String {
        let mut text = Self::default();
        for line in lines {
            text.blank = text.chars > 0;
            for c in line.chars() {
                if !text.push(c) {
                    return text.out;
                }
            }
        }
        text.out
    }

    /// False when nothing more is wanted.
    fn push(&mut self, c: char) -> bool {
        if c.is_whitespace() {
            self.blank = self.chars > 0;
            return true;
        }
        if is_invisible(c) {
            return true;
        }
        let more = 1 + usize::from(self.blank);
        if self.chars + more > MAX_CHARS {
            return false;
        }
        if self.blank {
            self.out.push(' ');
        }
        self.blank = false;
        self.out.push(c);
        self.chars += more;
        true
    }
}

/// Shows nothing; advertisements are padded with such.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        )
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fffc}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, scan};
    use proptest::prelude::*;

    fn of(mail: &[u8]) -> String {
        let structure = scan(&mut &mail[..], &Limits::DEFAULT).unwrap();
        let mut source = mail;
        preview(&structure, &mut source).unwrap()
    }

    #[test]
    fn the_first_text_speaks() {
        for (mail, text) in [
            ("A: b\n\n  hello\n\tworld \n\n", "hello world"),
            ("A: b\n\n> quoted\nown\n", "own"),
            ("A: b\n\n> quoted\n", "> quoted"),
            ("A: b\n\n", ""),
            ("Content-Type: image/png\n\ntext\n", ""),
            ("Content-Type: text/html\n\n<p>a<b>b</b>&amp;<br>c", "ab& c"),
            (
                "Content-Type: text/plain; charset=iso-8859-1\n\ncaf\u{e9}",
                "cafÃ©",
            ),
            (
                "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\naGVsbG8=",
                "hello",
            ),
            (
                "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: image/png\n\nA\n\
                 --x\nContent-Disposition: attachment\n\nattached\n--x\n\n \n--x\n\
                 Content-Type: text/html\n\n<b>shown</b>\n--x--\n",
                "shown",
            ),
        ] {
            assert_eq!(of(mail.as_bytes()), text, "{mail:?}");
        }
    }

    #[test]
    fn no_more_than_allowed() {
        let mail = format!("A: b\n\n{}", "é ".repeat(5000));
        let preview = of(mail.as_bytes());
        assert_eq!(preview.chars().count(), MAX_CHARS - 1);
        let mail = format!("A: b\n\n{}", "x".repeat(5000));
        assert_eq!(of(mail.as_bytes()).len(), MAX_CHARS);
    }

    proptest! {
        #[test]
        fn any_mail_has_one(body in prop::collection::vec(any::<u8>(), 0..400), html: bool) {
            let kind = if html { "html" } else { "plain" };
            let mut mail = format!("Content-Type: text/{kind}\n\n").into_bytes();
            mail.extend(body);
            let preview = of(&mail);
            prop_assert!(preview.chars().count() <= MAX_CHARS);
            prop_assert!(!preview.chars().any(char::is_control));
        }
    }
}
