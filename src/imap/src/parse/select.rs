//! SELECT and EXAMINE (RFC 9051 §6.3.2 and §6.3.3, RFC 4466 §2.3, RFC 7162).

use super::cursor::{Cursor, MAX_LIST_ITEMS, Result, Syntax};
use super::modseq::mod_sequence_value;
use super::set::plain_ranges;
use crate::command::{Command, KnownMessages, QResync, SelectArgs, SelectParam};
use roost_types::{Uid, UidSet, UidValidity};

/// Parentheses in the value of an unknown parameter.
const MAX_DEPTH: usize = 8;

/// `SP mailbox [SP "(" select-param *(SP select-param) ")"]`
pub(super) fn select(c: &mut Cursor<'_>, examine: bool) -> Result<Command> {
    c.sp()?;
    let mailbox = c.mailbox()?;
    let mut params = Vec::new();
    if c.more() {
        c.list(MAX_LIST_ITEMS, |c| {
            params.push(select_param(c)?);
            Ok(())
        })?;
    }
    Ok(Command::Select(SelectArgs {
        mailbox,
        examine,
        params,
    }))
}

/// `select-param-name [SP select-param-value]`
fn select_param(c: &mut Cursor<'_>) -> Result<SelectParam> {
    let name = c.upper_atom()?;
    match name.as_str() {
        "CONDSTORE" => return Ok(SelectParam::CondStore),
        "QRESYNC" => return qresync(c).map(SelectParam::QResync),
        _ => {}
    }
    // Only a list is surely a value, and not the next parameter.
    if c.rest().starts_with(b" (") {
        c.sp()?;
        c.skip_value(MAX_DEPTH)?;
    }
    Ok(SelectParam::Unknown(name))
}

/// `SP "(" uidvalidity SP mod-sequence-value [SP known-uids]
/// [SP seq-match-data] ")"`
fn qresync(c: &mut Cursor<'_>) -> Result<QResync> {
    c.sp()?;
    c.expect(b'(', "Parenthesis expected")?;
    c.blanks();
    let uid_validity = UidValidity::from(c.nz_number()?);
    c.sp()?;
    let modseq = mod_sequence_value(c)?;
    let (mut known_uids, mut known_messages) = (None, None);
    if next_argument(c) && c.peek() != Some(b'(') {
        known_uids = Some(uid_set(&plain_ranges(c)?));
    }
    if next_argument(c) {
        known_messages = Some(seq_match_data(c)?);
    }
    c.blanks();
    c.expect(b')', "Closing parenthesis expected")?;
    Ok(QResync {
        uid_validity,
        modseq,
        known_uids,
        known_messages,
    })
}

/// Whether another argument follows within the parentheses; blanks are read.
fn next_argument(c: &mut Cursor<'_>) -> bool {
    c.blanks();
    !matches!(c.peek(), Some(b')') | None)
}

fn uid_set(ranges: &[(u32, u32)]) -> UidSet {
    let mut set = UidSet::new();
    for &(first, last) in ranges {
        if let (Some(first), Some(last)) = (Uid::new(first), Uid::new(last)) {
            set.insert_range(first, last);
        }
    }
    set
}

/// `"(" known-sequence-set SP known-uid-set ")"`
fn seq_match_data(c: &mut Cursor<'_>) -> Result<KnownMessages> {
    c.expect(b'(', "Parenthesis expected")?;
    c.blanks();
    let seqs = plain_ranges(c)?;
    c.sp()?;
    let uids = plain_ranges(c)?;
    c.blanks();
    c.expect(b')', "Closing parenthesis expected")?;
    KnownMessages::pair(&seqs, &uids).ok_or(Syntax("Sequence match data do not match"))
}
