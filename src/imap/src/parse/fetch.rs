//! FETCH (RFC 9051 §6.4.5, RFC 3501 §6.4.5, RFC 7162 §3.1.4 and §3.2.6).

use super::cursor::{Cursor, MAX_FETCH_ITEMS, MAX_HEADER_NAMES, MAX_SECTION_DEPTH, Result, Syntax};
use super::modseq::mod_sequence_valzer;
use super::partial::partial_range;
use super::set::sequence_set;
use crate::command::{
    Command, FetchArgs, FetchItem, FetchModifiers, Partial, Section, SectionPart, SectionText,
};

/// `SP sequence-set SP (macro / fetch-att / "(" fetch-att *(SP fetch-att) ")")
/// [fetch-modifiers]`
pub(super) fn fetch(c: &mut Cursor<'_>, uid: bool) -> Result<Command> {
    c.sp()?;
    let set = sequence_set(c)?;
    c.sp()?;
    let mut items = Vec::new();
    if c.peek() == Some(b'(') {
        fetch_atts(c, &mut items)?;
    } else if let Some(expanded) = fetch_macro(c) {
        items = expanded;
    } else {
        items.push(fetch_att(c)?);
    }
    let mut modifiers = FetchModifiers::default();
    if c.more() {
        modifiers = fetch_modifiers(c, uid)?;
    }
    // RFC 7162 §3.1.4.1
    if modifiers.changed_since.is_some() && !items.contains(&FetchItem::ModSeq) {
        items.push(FetchItem::ModSeq);
    }
    Ok(Command::Fetch(FetchArgs {
        uid,
        set,
        items,
        modifiers,
    }))
}

/// `"(" fetch-att *(SP fetch-att) ")"`, each added once.
pub(super) fn fetch_atts(c: &mut Cursor<'_>, items: &mut Vec<FetchItem>) -> Result<()> {
    c.list(MAX_FETCH_ITEMS, |c| {
        let item = fetch_att(c)?;
        if !items.contains(&item) {
            items.push(item);
        }
        Ok(())
    })?;
    match items.is_empty() {
        true => Err(Syntax("FETCH item expected")),
        false => Ok(()),
    }
}

/// `"(" fetch-modifier *(SP fetch-modifier) ")"`
fn fetch_modifiers(c: &mut Cursor<'_>, uid: bool) -> Result<FetchModifiers> {
    let mut modifiers = FetchModifiers::default();
    c.list(MAX_FETCH_ITEMS, |c| {
        match c.upper_atom()?.as_str() {
            "CHANGEDSINCE" if modifiers.changed_since.is_none() => {
                c.sp()?;
                // 0 is not allowed, yet clear, and clients begin with it.
                modifiers.changed_since = Some(mod_sequence_valzer(c)?);
            }
            "VANISHED" if uid => modifiers.vanished = true,
            "VANISHED" => return Err(Syntax("VANISHED needs UID FETCH")),
            "PARTIAL" if uid && modifiers.partial.is_none() => {
                c.sp()?;
                modifiers.partial = Some(partial_range(c)?);
            }
            "PARTIAL" => return Err(Syntax("PARTIAL needs UID FETCH, once")),
            _ => return Err(Syntax("Unknown FETCH modifier")),
        }
        Ok(())
    })?;
    if modifiers.vanished && modifiers.changed_since.is_none() {
        return Err(Syntax("VANISHED needs CHANGEDSINCE"));
    }
    Ok(modifiers)
}

/// `"ALL" / "FULL" / "FAST"`
fn fetch_macro(c: &mut Cursor<'_>) -> Option<Vec<FetchItem>> {
    use FetchItem::{Body, Envelope, Flags, InternalDate, Rfc822Size};
    let mut items = vec![Flags, InternalDate, Rfc822Size];
    if c.eat_word("FAST") {
    } else if c.eat_word("ALL") {
        items.push(Envelope);
    } else if c.eat_word("FULL") {
        items.extend([Envelope, Body]);
    } else {
        return None;
    }
    Some(items)
}

/// `fetch-att`
pub(super) fn fetch_att(c: &mut Cursor<'_>) -> Result<FetchItem> {
    let name = c.take_while(|b| b.is_ascii_alphanumeric() || b == b'.');
    // No name in use is longer.
    let mut buf = [0u8; 16];
    let upper = buf
        .get_mut(..name.len())
        .ok_or(Syntax("Unknown FETCH item"))?;
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    Ok(match &*upper {
        b"UID" => FetchItem::Uid,
        b"FLAGS" => FetchItem::Flags,
        b"INTERNALDATE" => FetchItem::InternalDate,
        b"MODSEQ" => FetchItem::ModSeq,
        b"ENVELOPE" => FetchItem::Envelope,
        b"BODYSTRUCTURE" => FetchItem::BodyStructure,
        b"RFC822" => FetchItem::Rfc822,
        b"RFC822.SIZE" => FetchItem::Rfc822Size,
        b"RFC822.HEADER" => FetchItem::Rfc822Header,
        b"RFC822.TEXT" => FetchItem::Rfc822Text,
        b"PREVIEW" => FetchItem::Preview { lazy: lazy(c)? },
        b"BODY" if c.peek() != Some(b'[') => FetchItem::Body,
        b"BODY" => body_section(c, false)?,
        b"BODY.PEEK" => body_section(c, true)?,
        b"BINARY" => binary(c, false)?,
        b"BINARY.PEEK" => binary(c, true)?,
        b"BINARY.SIZE" => FetchItem::BinarySize {
            part: section_binary(c)?,
        },
        b"SAVEDATE" => FetchItem::SaveDate,
        b"EMAILID" => FetchItem::EmailId,
        b"THREADID" => FetchItem::ThreadId,
        _ => return Err(Syntax("Unknown FETCH item")),
    })
}

