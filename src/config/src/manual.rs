//! The keys in roost.conf(5), compared with the table. `ROOST_WRITE_DOCS=1`
//! has the test write what should stand there.

use std::fmt::Write;

use crate::keys::{KEYS, Key, Kind, Section};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../man/roost.conf.5");
const BEGIN: &str = ".\\\" BEGIN keys\n";
const END: &str = ".\\\" END keys\n";
const WIDTH: usize = 76;

#[test]
fn the_manual_has_every_key() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (there, after) = rest.split_once(END).unwrap();
    let wanted = all_sections();
    if std::env::var_os("ROOST_WRITE_DOCS").is_some() {
        let text = format!("{before}{BEGIN}{wanted}{END}{after}");
        std::fs::write(PAGE, text).unwrap();
    } else {
        assert!(there == wanted, "differs: run this with ROOST_WRITE_DOCS=1");
    }
}

fn all_sections() -> String {
    let mut out = String::new();
    for section in Section::ALL {
        let name = match section {
            Section::TlsName => " server-name",
            Section::User => " account",
            _ => "",
        };
        writeln!(out, ".Ss [{}{name}]\\&", section.word()).unwrap();
        put_text(&mut out, section.doc());
        let keys: Vec<_> = KEYS.iter().filter(|k| k.section == section).collect();
        match section {
            Section::Domains => {
                out.push_str("Each line is\n.Ar address\n=\n.Ar domain .\n");
                continue;
            }
            Section::Router => {
                out.push_str("Each line is\n.Ar name\n=\n.Ar account\nor\n.Ar name\n=\n");
                out.push_str(".Ar user Ns @ Ns Ar host .\n");
                continue;
            }
            _ => {}
        }
        out.push_str(".Bl -tag -width 4n\n");
        for key in keys {
            put_key(&mut out, key);
        }
        out.push_str(".El\n");
    }
    out
}

fn put_key(out: &mut String, key: &Key) {
    writeln!(out, ".It Va {} No = {}", key.name, values(key.kind)).unwrap();
    put_text(out, key.doc);
    if !key.default.is_empty() {
        out.push_str("Default:\n");
        writeln!(out, ".Ql {}", escape(key.default)).unwrap();
    }
}

fn values(kind: Kind) -> String {
    // A lone dot would be taken for the end of a sentence.
    let choice = |words: &[&str]| format!("Cm {}", words.join(" | ").replace(" .", " \\&."));
    match kind {
        Kind::Bool => "Cm yes | no".into(),
        Kind::Integer { .. } => "Ar number".into(),
        Kind::Duration { never: true, .. } => "Ar duration | Cm never".into(),
        Kind::Duration { .. } => "Ar duration".into(),
        Kind::Size { .. } => "Ar size".into(),
        Kind::Choice(words) => choice(words),
        Kind::Choices(words) => format!("{} , ...", choice(words)),
        Kind::Path => "Ar path".into(),
        Kind::OptionalPath => "Op Ar path".into(),
        Kind::Maildir => "Ar template".into(),
        Kind::OptionalMaildir | Kind::OptionalHome => "Op Ar template".into(),
        Kind::Addresses => "Op Ar address:port , ...".into(),
        Kind::Networks => "Op Ar network/bits , ...".into(),
        Kind::Words => "Op Ar word , ...".into(),
        Kind::MailboxNames => "Op Ar mailbox , ...".into(),
        Kind::MailboxName => "Op Ar mailbox".into(),
        Kind::Domain => "Op Ar domain".into(),
        Kind::Uri => "Op Ar uri".into(),
        Kind::Word => "Ar word".into(),
        Kind::OptionalWord => "Op Ar word".into(),
        Kind::Text => "Op Ar text".into(),
    }
}

/// Sentences begin on lines of their own; none is longer than [`WIDTH`].
fn put_text(out: &mut String, text: &str) {
    let mut line = String::new();
    for word in quoted(&escape(text)).split(' ') {
        if !line.is_empty() && line.len() + word.len() >= WIDTH {
            writeln!(out, "{line}").unwrap();
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if word.ends_with('.') {
            writeln!(out, "{line}").unwrap();
            line.clear();
        }
    }
    if !line.is_empty() {
        writeln!(out, "{line}").unwrap();
    }
}

fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('~', "\\(ti");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

/// Every second backtick closes.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for (at, piece) in text.split('`').enumerate() {
        match at {
            0 => {}
            at if at % 2 == 1 => out.push_str("\\(oq"),
            _ => out.push_str("\\(cq"),
        }
        out.push_str(piece);
    }
    out
}
