//! Items out of what is known of a message: its columns and its records.

use super::message::{Context, Message};
use super::plan::Need;
use super::source::Source;
use crate::error::Error;
use crate::facts::Wants;
use crate::object_id;
use roost_imap::write;

impl Message {
    pub fn write_uid(&mut self, out: &mut Vec<u8>) {
        self.line.item(out, "UID");
        write::number(out, self.uid().get());
    }

    pub fn write_modseq(&mut self, out: &mut Vec<u8>) {
        self.line.item(out, "MODSEQ");
        out.push(b'(');
        write::number64(out, self.row.row.modseq.0);
        out.push(b')');
    }

    pub fn write_flags(&mut self, context: &Context<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        self.line.item(out, "FLAGS");
        let selected = context.session.selected()?;
        selected.write_flags(out, &self.row.row, context.style);
        Ok(())
    }

    pub fn write_date(
        &mut self,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let uid = self.uid();
        // The head says what the column does, and is at hand.
        let mut date = None;
        if context.plan.wants().head {
            let facts = context.trouble.note(context.facts.get(uid));
            date = facts.and_then(|facts| facts.internal_date());
        }
        let snapshot = context.session.selected()?.view().snapshot();
        let kept = || context.facts.known(uid, Wants::HEAD)?.internal_date();
        let known = date.or_else(|| snapshot.known_internal_date(uid));
        let date = known.or_else(kept).or_else(|| {
            let asked = context.mailbox.internal_date(uid);
            context.trouble.note(asked.map_err(Error::from))
        });
        if let Some(date) = date {
            self.line.item(out, "INTERNALDATE");
            write::internal_date(out, date);
        }
        Ok(())
    }

    /// What was measured counts more than what the file's name says.
    pub fn write_size(
        &mut self,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let uid = self.uid();
        let reads_file = context.plan.need() > Need::Header;
        let mut size = match reads_file {
            true => self.source(context).and_then(Source::size),
            false => None,
        };
        if size.is_none() && context.plan.uses_facts() {
            let facts = context.trouble.note(context.facts.get(uid));
            size = facts.and_then(|facts| facts.size());
        }
        let snapshot = context.session.selected()?.view().snapshot();
        let size = size.or_else(|| snapshot.known_size(uid)).or_else(|| {
            let wants = context.plan.wants();
            let facts = context.facts.get_wanting(
                uid,
                Wants {
                    size: true,
                    ..wants
                },
            );
            context.trouble.note(facts)?.size()
        });
        if let Some(size) = size {
            self.line.item(out, "RFC822.SIZE");
            write::number64(out, size);
        }
        Ok(())
    }

    pub fn write_save_date(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) {
        let asked = context.mailbox.save_date(self.uid());
        if let Some(date) = context.trouble.note(asked.map_err(Error::from)) {
            self.line.item(out, "SAVEDATE");
            write::internal_date(out, date);
        }
    }

    pub fn write_email_id(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) {
        let asked = object_id::email(context.mailbox, self.uid());
        if let Some(id) = context.trouble.note(asked) {
            self.line.item(out, "EMAILID");
            out.push(b'(');
            out.extend_from_slice(&id.text());
            out.push(b')');
        }
    }

    /// No threads are kept (RFC 8474 §5.2).
    pub fn write_thread_id(&mut self, out: &mut Vec<u8>) {
        self.line.item(out, "THREADID");
        out.extend_from_slice(b"NIL");
    }

    pub fn write_envelope(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) {
        if let Some(facts) = context.trouble.note(context.facts.get(self.uid()))
            && let Some(envelope) = facts.envelope(context.dialect)
        {
            self.line.item(out, "ENVELOPE");
            out.extend_from_slice(envelope);
        }
    }

    pub fn write_structure(
        &mut self,
        extended: bool,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) {
        if let Some(facts) = context.trouble.note(context.facts.get(self.uid()))
            && let Some(answers) = facts.answers()
        {
            let name = if extended { "BODYSTRUCTURE" } else { "BODY" };
            self.line.item(out, name);
            answers.append_structure(extended, context.dialect, out);
        }
    }

    /// NIL only where it may be: the client asks again then.
    pub fn write_preview(&mut self, lazy: bool, context: &mut Context<'_>, out: &mut Vec<u8>) {
        let facts = match lazy {
            true => context.facts.known(self.uid(), Wants::PREVIEW),
            false => match context.trouble.note(context.facts.get(self.uid())) {
                Some(facts) => Some(facts),
                None => return,
            },
        };
        let preview = facts.and_then(|facts| facts.preview());
        self.line.item(out, "PREVIEW");
        write::nstring(out, preview, context.dialect);
    }
}
