//! Telling a client that its account is nearly full: once, and again after
//! there was room in between.

use super::Session;
use roost_imap::write::{self, Status};
use roost_imap::{CommandKind, ResponseCode};
use roost_store::Known;

impl Session {
    /// After a command that may have changed it, or what is told of it.
    pub(super) fn tell_fullness_after(&mut self, kind: CommandKind, out: &mut Vec<u8>) {
        use CommandKind as K;
        if matches!(
            kind,
            K::Select
                | K::Examine
                | K::Append
                | K::Replace
                | K::UidReplace
                | K::Copy
                | K::UidCopy
                | K::Expunge
                | K::UidExpunge
                | K::Delete
        ) {
            self.tell_fullness(out);
        }
    }

    /// What is known of the account as the session begins: told with the
    /// greeting.
    pub fn begins_with(&mut self, known: Known) {
        if self.identity.asker.is_none() {
            self.first_fullness = Some(known);
        }
    }

    pub(super) fn tell_first_fullness(&mut self, out: &mut Vec<u8>) {
        if let Some(known) = self.first_fullness.take() {
            self.tell_known(known, out);
        }
    }

    /// Not to those who visit: it is the owner's business. Nothing is counted
    /// for it.
    pub(super) fn tell_fullness(&mut self, out: &mut Vec<u8>) {
        if self.identity.asker.is_some() {
            return;
        }
        if let Ok(known) = self.account.quota() {
            self.tell_known(known, out);
        }
    }

    fn tell_known(&mut self, known: Known, out: &mut Vec<u8>) {
        let Known::Used(usage) = known else { return };
        let percent = usage.percent();
        let full = percent >= u64::from(self.account.quota_options().alert_percent);
        if std::mem::replace(&mut self.told_fullness, full) || !full {
            return;
        }
        let text = format!("The mail account is {percent} % full");
        write::untagged(out, Status::Ok, Some(&ResponseCode::Alert), &text);
    }
}
