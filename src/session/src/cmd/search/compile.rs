//! Makes keys ready for a mailbox: sets resolved, texts decoded.

use super::charset::Charset;
use super::key::{Days, Key, Sizes};
use crate::error::Error;
use crate::flag_names;
use crate::selected::Selected;
use roost_imap::command::SearchKey;
use roost_message::search::Needle;
use roost_types::{Keyword, ObjectId, SeqNum, SeqSet, SequenceSet, SystemFlags, UidSet, UnixTime};

/// Recursion is bounded by the depth that the parser allows.
pub(super) struct Compiler<'a> {
    charset: Charset,
    selected: &'a Selected,
    now: UnixTime,
    /// Of BODY and of TEXT keys, which have their indexes.
    pub body: Vec<Needle>,
    pub text: Vec<Needle>,
}

impl<'a> Compiler<'a> {
    pub fn new(charset: Charset, selected: &'a Selected) -> Self {
        Self {
            charset,
            selected,
            now: UnixTime::now(),
            body: Vec::new(),
            text: Vec::new(),
        }
    }

    pub fn key(&mut self, key: SearchKey) -> Result<Key, Error> {
        Ok(match key {
            SearchKey::All => Key::All,
            SearchKey::And(keys) => Key::And(self.keys(keys)?),
            SearchKey::Or(keys) => Key::Or(self.keys(keys)?),
            SearchKey::Not(key) => not(self.key(*key)?),
            SearchKey::Sequence(set) => Key::Seqs(self.seqs(&set)),
            SearchKey::Uid(set) => Key::Uids(self.uids(&set)),
            SearchKey::Flag(flag) => Key::Flag(flag),
            SearchKey::NotFlag(flag) => not(Key::Flag(flag)),
            SearchKey::Keyword(keyword) => named(keyword),
            SearchKey::NotKeyword(keyword) => not(named(keyword)),
            SearchKey::Recent => Key::Recent,
            SearchKey::Old => not(Key::Recent),
            SearchKey::New => Key::And(vec![Key::Recent, not(Key::Flag(SystemFlags::SEEN))]),
            SearchKey::Bcc(text) => self.header(b"Bcc".to_vec(), &text)?,
            SearchKey::Cc(text) => self.header(b"Cc".to_vec(), &text)?,
            SearchKey::From(text) => self.header(b"From".to_vec(), &text)?,
            SearchKey::Subject(text) => self.header(b"Subject".to_vec(), &text)?,
            SearchKey::To(text) => self.header(b"To".to_vec(), &text)?,
            SearchKey::Header { name, value } => self.header(name, &value)?,
            SearchKey::Body(text) => {
                self.body.push(self.charset.needle(&text)?);
                Key::Body(self.body.len() - 1)
            }
            SearchKey::Text(text) => {
                self.text.push(self.charset.needle(&text)?);
                Key::Text(self.text.len() - 1)
            }
            SearchKey::Before(day) => Key::Date(Days::Before(day)),
            SearchKey::On(day) => Key::Date(Days::On(day)),
            SearchKey::Since(day) => Key::Date(Days::Since(day)),
            SearchKey::SentBefore(day) => Key::Sent(Days::Before(day)),
            SearchKey::SentOn(day) => Key::Sent(Days::On(day)),
            SearchKey::SentSince(day) => Key::Sent(Days::Since(day)),
            SearchKey::SavedBefore(day) => Key::Saved(Days::Before(day)),
            SearchKey::SavedOn(day) => Key::Saved(Days::On(day)),
            SearchKey::SavedSince(day) => Key::Saved(Days::Since(day)),
            // Every Maildir tells when a file came into it.
            SearchKey::SaveDateSupported => Key::All,
            SearchKey::Older(seconds) => Key::NotAfter(self.ago(seconds)),
            SearchKey::Younger(seconds) => Key::NotBefore(self.ago(seconds)),
            SearchKey::Larger(size) => Key::Size(Sizes::Larger(size)),
            SearchKey::Smaller(size) => Key::Size(Sizes::Smaller(size)),
            SearchKey::EmailId(id) => match ObjectId::parse(&id) {
                Some(id) => Key::EmailId(id),
                None => not(Key::All),
            },
            // No message has one (RFC 8474 §5.2).
            SearchKey::ThreadId(_) => not(Key::All),
            SearchKey::ModSeq(modseq) => Key::ModSeq(modseq),
        })
    }

    /// The cheap ones first: they may decide.
    fn keys(&mut self, keys: Vec<SearchKey>) -> Result<Vec<Key>, Error> {
        let mut keys = keys
            .into_iter()
            .map(|key| self.key(key))
            .collect::<Result<Vec<_>, _>>()?;
        keys.sort_by_key(Key::cost);
        Ok(keys)
    }

    fn header(&self, name: Vec<u8>, text: &[u8]) -> Result<Key, Error> {
        let needle = Box::new(self.charset.needle(text)?);
        Ok(Key::Header { name, needle })
    }

    fn ago(&self, seconds: u32) -> UnixTime {
        UnixTime(self.now.0.saturating_sub(i64::from(seconds)))
    }

    /// Numbers that no message has match nothing: clients search in windows
    /// that reach beyond the end.
    fn seqs(&self, set: &SequenceSet) -> SeqSet {
        let view = self.selected.view();
        match set {
            SequenceSet::Saved => view.seqs_of(&self.selected.saved),
            ranges @ SequenceSet::Ranges(_) => ranges.resolve(SeqNum::new(view.len())),
        }
    }

    fn uids(&self, set: &SequenceSet) -> UidSet {
        match set {
            SequenceSet::Saved => self.selected.saved.clone(),
            ranges @ SequenceSet::Ranges(_) => ranges.resolve(self.selected.view().last_uid()),
        }
    }
}

/// Other programs may have used another name for the same flag.
fn named(keyword: Keyword) -> Key {
    match flag_names::is_mdn(&keyword) {
        true => Key::Or(flag_names::names().cloned().map(Key::Keyword).collect()),
        false => Key::Keyword(keyword),
    }
}

pub(super) fn not(key: Key) -> Key {
    Key::Not(Box::new(key))
}
