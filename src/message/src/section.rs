//! Part numbers of FETCH to places in a message (RFC 9051 §6.4.5.1).

use crate::span::Span;
use crate::structure::{Content, Part, Structure};

/// What of a part is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Section {
    /// `BODY[]`, `BODY[1.2]`
    Body,
    /// `HEADER` and, filtered by the caller, `HEADER.FIELDS`.
    Header,
    Text,
    Mime,
}

/// A part that a number names.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    Part(&'a Part),
    /// The empty text part that a multipart without any part is said to have.
    Empty,
}

impl Structure {
    /// The part that `path` names; the whole message if it is empty.
    pub fn part(&self, path: &[u32]) -> Option<Found<'_>> {
        let Some((&first, rest)) = path.split_first() else {
            return Some(Found::Part(&self.root));
        };
        let mut found = child_of_message(&self.root, first)?;
        for &number in rest {
            let Found::Part(part) = found else {
                return None;
            };
            found = child(part, number)?;
        }
        Some(found)
    }

    /// Where the bytes of a section lie; `None` if there is no such section,
    /// an empty span if there is nothing in it.
    pub fn span(&self, path: &[u32], section: Section) -> Option<Span> {
        let part = match self.part(path)? {
            Found::Part(part) => part,
            Found::Empty => {
                return matches!(section, Section::Body | Section::Mime).then(Span::default);
            }
        };
        // HEADER and TEXT of a part are those of the message that it holds.
        let message = match &part.content {
            _ if path.is_empty() => Some(part),
            Content::Message(inner) => Some(&**inner),
            _ => None,
        };
        match section {
            Section::Body if path.is_empty() => Some(self.size),
            Section::Body => Some(part.body),
            Section::Mime => Some(part.header),
            Section::Header => message.map(|m| m.header),
            Section::Text => message.map(|m| m.body),
        }
    }
}

/// Part `number` of `message`: one that is no multipart has its body as its
/// only part.
fn child_of_message(message: &Part, number: u32) -> Option<Found<'_>> {
    match &message.content {
        Content::Multipart(children) => nth(children, number),
        _ => (number == 1).then_some(Found::Part(message)),
    }
}

fn child(part: &Part, number: u32) -> Option<Found<'_>> {
    match &part.content {
        Content::Leaf => None,
        Content::Multipart(children) => nth(children, number),
        Content::Message(inner) => child_of_message(inner, number),
    }
}

fn nth(children: &[Part], number: u32) -> Option<Found<'_>> {
    if children.is_empty() && number == 1 {
        return Some(Found::Empty);
    }
    let index = usize::try_from(number.checked_sub(1)?).ok()?;
    children.get(index).map(Found::Part)
}
