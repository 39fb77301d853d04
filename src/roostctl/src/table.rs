//! What commands print: lines for people, or JSON for programs.

use std::fmt::Write as _;

use crate::out::{self, is_plain, print};

/// What a terminal is told before and behind a line.
pub type Style = (&'static str, &'static str);

pub const PLAIN: Style = ("", "");
pub const BOLD: Style = ("\x1b[1m", "\x1b[0m");
pub const GREEN: Style = ("\x1b[32m", "\x1b[0m");

/// A value of a row.
#[derive(Clone, Debug)]
pub enum Cell {
    Text(String),
    Number(u64),
    Bool(bool),
    /// `null`
    None,
}

/// Rows as they come: each is printed at once.
pub struct Table {
    json: bool,
    columns: &'static [&'static str],
    rows: usize,
}

impl Table {
    pub fn new(json: bool, columns: &'static [&'static str]) -> Self {
        Self {
            json,
            columns,
            rows: 0,
        }
    }

    /// Prints a row: `line` for people, with tabulators between its columns where
    /// it has several, `cells` under the columns' names.
    pub fn row(&mut self, line: &str, cells: &[Cell]) {
        self.styled(PLAIN, line, cells);
    }

    /// The same, with a line for people in a style.
    pub fn styled(&mut self, (before, behind): Style, line: &str, cells: &[Cell]) {
        let mut out = String::new();
        match self.json {
            false => {
                out.extend([before, &out::columns(line), behind, "\n"]);
            }
            true => {
                out.push_str(if self.rows == 0 { "[\n" } else { ",\n" });
                write_object(&mut out, self.columns, cells);
            }
        }
        self.rows += 1;
        print(&out);
    }

    /// Prints the rows of another table with the same columns as they were
    /// printed.
    pub fn rows_of(&mut self, printed: &str) {
        if !self.json {
            return print(printed);
        }
        let rows = printed
            .strip_prefix("[\n")
            .and_then(|p| p.strip_suffix("\n]\n"));
        if let Some(rows) = rows {
            print(if self.rows == 0 { "[\n" } else { ",\n" });
            print(rows);
            self.rows += 1;
        }
    }

    /// A line about the row above it, for people.
    pub fn note(&self, line: &str) {
        if !self.json {
            print(&format!("{}\n", out::printable(line)));
        }
    }

    /// A line above the rows, for people.
    pub fn heading(&self, (before, behind): Style, line: &str) {
        print(&format!("{before}{}{behind}\n", out::columns(line)));
    }

    /// Must be called when all rows are printed.
    pub fn end(self) {
        if self.json {
            print(if self.rows == 0 { "[]\n" } else { "\n]\n" });
        }
    }
}

fn write_object(out: &mut String, columns: &[&str], cells: &[Cell]) {
    for (i, (column, cell)) in columns.iter().zip(cells).enumerate() {
        out.push_str(if i == 0 { "{" } else { ", " });
        write_text(out, column);
        out.push_str(": ");
        match cell {
            Cell::Text(text) => write_text(out, text),
            // Writing to a string cannot fail.
            Cell::Number(n) => drop(write!(out, "{n}")),
            Cell::Bool(b) => drop(write!(out, "{b}")),
            Cell::None => out.push_str("null"),
        }
    }
    out.push('}');
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_plain(c) => out.push(c),
            // Whoever reads JSON gets it back; a terminal gets nothing of it.
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_json() {
        let mut out = String::new();
        let cells = [
            Cell::Text("a\"b\\c\n\u{7f}é\u{202e}\u{e0041}".into()),
            Cell::Number(7),
            Cell::Bool(true),
            Cell::None,
        ];
        write_object(&mut out, &["text", "n", "b", "none"], &cells);
        assert_eq!(
            out,
            "{\"text\": \"a\\\"b\\\\c\\u000a\\u007fé\\u202e\\udb40\\udc41\", \"n\": 7, \"b\": true, \"none\": null}"
        );
    }
}
