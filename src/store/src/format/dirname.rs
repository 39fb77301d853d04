//! Mailbox names and their Maildir++ directory names (MAILDIR-FORMATS §1.1,
//! §1.4): `.Work.2024` for the levels `Work` and `2024`.
//!
//! What a level holds but a directory name cannot say stands as a backslash
//! and two lowercase hexadecimal digits, as Dovecot's listescape plugin has
//! it: dots, slashes, a leading `~`, and a backslash where it would otherwise
//! be read as such an escape. Every name that [`encode`] makes is read back by
//! [`decode`]; directories that others made are shown in some stable way
//! whatever they are called, so a name is looked up among those found before
//! it is encoded.

use crate::options::Encoding;
use roost_types::{MailboxName, utf7};
use std::borrow::Cow;
use std::fmt::Write;

/// The longest directory name a file system takes, in octets.
pub const MAX_DIR_NAME: usize = 255;

/// The index folder inside a Maildir root. Without a leading dot, or Dovecot
/// and Courier would show it as a mailbox.
pub const INDEX_DIR: &str = "roost-index";

/// Escaped wherever (`~`: as the first character) they stand in a level.
const ESCAPED: [char; 4] = ['.', '/', '\\', '~'];

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("directory name longer than {MAX_DIR_NAME} octets")]
pub struct TooLong;

/// The directory below the Maildir root where `name` is stored when it is
/// created, leading dot included; INBOX itself is the root: `None`.
///
/// `Detect` is taken as modified UTF-7 here: see [`detect`].
pub fn encode(name: &MailboxName, encoding: Encoding) -> Result<Option<String>, TooLong> {
    if name.is_inbox() {
        return Ok(None);
    }
    let mut body = encode_levels(name, encoding, '.');
    guard_reserved(&mut body);
    let dir = format!(".{body}");
    if dir.len() > MAX_DIR_NAME {
        return Err(TooLong);
    }
    Ok(Some(dir))
}

/// The levels as they stand on disk, joined by `separator`.
pub(crate) fn encode_levels(name: &MailboxName, encoding: Encoding, separator: char) -> String {
    let mut out = String::new();
    for (i, level) in name.levels().enumerate() {
        if i > 0 {
            out.push(separator);
        }
        let escaped = escape(level, i == 0);
        match encoding {
            Encoding::Utf8 => out.push_str(&escaped),
            Encoding::Mutf7 | Encoding::Detect => out.push_str(&utf7::encode(&escaped)),
        }
    }
    out
}

fn escape(level: &str, first: bool) -> String {
    let mut out = String::with_capacity(level.len());
    for (at, c) in level.char_indices() {
        let rest = level.get(at..).unwrap_or_default();
        let escaped = match c {
            '.' | '/' => true,
            '~' => first && at == 0,
            '\\' => escaped_char(rest).is_some(),
            _ => false,
        };
        if escaped {
            push_hex(&mut out, c as u8);
        } else {
            out.push(c);
        }
    }
    out
}

fn push_hex(out: &mut String, byte: u8) {
    // Writing to a string cannot fail.
    let _ = write!(out, "\\{byte:02x}");
}

/// The character that an escape at the start of `text` stands for.
fn escaped_char(text: &str) -> Option<char> {
    hex_at_start(text).filter(|c| ESCAPED.contains(c))
}

/// The character whose backslash and two lowercase digits `text` begins with.
fn hex_at_start(text: &str) -> Option<char> {
    let digits = text.strip_prefix('\\')?.get(..2)?;
    let lower = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if !digits.bytes().all(lower) {
        return None;
    }
    let byte = u8::from_str_radix(digits, 16).ok()?;
    byte.is_ascii().then_some(char::from(byte))
}

