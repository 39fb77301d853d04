//! BODY and BODYSTRUCTURE (RFC 9051 §7.5.2). Parts nest no deeper than
//! [`roost_message::Limits`] allow, so recursion is bounded.
//!
//! BODY is BODYSTRUCTURE without the extension data: one text serves both, if
//! it is known where these stand.

use super::envelope;
use roost_imap::write::{self, Dialect};
use roost_message::mime::{self, MediaType, Parameters};
use roost_message::{Content, Part};

/// Appends BODYSTRUCTURE; says where in what was appended the extension data
/// stand, in rising order.
pub(super) fn write(out: &mut Vec<u8>, part: &Part, dialect: Dialect) -> Vec<(usize, usize)> {
    let mut writer = Writer {
        from: out.len(),
        out,
        dialect,
        extensions: Vec::new(),
    };
    writer.body(part);
    writer.extensions
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// Where the structure begins.
    from: usize,
    dialect: Dialect,
    extensions: Vec<(usize, usize)>,
}

impl Writer<'_> {
    fn body(&mut self, part: &Part) {
        self.out.push(b'(');
        let media = part.media_type();
        match &part.content {
            Content::Multipart(children) => self.multipart(part, &media, children),
            Content::Message(inner) => {
                self.fields(part, &media);
                self.space();
                envelope::write(self.out, &inner.envelope(), self.dialect);
                self.space();
                self.body(inner);
                self.space();
                write::number64(self.out, part.body_lines);
                self.extension_of_leaf(part);
            }
            Content::Leaf => {
                self.fields(part, &media);
                if media.is_text() {
                    self.space();
                    write::number64(self.out, part.body_lines);
                }
                self.extension_of_leaf(part);
            }
        }
        self.out.push(b')');
    }

    /// `body-type-mpart`
    fn multipart(&mut self, part: &Part, media: &MediaType<'_>, children: &[Part]) {
        for child in children {
            self.body(child);
        }
        if children.is_empty() {
            self.empty_part();
        }
        self.space();
        self.string(&media.subtype);
        self.extension(|this| {
            this.space();
            this.parameters(&media.parameters);
            this.disposition_and_more(part.fields());
        });
    }

    fn extension(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.out.len() - self.from;
        write(self);
        self.extensions.push((start, self.out.len() - self.from));
    }

    /// A multipart must have a part, even if the message has none.
    fn empty_part(&mut self) {
        let plain = b"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0";
        self.out.extend_from_slice(plain);
        self.extension(|this| this.out.extend_from_slice(b" NIL NIL NIL NIL"));
        self.out.push(b')');
    }

    /// `media-type SP body-fields`
    fn fields(&mut self, part: &Part, media: &MediaType<'_>) {
        let kept = part.fields();
        self.string(&media.kind);
        self.space();
        self.string(&media.subtype);
        self.space();
        self.parameters(&media.parameters);
        self.space();
        self.nstring(mime::id(kept).as_deref());
        self.space();
        self.nstring(mime::description(kept).as_deref());
        self.space();
        self.string(mime::encoding(kept).as_deref().unwrap_or(b"7bit"));
        self.space();
        write::number64(self.out, part.body.crlf_len);
    }

    /// `body-ext-1part`
    fn extension_of_leaf(&mut self, part: &Part) {
        self.extension(|this| {
            this.space();
            this.nstring(mime::md5(part.fields()).as_deref());
            this.disposition_and_more(part.fields());
        });
    }

    /// `SP body-fld-dsp SP body-fld-lang SP body-fld-loc`
    fn disposition_and_more(&mut self, kept: &[u8]) {
        self.space();
        match mime::disposition(kept) {
            Some(disposition) => {
                self.out.push(b'(');
                self.string(&disposition.kind);
                self.space();
                self.parameters(&disposition.parameters);
                self.out.push(b')');
            }
            None => self.nil(),
        }
        self.space();
        let languages = mime::languages(kept);
        for (i, language) in languages.iter().enumerate() {
            self.out.push(if i == 0 { b'(' } else { b' ' });
            self.string(language);
        }
        match languages.is_empty() {
            true => self.nil(),
            false => self.out.push(b')'),
        }
        self.space();
        self.nstring(mime::location(kept).as_deref());
    }

    /// `body-fld-param`
    fn parameters(&mut self, parameters: &Parameters<'_>) {
        if parameters.is_empty() {
            return self.nil();
        }
        for (i, (name, value)) in parameters.iter().enumerate() {
            self.out.push(if i == 0 { b'(' } else { b' ' });
            self.string(name);
            self.space();
            self.string(value);
        }
        self.out.push(b')');
    }

    fn space(&mut self) {
        self.out.push(b' ');
    }

    fn nil(&mut self) {
        self.out.extend_from_slice(b"NIL");
    }

    fn string(&mut self, text: &[u8]) {
        write::string(self.out, text, self.dialect);
    }

    fn nstring(&mut self, text: Option<&[u8]>) {
        write::nstring(self.out, text, self.dialect);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_message::{Limits, scan};

    fn wire(text: &str, extended: bool) -> String {
        let structure = scan(&mut text.as_bytes(), &Limits::DEFAULT).unwrap();
        let mut out = Vec::new();
        let extensions = write(&mut out, &structure.root, Dialect::Ascii);
        if !extended {
            for (start, end) in extensions.into_iter().rev() {
                out.drain(start..end);
            }
        }
        String::from_utf8(out).unwrap()
    }

    /// What Dovecot answers to the same messages.
    #[test]
    fn whole_structures() {
        let table = [
            (
                "",
                "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)",
            ),
            (
                "Content-Type: multipart/mixed\n\nbody line\n",
                "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL) \
                 \"mixed\" NIL NIL NIL NIL)",
            ),
            (
                "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nhello\n--x--\n",
                "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 0 NIL NIL NIL NIL) \
                 \"mixed\" (\"boundary\" \"x\") NIL NIL NIL)",
            ),
            (
                "Content-Type: message/rfc822\n\nSubject: inner\nContent-Type: image/png\n\nbody\nx\n",
                "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 52 \
                 (NIL \"inner\" NIL NIL NIL NIL NIL NIL NIL NIL) \
                 (\"image\" \"png\" NIL NIL NIL \"7bit\" 9 NIL NIL NIL NIL) 5 NIL NIL NIL NIL)",
            ),
            (
                "Content-type: text/html; charset=utf-8; name*0*=utf-8''a\n\
                 Content-Disposition: attachment; filename=\"a \\\"b\"; size=3\n\
                 Content-Language: en, de\nContent-Location: http://x\n y\n\
                 Content-MD5: abc==\nContent-ID: <foo>\nContent-Description: hello\n  world\n\
                 Content-Transfer-Encoding: BASE64\n\nZm9v\n",
                "(\"text\" \"html\" (\"charset\" \"utf-8\" \"name*\" \"utf-8''a\") \"<foo>\" \
                 \"hello  world\" \"BASE64\" 6 1 \"abc==\" \
                 (\"attachment\" (\"filename\" \"a \\\"b\" \"size\" \"3\")) (\"en\" \"de\") \
                 \"http://x y\")",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(wire(text, true), expected, "{text:?}");
        }
    }

    #[test]
    fn without_extension_data() {
        assert_eq!(
            wire(
                "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nhello\n--x--\n",
                false
            ),
            "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 0) \"mixed\")"
        );
        assert_eq!(
            wire("Content-Type: a/b\nContent-Disposition: inline\n\nx", false),
            "(\"a\" \"b\" NIL NIL NIL \"7bit\" 1)"
        );
        assert_eq!(
            wire("Content-Type: a/b\nContent-Disposition: inline\n\nx", true),
            "(\"a\" \"b\" NIL NIL NIL \"7bit\" 1 NIL (\"inline\" NIL) NIL NIL)"
        );
    }
}
