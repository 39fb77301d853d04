//! Modification sequences (RFC 7162 §7).

use super::cursor::{Cursor, Result, Syntax};
use roost_types::ModSeq;

/// `mod-sequence-valzer`: 63 bits.
pub(super) fn mod_sequence_valzer(c: &mut Cursor<'_>) -> Result<ModSeq> {
    c.number64().map(ModSeq)
}

/// `mod-sequence-value`
pub(super) fn mod_sequence_value(c: &mut Cursor<'_>) -> Result<ModSeq> {
    match mod_sequence_valzer(c)? {
        ModSeq(0) => Err(Syntax("MODSEQ must not be 0")),
        modseq => Ok(modseq),
    }
}
