//! Flag lists.

use roost_types::{Keyword, SystemFlags};

/// Appends `(\Answered … keyword … extra)`; `extra` is for `\*` in
/// PERMANENTFLAGS and `\Recent` in FETCH.
pub fn flag_list<'a>(
    out: &mut Vec<u8>,
    system: SystemFlags,
    keywords: impl IntoIterator<Item = &'a Keyword>,
    extra: Option<&str>,
) {
    out.push(b'(');
    let start = out.len();
    let mut push = |name: &str| {
        if out.len() > start {
            out.push(b' ');
        }
        out.extend_from_slice(name.as_bytes());
    };
    system.names().for_each(&mut push);
    keywords.into_iter().for_each(|k| push(k.as_str()));
    extra.into_iter().for_each(push);
    out.push(b')');
}

/// Appends a flag list as FETCH has it, with `\Recent` where the session has
/// the message as such.
pub fn flag_list_with_recent<'a>(
    out: &mut Vec<u8>,
    system: SystemFlags,
    keywords: impl IntoIterator<Item = &'a Keyword>,
    recent: bool,
) {
    flag_list(out, system, keywords, recent.then_some("\\Recent"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let mut out = Vec::new();
        flag_list(&mut out, SystemFlags::NONE, [], None);
        assert_eq!(out, b"()");
        out.clear();
        let keyword = Keyword::new("$Label1").unwrap();
        flag_list_with_recent(&mut out, SystemFlags::SEEN, [&keyword], true);
        assert_eq!(out, b"(\\Seen $Label1 \\Recent)");
    }
}