/// `[SP "(" preview-mod *(SP preview-mod) ")"]` (RFC 8970 §6)
fn lazy(c: &mut Cursor<'_>) -> Result<bool> {
    // A list behind it may also be one of modifiers of the whole FETCH.
    let inside = c.rest().strip_prefix(b" (").unwrap_or_default();
    let word = inside.split(|&b| b == b' ' || b == b')').next();
    if !word.is_some_and(|word| word.eq_ignore_ascii_case(b"LAZY")) {
        return Ok(false);
    }
    c.sp()?;
    c.list(MAX_FETCH_ITEMS, |c| match c.eat_word("LAZY") {
        true => Ok(()),
        false => Err(Syntax("Unknown PREVIEW modifier")),
    })?;
    Ok(true)
}

/// `section [partial]`
fn body_section(c: &mut Cursor<'_>, peek: bool) -> Result<FetchItem> {
    c.expect(b'[', "Section expected")?;
    let section = section_spec(c)?;
    c.expect(b']', "Invalid section")?;
    Ok(FetchItem::Section {
        section,
        partial: partial(c)?,
        peek,
    })
}

/// `section-binary [partial]`
fn binary(c: &mut Cursor<'_>, peek: bool) -> Result<FetchItem> {
    let part = section_binary(c)?;
    Ok(FetchItem::Binary {
        part,
        partial: partial(c)?,
        peek,
    })
}

/// `section-binary`
fn section_binary(c: &mut Cursor<'_>) -> Result<SectionPart> {
    c.expect(b'[', "Section expected")?;
    let (part, dot) = section_part(c)?;
    if dot {
        return Err(Syntax("Invalid section"));
    }
    c.expect(b']', "Invalid section")?;
    Ok(part)
}

/// `[section-spec]`
fn section_spec(c: &mut Cursor<'_>) -> Result<Section> {
    let (part, dot) = section_part(c)?;
    if c.peek() == Some(b']') && !dot {
        return Ok(Section { part, text: None });
    }
    if !part.is_empty() && !dot {
        return Err(Syntax("Invalid section"));
    }
    let text = section_text(c)?;
    if text == SectionText::Mime && part.is_empty() {
        return Err(Syntax("MIME needs a part number"));
    }
    Ok(Section {
        part,
        text: Some(text),
    })
}

/// `section-part`, and whether a dot follows it.
fn section_part(c: &mut Cursor<'_>) -> Result<(SectionPart, bool)> {
    let mut part = SectionPart::new();
    while c.peek().is_some_and(|b| b.is_ascii_digit()) {
        if part.len() == MAX_SECTION_DEPTH {
            return Err(Syntax("Section too deep"));
        }
        part.push(c.nz_number()?);
        if !c.eat(b'.') {
            return Ok((part, false));
        }
    }
    let dot = !part.is_empty();
    Ok((part, dot))
}

/// `section-text`
fn section_text(c: &mut Cursor<'_>) -> Result<SectionText> {
    if c.eat_word("HEADER") {
        Ok(SectionText::Header)
    } else if c.eat_word("TEXT") {
        Ok(SectionText::Text)
    } else if c.eat_word("MIME") {
        Ok(SectionText::Mime)
    } else if c.eat_word("HEADER.FIELDS") {
        header_list(c, false)
    } else if c.eat_word("HEADER.FIELDS.NOT") {
        header_list(c, true)
    } else {
        Err(Syntax("Invalid section"))
    }
}

/// `SP header-list`
fn header_list(c: &mut Cursor<'_>, not: bool) -> Result<SectionText> {
    c.sp()?;
    let mut names: Vec<Vec<u8>> = Vec::new();
    c.list(MAX_HEADER_NAMES, |c| {
        names.push(c.astring()?.into_owned());
        Ok(())
    })?;
    if names.is_empty() {
        return Err(Syntax("Header field name expected"));
    }
    Ok(SectionText::HeaderFields { not, names })
}

/// `[partial]`
fn partial(c: &mut Cursor<'_>) -> Result<Option<Partial>> {
    const BAD: &str = "Invalid partial range";
    if !c.eat(b'<') {
        return Ok(None);
    }
    let offset = c.number64()?;
    c.expect(b'.', BAD)?;
    let length = c.number64()?;
    c.expect(b'>', BAD)?;
    if length == 0 {
        return Err(Syntax(BAD));
    }
    Ok(Some(Partial { offset, length }))
}