/// Directories that mean something else: what NFS makes of removed files.
fn is_reserved(body: &str) -> bool {
    let nfs = body.strip_prefix("nfs").unwrap_or_default();
    nfs.len() >= 16 && nfs.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The reserved name that `body` is the escaped form of.
fn unguarded(body: &str) -> Option<String> {
    let mut name = String::from(hex_at_start(body)?);
    name.push_str(body.get(3..)?);
    is_reserved(&name).then_some(name)
}

/// Escapes the first character of a reserved name, and of a name that reads
/// as if that had been done.
fn guard_reserved(body: &mut String) {
    if !is_reserved(body) && unguarded(body).is_none() {
        return;
    }
    if let Some(first) = body.bytes().next() {
        let mut guarded = String::new();
        push_hex(&mut guarded, first);
        body.replace_range(..1, &guarded);
    }
}

/// The mailbox that directory `dir` of a Maildir root holds; `None` for
/// directories that are no mailboxes (those of this and other programs, and
/// names too long to be shown). Every [`encode`]d name comes back; other
/// spellings are shown in a stable way, so two directories may show one name:
/// then the one that [`is_canonical`] is to be preferred.
pub fn decode(dir: &[u8], encoding: Encoding) -> Option<MailboxName> {
    let body = dir.strip_prefix(b".")?;
    if matches!(body.first(), None | Some(b'.')) {
        return None;
    }
    if let Ok(text) = std::str::from_utf8(body) {
        if is_reserved(text) {
            return None;
        }
        if let Some(name) = unguarded(text) {
            return MailboxName::from_levels([name.as_str()]).ok();
        }
    }
    let levels: Vec<String> = split_levels(body)
        .iter()
        .map(|level| decode_level(level, encoding))
        .collect();
    let name = MailboxName::from_levels(levels.iter().map(String::as_str)).ok()?;
    if !name.is_inbox() {
        return Some(name);
    }
    // Not the INBOX: that is the root.
    let only = levels.first()?;
    let mut shown = String::new();
    push_hex(&mut shown, only.bytes().next()?);
    shown.push_str(only.get(1..)?);
    MailboxName::from_levels([shown.as_str()]).ok()
}

/// Splits at dots; one beside which there would be an empty level belongs to
/// the level itself.
fn split_levels(body: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let mut levels: Vec<Cow<'_, [u8]>> = Vec::new();
    let mut dots = 0;
    for piece in body.split(|&b| b == b'.') {
        if piece.is_empty() {
            dots += 1;
        } else if dots == 0 {
            levels.push(Cow::Borrowed(piece));
        } else {
            let mut level = vec![b'.'; dots];
            level.extend_from_slice(piece);
            levels.push(Cow::Owned(level));
            dots = 0;
        }
    }
    if let Some(last) = levels.last_mut() {
        last.to_mut().extend(std::iter::repeat_n(b'.', dots));
    }
    levels
}

/// The text of one level as it stands on disk, by the rule of
/// MAILDIR-FORMATS §1.4; what is no text is shown as escapes.
pub(crate) fn decode_level(level: &[u8], encoding: Encoding) -> String {
    if encoding != Encoding::Utf8
        && let Some(text) = utf7::decode(level)
        && !text.chars().any(char::is_control)
    {
        return unescape(&text);
    }
    let mut text = String::with_capacity(level.len());
    for chunk in level.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                let mut utf8 = [0; 4];
                let bytes = c.encode_utf8(&mut utf8).bytes();
                bytes.for_each(|b| push_hex(&mut text, b));
            } else {
                text.push(c);
            }
        }
        for &b in chunk.invalid() {
            push_hex(&mut text, b);
        }
    }
    unescape(&text)
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (shown, taken) = match escaped_char(rest) {
            Some(escaped) => (escaped, 3),
            None => (c, c.len_utf8()),
        };
        out.push(shown);
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

/// True if `dir` is what [`encode`] makes of the name it shows.
pub fn is_canonical(dir: &[u8], encoding: Encoding) -> bool {
    decode(dir, encoding)
        .and_then(|name| encode(&name, encoding).ok()?)
        .is_some_and(|canonical| canonical.as_bytes() == dir)
}

