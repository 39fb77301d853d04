//! Search keys made ready for one mailbox, and how they judge a message.

use super::charset::Charset;
use crate::cmd::fetch::plan::Need;
use crate::error::Error;
use crate::selected::Selected;
use crate::view::{View, ViewRow};
use roost_imap::command::SearchKey;
use roost_message::date::SentDate;
use roost_message::search::{Needle, in_header};
use roost_types::{Keyword, SeqNum, SeqSet, SequenceSet, SystemFlags, UidSet, UnixTime};

/// A key with its sets resolved and its texts decoded.
#[derive(Debug)]
pub(super) enum Key {
    All,
    And(Vec<Key>),
    Or(Vec<Key>),
    Not(Box<Key>),
    Seqs(SeqSet),
    Uids(UidSet),
    Flag(SystemFlags),
    Keyword(Keyword),
    Recent,
    /// Days of the internal date.
    Date(Days),
    Size(Sizes),
    Sent(Days),
    Header {
        name: Vec<u8>,
        needle: Box<Needle>,
    },
    /// Indexes of needles.
    Body(usize),
    Text(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Days {
    Before(i64),
    On(i64),
    Since(i64),
}

impl Days {
    fn has(self, day: i64) -> bool {
        match self {
            Self::Before(n) => day < n,
            Self::On(n) => day == n,
            Self::Since(n) => day >= n,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Sizes {
    Larger(u64),
    Smaller(u64),
}

impl Sizes {
    fn has(self, size: u64) -> bool {
        match self {
            Self::Larger(n) => size > n,
            Self::Smaller(n) => size < n,
        }
    }
}

/// What has to be found out next, the cheapest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Missing {
    Date,
    Size,
    Header,
    Text,
}

/// What is known of a message.
pub(super) struct Facts<'a> {
    pub message: ViewRow,
    pub recent: bool,
    pub keywords: &'a [Keyword],
    pub date: Option<UnixTime>,
    pub size: Option<u64>,
    pub header: Option<Vec<u8>>,
    /// By the header; only meaningful when that is known.
    pub sent: Option<SentDate>,
    /// For each needle of BODY and of TEXT whether it was found.
    pub texts: Option<(Vec<bool>, Vec<bool>)>,
}

impl Key {
    /// True or false, or what must be known to tell.
    pub fn eval(&self, facts: &Facts<'_>) -> Result<bool, Missing> {
        let row = &facts.message.row;
        Ok(match self {
            Self::All => true,
            Self::And(keys) => return all(keys, facts, false),
            Self::Or(keys) => return all(keys, facts, true),
            Self::Not(key) => !key.eval(facts)?,
            Self::Seqs(seqs) => seqs.contains(facts.message.seq),
            Self::Uids(uids) => uids.contains(row.uid),
            Self::Flag(flag) => row.flags.contains(*flag),
            Self::Keyword(keyword) => facts.keywords.contains(keyword),
            Self::Recent => facts.recent,
            Self::Date(days) => days.has(facts.date.ok_or(Missing::Date)?.day()),
            Self::Size(sizes) => sizes.has(facts.size.ok_or(Missing::Size)?),
            Self::Sent(days) => {
                facts.header.as_ref().ok_or(Missing::Header)?;
                facts.sent.is_some_and(|sent| days.has(sent.day))
            }
            Self::Header { name, needle } => {
                let block = facts.header.as_ref().ok_or(Missing::Header)?;
                in_header(block, name, needle)
            }
            Self::Body(index) => {
                let (body, _) = facts.texts.as_ref().ok_or(Missing::Text)?;
                body.get(*index).copied().unwrap_or_default()
            }
            Self::Text(index) => {
                let (_, text) = facts.texts.as_ref().ok_or(Missing::Text)?;
                text.get(*index).copied().unwrap_or_default()
            }
        })
    }

    /// The most that judging may take, for the order of judging.
    fn cost(&self) -> u8 {
        match self {
            Self::And(keys) | Self::Or(keys) => keys.iter().map(Self::cost).max().unwrap_or(0),
            Self::Not(key) => key.cost(),
            Self::All
            | Self::Seqs(_)
            | Self::Uids(_)
            | Self::Flag(_)
            | Self::Keyword(_)
            | Self::Recent => 0,
            Self::Date(_) | Self::Size(_) => 1,
            Self::Sent(_) | Self::Header { .. } => 2,
            Self::Body(_) | Self::Text(_) => 3,
        }
    }

    fn any(&self, is: &dyn Fn(&Self) -> bool) -> bool {
        is(self)
            || match self {
                Self::And(keys) | Self::Or(keys) => keys.iter().any(|k| k.any(is)),
                Self::Not(key) => key.any(is),
                _ => false,
            }
    }
}

/// Judges a list: `decisive` ends it, the opposite is the verdict if none is.
fn all(keys: &[Key], facts: &Facts<'_>, decisive: bool) -> Result<bool, Missing> {
    let mut missing: Option<Missing> = None;
    for key in keys {
        match key.eval(facts) {
            Ok(verdict) if verdict == decisive => return Ok(decisive),
            Ok(_) => {}
            Err(other) => missing = Some(missing.map_or(other, |m| m.min(other))),
        }
    }
    match missing {
        Some(missing) => Err(missing),
        None => Ok(!decisive),
    }
}

/// All of a SEARCH command's keys.
pub(super) struct Program {
    key: Key,
    body: Vec<Needle>,
    text: Vec<Needle>,
    needs_recent: bool,
    needs_cold: bool,
    file_need: Need,
}

impl Program {
    pub fn new(key: SearchKey, charset: Option<&str>, selected: &Selected) -> Result<Self, Error> {
        let mut compiler = Compiler {
            charset: Charset::named(charset)?,
            selected,
            body: Vec::new(),
            text: Vec::new(),
        };
        let key = compiler.key(key)?;
        let reads_text = key.any(&|k| matches!(k, Key::Body(_) | Key::Text(_)));
        Ok(Self {
            needs_recent: key.any(&|k| matches!(k, Key::Recent)),
            needs_cold: key.cost() > 0,
            file_need: match reads_text {
                true => Need::Structure,
                false => Need::Header,
            },
            key,
            body: compiler.body,
            text: compiler.text,
        })
    }

    pub fn key(&self) -> &Key {
        &self.key
    }

    pub fn body(&self) -> &[Needle] {
        &self.body
    }

    pub fn text(&self) -> &[Needle] {
        &self.text
    }

    pub fn needs_recent(&self) -> bool {
        self.needs_recent
    }

    /// Dates or sizes are asked for.
    pub fn needs_cold(&self) -> bool {
        self.needs_cold
    }

    /// How much of a file to read once it has to be opened at all.
    pub fn file_need(&self) -> Need {
        self.file_need
    }

    /// The messages that can match at all, by the sets in the keys.
    pub fn candidates(&self, view: &View) -> SeqSet {
        let mut candidates = match SeqNum::new(view.len()) {
            Some(last) => SeqSet::range(SeqNum::MIN, last),
            None => return SeqSet::new(),
        };
        let keys = match &self.key {
            Key::And(keys) => keys.as_slice(),
            one => std::slice::from_ref(one),
        };
        for key in keys {
            candidates = match key {
                Key::Seqs(seqs) => candidates.intersection(seqs),
                Key::Uids(uids) => candidates.intersection(&view.seqs_of(uids)),
                _ => continue,
            };
        }
        candidates
    }
}

/// Recursion is bounded by the depth that the parser allows.
struct Compiler<'a> {
    charset: Charset,
    selected: &'a Selected,
    body: Vec<Needle>,
    text: Vec<Needle>,
}

impl Compiler<'_> {
    fn key(&mut self, key: SearchKey) -> Result<Key, Error> {
        Ok(match key {
            SearchKey::All => Key::All,
            SearchKey::And(keys) => Key::And(self.keys(keys)?),
            SearchKey::Or(keys) => Key::Or(self.keys(keys)?),
            SearchKey::Not(key) => not(self.key(*key)?),
            SearchKey::Sequence(set) => Key::Seqs(self.seqs(&set)),
            SearchKey::Uid(set) => Key::Uids(self.uids(&set)),
            SearchKey::Flag(flag) => Key::Flag(flag),
            SearchKey::NotFlag(flag) => not(Key::Flag(flag)),
            SearchKey::Keyword(keyword) => Key::Keyword(keyword),
            SearchKey::NotKeyword(keyword) => not(Key::Keyword(keyword)),
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
            SearchKey::Larger(size) => Key::Size(Sizes::Larger(size)),
            SearchKey::Smaller(size) => Key::Size(Sizes::Smaller(size)),
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

fn not(key: Key) -> Key {
    Key::Not(Box::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use roost_store::{KeywordSetId, Row};
    use roost_types::{ModSeq, Uid};

    fn nothing_known() -> Facts<'static> {
        let row = Row {
            uid: Uid::MIN,
            modseq: ModSeq(1),
            flags: SystemFlags::SEEN,
            keywords: KeywordSetId::EMPTY,
            recent: false,
        };
        Facts {
            message: ViewRow {
                seq: SeqNum::MIN,
                row,
                ghost: false,
            },
            recent: false,
            keywords: &[],
            date: None,
            size: None,
            header: None,
            sent: None,
            texts: None,
        }
    }

    fn learn(facts: &mut Facts<'_>, missing: Missing) {
        match missing {
            Missing::Date => facts.date = Some(UnixTime(0)),
            Missing::Size => facts.size = Some(100),
            Missing::Header => facts.header = Some(b"A: b\n".to_vec()),
            Missing::Text => facts.texts = Some((vec![true, false], vec![true, false])),
        }
    }

    fn header(name: &[u8]) -> Key {
        Key::Header {
            name: name.to_vec(),
            needle: Box::new(Needle::new("")),
        }
    }

    /// Keys of every cost, true and false, and what is made of them.
    fn key() -> impl Strategy<Value = Key> {
        let leaf = (0usize..10).prop_map(|n| match n {
            0 => Key::Flag(SystemFlags::SEEN),
            1 => Key::Flag(SystemFlags::DRAFT),
            2 => Key::Date(Days::On(0)),
            3 => Key::Date(Days::Before(0)),
            4 => Key::Size(Sizes::Larger(5)),
            5 => Key::Size(Sizes::Smaller(5)),
            6 => header(b"a"),
            7 => header(b"b"),
            8 => Key::Body(0),
            _ => Key::Text(1),
        });
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 2..4).prop_map(Key::And),
                prop::collection::vec(inner.clone(), 2..4).prop_map(Key::Or),
                inner.prop_map(not),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_learnt_late_changes_no_verdict(key in key()) {
            let mut all = nothing_known();
            for missing in [Missing::Date, Missing::Size, Missing::Header, Missing::Text] {
                learn(&mut all, missing);
            }
            let expected = key.eval(&all);
            prop_assert!(expected.is_ok());
            let mut facts = nothing_known();
            let mut learnt = Vec::new();
            let verdict = loop {
                match key.eval(&facts) {
                    Ok(verdict) => break verdict,
                    Err(missing) => {
                        prop_assert!(!learnt.contains(&missing), "{:?} twice", missing);
                        learnt.push(missing);
                        learn(&mut facts, missing);
                    }
                }
            };
            prop_assert_eq!(Ok(verdict), expected);
        }
    }

    #[test]
    fn cheap_keys_decide_alone() {
        let decided = Key::And(vec![Key::Flag(SystemFlags::DRAFT), Key::Body(0)]);
        assert_eq!(decided.eval(&nothing_known()), Ok(false));
        let decided = Key::Or(vec![Key::Body(0), Key::Flag(SystemFlags::SEEN)]);
        assert_eq!(decided.eval(&nothing_known()), Ok(true));
        let open = Key::And(vec![Key::Body(0), header(b"a")]);
        assert_eq!(open.eval(&nothing_known()), Err(Missing::Header));
    }
}
