//! Messages of which all that is asked for is at hand are answered in one go,
//! with one look at what is kept of each: clients ask so for all of a mailbox.

use super::Fetch;
use super::message::Unasked;
use super::plan::{Item, Plan};
use crate::changes::Style;
use crate::error::Error;
use crate::facts::{Facts, FactsReader};
use crate::selected::Selected;
use crate::session::Session;
use crate::view::ViewRow;
use roost_imap::write::{self, Dialect, FetchLine};

/// What all messages of the command have in common.
struct Quick<'a> {
    plan: &'a Plan,
    style: Style,
    dialect: Dialect,
    selected: &'a Selected,
    unasked: Unasked,
    /// Headers that were written, and their octets.
    headers: (u64, u64),
}

impl Fetch {
    /// Answers messages of the batch until `out` has grown to `until` octets,
    /// or one is met that takes longer: nothing of that one is written.
    pub(super) fn answer_quickly(
        &mut self,
        session: &mut Session,
        out: &mut Vec<u8>,
        until: usize,
    ) -> Result<(), Error> {
        if !self.plan.is_quick() {
            return Ok(());
        }
        let mut quick = Quick {
            plan: &self.plan,
            style: self.style,
            dialect: self.dialect,
            selected: session.selected()?,
            unasked: Unasked::of(&self.plan, self.style, false),
            headers: (0, 0),
        };
        while out.len() < until
            && let Some(message) = self.queue.peek()
        {
            let (start, headers) = (out.len(), quick.headers);
            if quick.answer(message, &mut self.facts, out).is_none() {
                out.truncate(start);
                quick.headers = headers;
                break;
            }
            self.queue.next_of_batch();
        }
        let (count, octets) = quick.headers;
        let counters = session.counters_mut();
        counters.header_count += count;
        counters.header_bytes += octets;
        Ok(())
    }
}

impl Quick<'_> {
    /// Appends the whole response; `None` if something has to be found out.
    fn answer(
        &mut self,
        message: &ViewRow,
        kept: &mut FactsReader,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let uid = message.row.uid;
        let facts = match self.plan.uses_facts() {
            true => Some(kept.known(uid, self.plan.wants())?),
            false => None,
        };
        let mut line = self.style.open(out, message.seq, uid);
        if self.unasked.uid {
            line.item(out, "UID");
            write::number(out, uid.get());
        }
        for item in self.plan.items() {
            self.item(item, message, facts.as_ref(), &mut line, out)?;
        }
        line.close(out);
        Some(())
    }

    fn item(
        &mut self,
        item: &Item,
        message: &ViewRow,
        facts: Option<&Facts<'_>>,
        line: &mut FetchLine,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let (row, selected) = (&message.row, self.selected);
        let snapshot = selected.view().snapshot();
        match item {
            Item::Uid => {
                line.item(out, "UID");
                write::number(out, row.uid.get());
            }
            Item::Flags => {
                line.item(out, "FLAGS");
                selected.write_flags(out, row, self.style);
            }
            Item::ModSeq => line.modseq(out, row.modseq),
            Item::InternalDate => {
                let kept = facts.and_then(Facts::internal_date);
                let date = kept.or_else(|| snapshot.known_internal_date(row.uid))?;
                line.item(out, "INTERNALDATE");
                write::internal_date(out, date);
            }
            Item::Size => {
                let kept = facts.and_then(Facts::size);
                let size = kept.or_else(|| snapshot.known_size(row.uid))?;
                line.item(out, "RFC822.SIZE");
                write::number64(out, size);
            }
            Item::Envelope => {
                line.item(out, "ENVELOPE");
                out.extend_from_slice(facts?.envelope(self.dialect)?);
            }
            Item::Structure { extended } => {
                line.item(out, if *extended { "BODYSTRUCTURE" } else { "BODY" });
                let answers = facts?.answers()?;
                answers.append_structure(*extended, self.dialect, out);
            }
            Item::Body(body) => {
                line.next(out);
                let octets = body.write_kept_fields(facts?, out)?;
                self.headers.0 += 1;
                self.headers.1 += octets;
            }
            _ => return None,
        }
        Some(())
    }
}
