//! The text of HTML, for people who look at the first lines: no layout, no
//! links. Anything is HTML; whatever cannot be understood is text.

/// Elements whose text is not shown.
const HIDDEN: [&str; 5] = ["style", "script", "title", "head", "template"];

/// Elements within a line: nothing divides the words at their borders.
const INLINE: [&str; 17] = [
    "a", "abbr", "b", "big", "code", "em", "font", "i", "mark", "s", "small", "span", "strong",
    "sub", "sup", "u", "wbr",
];

/// Character references that mail is full of.
const NAMED: [(&str, char); 40] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("zwnj", '\u{200c}'),
    ("zwj", '\u{200d}'),
    ("shy", '\u{ad}'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("bull", '•'),
    ("middot", '·'),
    ("hellip", '…'),
    ("copy", '©'),
    ("reg", '®'),
    ("trade", '™'),
    ("euro", '€'),
    ("pound", '£'),
    ("deg", '°'),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("Auml", 'Ä'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("szlig", 'ß'),
    ("eacute", 'é'),
    ("egrave", 'è'),
    ("agrave", 'à'),
    ("ccedil", 'ç'),
    ("ntilde", 'ñ'),
    ("oacute", 'ó'),
    ("iacute", 'í'),
];

/// The text without its markup.
pub(super) fn strip(html: &str) -> String {
    let mut out = String::with_capacity(html.len().min(4096));
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        let (text, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(text);
        rest = match from.starts_with('<') {
            true => tag(from, &mut out),
            false => reference(from, &mut out),
        };
    }
    out.push_str(rest);
    out
}

/// Goes past the tag that `text` begins with.
fn tag<'a>(text: &'a str, out: &mut String) -> &'a str {
    let inner = text.get(1..).unwrap_or_default();
    if let Some(comment) = inner.strip_prefix("!--") {
        return comment.split_once("-->").map_or("", |(_, after)| after);
    }
    let closing = inner.starts_with('/');
    let word = inner.trim_start_matches('/');
    if !word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!' || c == '?') {
        out.push('<');
        return inner;
    }
    let end = word.find(|c: char| !c.is_ascii_alphanumeric());
    let name = word.get(..end.unwrap_or(word.len())).unwrap_or_default();
    let after = end_of_tag(word);
    let is = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    if !is(&INLINE) {
        out.push(' ');
    }
    match !closing && is(&HIDDEN) {
        true => behind_closing(after, name),
        false => after,
    }
}

/// Behind the `>` that is in no attribute's value.
fn end_of_tag(text: &str) -> &str {
    let mut quote = None;
    for (at, b) in text.bytes().enumerate() {
        match (quote, b) {
            (None, b'>') => return text.get(at + 1..).unwrap_or_default(),
            (None, b'"' | b'\'') => quote = Some(b),
            (Some(q), b) if q == b => quote = None,
            _ => {}
        }
    }
    // A quote that never ends: the next bracket will do.
    text.split_once('>').map_or("", |(_, after)| after)
}

/// At the end tag of `name`; nothing is left if there is none.
fn behind_closing<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        let from = rest.get(at..).unwrap_or_default();
        let word = from.get(2..).unwrap_or_default();
        let found = word.split_at_checked(name.len());
        if found.is_some_and(|(word, _)| word.eq_ignore_ascii_case(name)) {
            return from;
        }
        rest = word;
    }
    ""
}

/// Goes past the character reference that `text` begins with.
fn reference<'a>(text: &'a str, out: &mut String) -> &'a str {
    let inner = text.get(1..).unwrap_or_default();
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '#');
    let (name, after) = inner
        .split_at_checked(end.unwrap_or(inner.len()))
        .unwrap_or((inner, ""));
    match character(name) {
        Some(c) => {
            out.push(c);
            after.strip_prefix(';').unwrap_or(after)
        }
        None => {
            out.push('&');
            inner
        }
    }
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    NAMED.iter().find(|(n, _)| *n == name).map(|&(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_markup() {
        for (html, text) in [
            ("a < b & c", "a < b & c"),
            ("x<span title='a>b'>y</span>z", "xyz"),
            ("<STYLE>p{}</style>t", "  t"),
            ("<head><title>no</title></head>t", "  t"),
            ("a<!-- <p>no</p> -->b", "ab"),
            ("&#65;&#x42;&eacute;&unknown;&amp", "ABé&unknown;&"),
            ("<p", " "),
            ("<script>never ends", " "),
            ("<a href=\"x>y", "y"),
            ("<!doctype html><p>t", "  t"),
        ] {
            assert_eq!(strip(html), text, "{html:?}");
        }
    }
}
