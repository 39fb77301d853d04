//! Flags and lists of them.

use super::cursor::{Cursor, MAX_KEYWORDS, Result, Syntax};
use crate::chars::is_astring;
use crate::command::Flags;
use roost_types::{Keyword, KeywordError, SystemFlags};

/// What becomes of `\Recent`, which no client can set (RFC 3501 §2.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Recent {
    /// Left out: messages copied from elsewhere often come with it.
    Dropped,
    Refused,
}

/// `flag-list`
pub(super) fn flag_list(c: &mut Cursor<'_>, recent: Recent) -> Result<Flags> {
    let mut flags = Flags::default();
    // System flags may be repeated as clients like.
    c.list(2 * MAX_KEYWORDS, |c| flag(c, &mut flags, recent))?;
    Ok(flags)
}

/// `flag`, added to `flags`.
pub(super) fn flag(c: &mut Cursor<'_>, flags: &mut Flags, recent: Recent) -> Result<()> {
    if c.peek() == Some(b'\\') {
        c.skip(1);
        return system_flag(c.atom()?, flags, recent);
    }
    let keyword = flag_keyword(c)?;
    if flags.keywords.contains(&keyword) {
        return Ok(());
    }
    if flags.keywords.len() == MAX_KEYWORDS {
        return Err(Syntax("Too many keywords"));
    }
    flags.keywords.push(keyword);
    Ok(())
}

/// A system flag by its name without the backslash.
fn system_flag(name: &[u8], flags: &mut Flags, recent: Recent) -> Result<()> {
    let known = SystemFlags::NAMES.iter().find(|(_, n)| {
        n.strip_prefix('\\')
            .is_some_and(|n| n.as_bytes().eq_ignore_ascii_case(name))
    });
    match known {
        Some((flag, _)) => flags.system.insert(*flag),
        None if name.eq_ignore_ascii_case(b"Recent") => {
            if recent == Recent::Refused {
                return Err(Syntax("\\Recent cannot be changed"));
            }
        }
        None => return Err(Syntax("Unknown system flag")),
    }
    Ok(())
}

/// `flag-keyword`; `]`, which no atom has, is let through as [`Keyword`] does.
pub(super) fn flag_keyword(c: &mut Cursor<'_>) -> Result<Keyword> {
    const BAD: Syntax = Syntax("Flag expected");
    let name = std::str::from_utf8(c.take_while(is_astring)).map_err(|_| BAD)?;
    Keyword::new(name).map_err(|e| match e {
        KeywordError::TooLong => Syntax("Keyword too long"),
        KeywordError::Empty | KeywordError::Character => BAD,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Flags> {
        read_with(text, Recent::Dropped)
    }

    fn read_with(text: &str, recent: Recent) -> Result<Flags> {
        let mut c = Cursor::new(text.as_bytes());
        let flags = flag_list(&mut c, recent)?;
        c.end()?;
        Ok(flags)
    }

    #[test]
    fn lists() {
        let flags = read("(\\seen $Label1 \\FLAGGED $label1 \\Recent)").unwrap();
        assert_eq!(flags.system, SystemFlags::SEEN | SystemFlags::FLAGGED);
        assert_eq!(flags.keywords, [Keyword::new("$Label1").unwrap()]);
        assert_eq!(read("()"), Ok(Flags::default()));
        assert!(read_with("(\\Seen)", Recent::Refused).is_ok());
        assert!(read_with("(\\Seen \\recent)", Recent::Refused).is_err());
        for bad in ["(\\Foo)", "(\\*)", "(\\)", "(a%b)", "(\"a\")", "(é)", "a"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keywords_have_limits() {
        let many = |n: usize| {
            let names: Vec<_> = (0..n).map(|i| format!("k{i}")).collect();
            format!("({})", names.join(" "))
        };
        assert!(read(&many(MAX_KEYWORDS)).is_ok());
        assert_eq!(
            read(&many(MAX_KEYWORDS + 1)),
            Err(Syntax("Too many keywords"))
        );
        assert!(read(&format!("({})", "x".repeat(255))).is_ok());
        assert!(read(&format!("({})", "x".repeat(256))).is_err());
    }
}
