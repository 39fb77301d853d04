//! Standard output and standard error.
//!
//! What must stay true: nothing that is not ours to choose leads a terminal
//! astray; a reader that has had enough (`| head`) is no error, and output that
//! did not get where it should is one, told at the end.

use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

/// The first thing that went wrong; nothing is written after it.
static FAILED: OnceLock<io::Error> = OnceLock::new();

/// Standard output, octet by octet.
pub struct Output;

impl Write for Output {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if is_wanted() {
            io::stdout().write_all(octets).unwrap_or_else(lost);
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if is_wanted() {
            io::stdout().flush().unwrap_or_else(lost);
        }
        Ok(())
    }
}

fn lost(error: io::Error) {
    // Only the first one counts.
    let _ = FAILED.set(error);
}

/// Somebody reads still.
pub fn is_wanted() -> bool {
    FAILED.get().is_none()
}

pub fn print(text: &str) {
    // It keeps its errors to itself.
    let _ = Output.write(text.as_bytes());
}

/// Why not all of it was written; a reader that has gone away wanted no more.
pub fn end() -> Option<&'static io::Error> {
    let _ = Output.flush();
    FAILED
        .get()
        .filter(|error| error.kind() != ErrorKind::BrokenPipe)
}

/// A line on standard error. Where nobody reads it, there is nobody to tell.
pub fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "roostctl: {}", lines(text));
}

/// Names are clients' to choose, and terminals are easily led astray.
pub fn printable(text: &str) -> String {
    let plain = |c: char| if is_plain(c) { c } else { '?' };
    text.chars().map(plain).collect()
}

/// The same of a line with tabulators between its columns.
pub fn columns(text: &str) -> String {
    let texts = text.split('\t').map(printable);
    texts.collect::<Vec<_>>().join("\t")
}

fn lines(text: &str) -> String {
    let lines = text.trim_end().split('\n').map(columns);
    lines.collect::<Vec<_>>().join("\n")
}

/// It stands for itself: it is no control character, does not turn the
/// direction of what stands beside it, ends no line, and is not there unseen.
/// What joins letters may stay.
pub fn is_plain(c: char) -> bool {
    let unseen = matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{70f}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}'
    );
    !c.is_control() && !unseen
}

/// How many columns of a terminal it takes.
pub fn width(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// The ranges in which nearly all letters are wide, and the marks that stand on
/// the letter before them (Unicode Standard Annex 11; general category Mn).
fn width_of(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}'
        | '\u{483}'..='\u{489}'
        | '\u{591}'..='\u{5bd}'
        | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}'
        | '\u{e31}'
        | '\u{e34}'..='\u{e3a}'
        | '\u{e47}'..='\u{e4e}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{200b}'..='\u{200d}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{3099}'..='\u{309a}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe20}'..='\u{fe2f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{33ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{a000}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// As much of the text as so many columns have room for; that something is
/// missing shows.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else {
        return String::new();
    };
    let mut taken = 0;
    let fits = |c: &char| {
        taken += width_of(*c);
        taken <= room
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push('…');
    short
}

/// With blanks behind it, up to so many columns.
pub fn padded(text: &str, columns: usize) -> String {
    let blanks = columns.saturating_sub(width(text));
    format!("{text}{:blanks$}", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_turns_a_line_around() {
        let odd = "a\x1b[2J\r\n\u{202e}fdp\u{2028}\u{2029}\u{200f}\u{2066}\u{feff}\u{e0041}\u{85}z";
        assert_eq!(printable(odd), "a?[2J???fdp???????z");
        for text in ["Entwürfe", "مرحبا", "می\u{200c}خواهم", "日本語", "e\u{301}"] {
            assert_eq!(printable(text), text);
        }
        assert_eq!(columns("a\tb\u{202e}\nc"), "a\tb??c");
        assert_eq!(lines("a\x07\nb\tc\n"), "a?\nb\tc");
    }

    #[test]
    fn columns_are_counted_as_terminals_do() {
        assert_eq!(
            ["", "abc", "日本語", "e\u{301}", "é"].map(width),
            [0, 3, 6, 1, 1]
        );
        assert_eq!(cut("Selected 日本語", 15), "Selected 日本語");
        assert_eq!(cut("Selected 日本語", 14), "Selected 日本…");
        assert_eq!(cut("Selected 日本語", 13), "Selected 日…");
        assert_eq!((cut("abc", 1), cut("abc", 0)), ("…".into(), String::new()));
        assert_eq!(padded("日本", 6), "日本  ");
        assert_eq!(padded("too long", 3), "too long");
    }
}