/// Replaces `Detect` by what the directories of an account show: UTF-8 when
/// there is an 8-bit name and no modified UTF-7 one, else modified UTF-7.
pub fn detect<'a>(dirs: impl IntoIterator<Item = &'a [u8]>, encoding: Encoding) -> Encoding {
    if encoding != Encoding::Detect {
        return encoding;
    }
    let mut eight_bit = false;
    for dir in dirs {
        let Some(body) = dir.strip_prefix(b".") else {
            continue;
        };
        if !body.is_ascii() {
            eight_bit |= std::str::from_utf8(body).is_ok();
        } else if split_levels(body)
            .iter()
            .any(|level| utf7::decode(level).is_some_and(|text| !text.is_ascii()))
        {
            return Encoding::Mutf7;
        }
    }
    if eight_bit {
        Encoding::Utf8
    } else {
        Encoding::Mutf7
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(levels: &[&str]) -> MailboxName {
        MailboxName::from_levels(levels.iter().copied()).unwrap()
    }

    fn shown(dir: &str) -> Option<MailboxName> {
        decode(dir.as_bytes(), Encoding::Mutf7)
    }

    fn on_disk(levels: &[&str]) -> String {
        encode(&name(levels), Encoding::Mutf7).unwrap().unwrap()
    }

    #[test]
    fn names_as_dovecot_has_them() {
        assert_eq!(on_disk(&["Work", "2024"]), ".Work.2024");
        assert_eq!(on_disk(&["été"]), ".&AOk-t&AOk-");
        assert_eq!(on_disk(&["INBOX", "a"]), ".INBOX.a");
        assert_eq!(encode(&MailboxName::inbox(), Encoding::Utf8), Ok(None));
        let utf8 = encode(&name(&["été"]), Encoding::Utf8).unwrap().unwrap();
        assert_eq!(utf8, ".été");
        assert_eq!(on_disk(&["a.b/c", "~d"]), ".a\\2eb\\2fc.~d");
        assert_eq!(on_disk(&["~d~"]), ".\\7ed~");
        assert_eq!(on_disk(&["a\\b", "\\2e"]), ".a\\b.\\5c2e");
    }

    #[test]
    fn every_encoding_is_read() {
        for dir in [".&AOk-t&AOk-", ".été"] {
            assert_eq!(shown(dir), Some(name(&["été"])));
        }
        let utf8 = |dir: &[u8]| decode(dir, Encoding::Utf8);
        assert_eq!(utf8(b".&AOk-"), Some(name(&["&AOk-"])));
        assert_eq!(shown(".a&b"), Some(name(&["a&b"])), "bad shift: literally");
        assert_eq!(shown(".&AAo-"), Some(name(&["&AAo-"])), "a line feed");
        let bad = decode(b".caf\xe9\n", Encoding::Detect);
        assert_eq!(bad, Some(name(&["caf\\e9\\0a"])));
    }

    #[test]
    fn directories_that_are_no_mailboxes() {
        for dir in [
            "cur",
            "",
            ".",
            "..",
            "..DOVECOT-TRASHED",
            INDEX_DIR,
            ".nfs000000000009e84ca0001",
        ] {
            assert_eq!(shown(dir), None, "{dir:?}");
        }
        assert_eq!(shown(".nfs-notes"), Some(name(&["nfs-notes"])));
        let nfs = "nfs0123456789abcdef";
        assert_eq!(on_disk(&[nfs]), ".\\6efs0123456789abcdef");
        assert_eq!(shown(".\\6efs0123456789abcdef"), Some(name(&[nfs])));
        let twin = name(&["\\6efs0123456789abcdef"]);
        assert_eq!(shown(&on_disk(&["\\6efs0123456789abcdef"])), Some(twin));
    }

    #[test]
    fn odd_names_stay_reachable() {
        assert_eq!(shown(".INBOX"), Some(name(&["\\49NBOX"])));
        assert_eq!(shown(".inbox"), Some(name(&["\\69nbox"])));
        assert_eq!(shown(".a..b"), Some(name(&["a", ".b"])));
        assert_eq!(shown(".a."), Some(name(&["a."])));
        assert!(is_canonical(b".Work", Encoding::Mutf7));
        for odd in [&b".a."[..], b".inbox", b".\xc3\xa9", b".a&b", b".\\5cx"] {
            assert!(!is_canonical(odd, Encoding::Mutf7), "{odd:?}");
        }
    }

    #[test]
    fn too_long_for_a_directory() {
        let level = "x".repeat(200);
        let long = name(&[&level, &level]);
        assert_eq!(encode(&long, Encoding::Utf8), Err(TooLong));
    }

    #[test]
    fn what_the_directories_show() {
        let detect = |dirs: &[&str]| detect(dirs.iter().map(|d| d.as_bytes()), Encoding::Detect);
        assert_eq!(detect(&[".Work", "cur"]), Encoding::Mutf7);
        assert_eq!(detect(&[".été", ".a&b"]), Encoding::Utf8);
        assert_eq!(detect(&[".été", ".&AOk-"]), Encoding::Mutf7);
        let fixed = super::detect([&b".\xc3\xa9"[..]], Encoding::Mutf7);
        assert_eq!(fixed, Encoding::Mutf7);
    }

    fn level() -> impl Strategy<Value = String> {
        prop_oneof![
            "[-.~/\\\\&2efc5a7]{1,8}",
            "[\\\\]?(69|6e)?(INBOX|nfs|fs0123456789abcdef|nfs0123456789abcdef)",
            "\\PC{1,6}",
        ]
        .prop_filter("no control characters", |l| {
            !l.chars().any(char::is_control)
        })
    }

    proptest! {
        #[test]
        fn every_name_comes_back(levels in prop::collection::vec(level(), 1..4)) {
            let name = MailboxName::from_levels(levels.iter().map(String::as_str)).unwrap();
            for encoding in [Encoding::Mutf7, Encoding::Utf8, Encoding::Detect] {
                let Some(dir) = encode(&name, encoding).unwrap() else { continue };
                prop_assert!(!dir.contains('/') && !dir.starts_with(".."));
                prop_assert_eq!(decode(dir.as_bytes(), encoding), Some(name.clone()), "{}", dir);
                prop_assert!(is_canonical(dir.as_bytes(), encoding));
            }
        }

        #[test]
        fn any_directory_is_shown_or_left_out(
            dir in prop::collection::vec(prop::sample::select(&b".\\2e5c&-ANx\xc3\xa9\n~"[..]), 0..12)
        ) {
            for encoding in [Encoding::Mutf7, Encoding::Utf8] {
                if let Some(name) = decode(&dir, encoding) {
                    prop_assert!(!name.is_inbox());
                    prop_assert!(encode(&name, encoding).is_ok());
                }
            }
        }
    }
}
