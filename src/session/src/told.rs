//! Up to which MODSEQ a client may believe that it knows the mailbox.
//!
//! A client takes the highest MODSEQ that FETCH responses tell it for the
//! mailbox's, unless HIGHESTMODSEQ says otherwise (RFC 7162 §6). It must never
//! believe in one above that of an expunge that it has not been told: after a
//! lost connection it would not hear of it any more. And it should know of a
//! higher one that came with what has no MODSEQ: new and expunged messages.

use roost_types::ModSeq;

/// Of one selected mailbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ToldModSeq {
    /// All changes up to here have been told.
    complete: ModSeq,
    /// What the client takes for the mailbox's.
    client: ModSeq,
    /// HIGHESTMODSEQ is owed for what was expunged.
    owed: bool,
}

impl ToldModSeq {
    /// The client has just selected the mailbox, or been told HIGHESTMODSEQ.
    pub fn new(highest: ModSeq) -> Self {
        Self {
            complete: highest,
            client: highest,
            owed: false,
        }
    }

    pub fn complete(&self) -> ModSeq {
        self.complete
    }

    /// The view has moved to a picture with this highest MODSEQ; all of it is
    /// told unless `untold`. `changed` is the highest MODSEQ in FETCH responses.
    pub fn advanced(&mut self, highest: ModSeq, untold: bool, changed: Option<ModSeq>) {
        if !untold {
            self.complete = self.complete.max(highest);
        }
        self.client = self.client.max(changed.unwrap_or_default());
    }

    /// Messages are told as expunged (RFC 7162 §3.2.7 wants the new value).
    pub fn expunged(&mut self) {
        self.owed = true;
    }

    /// What the client must be told before its command is answered.
    pub fn due(&mut self, untold: bool) -> Option<ModSeq> {
        let owed = std::mem::take(&mut self.owed);
        let due = untold || owed || self.complete > self.client;
        self.client = match due {
            true => self.complete,
            false => self.client,
        };
        due.then_some(self.complete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_never_passes_an_expunge_it_has_not_heard_of() {
        let mut told = ToldModSeq::new(ModSeq(90));
        assert_eq!(told.due(false), None);
        // Flags changed: the FETCH response says enough.
        told.advanced(ModSeq(99), false, Some(ModSeq(99)));
        assert_eq!(told.due(false), None);
        // 100 expunged something, held back; 103 changed flags.
        told.advanced(ModSeq(103), true, Some(ModSeq(103)));
        assert_eq!(told.due(true), Some(ModSeq(99)));
        assert_eq!(told.due(true), Some(ModSeq(99)));
        told.advanced(ModSeq(103), false, None);
        told.expunged();
        assert_eq!(told.due(false), Some(ModSeq(103)));
        assert_eq!(told.due(false), None);
    }

    #[test]
    fn what_has_no_modseq_of_its_own_is_told() {
        let mut told = ToldModSeq::new(ModSeq(5));
        told.advanced(ModSeq(7), false, Some(ModSeq(6)));
        assert_eq!(told.due(false), Some(ModSeq(7)));
        // RFC 7162 §3.2.7: for an EXPUNGE in any case.
        told.advanced(ModSeq(9), false, Some(ModSeq(9)));
        told.expunged();
        assert_eq!(told.due(false), Some(ModSeq(9)));
    }
}
