//! Search keys made ready for one mailbox, and how they judge a message.

use roost_message::search::Needle;
use roost_store::Row;
use roost_types::{Keyword, ModSeq, ObjectId, SeqNum, SeqSet, SystemFlags, UidSet, UnixTime};

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
    /// The internal date is this or earlier, or this or later.
    NotAfter(UnixTime),
    NotBefore(UnixTime),
    /// Days of the save date.
    Saved(Days),
    Size(Sizes),
    /// Not below this.
    ModSeq(ModSeq),
    Sent(Days),
    Header {
        name: Vec<u8>,
        needle: Box<Needle>,
    },
    /// Indexes of needles.
    Body(usize),
    Text(usize),
    EmailId(ObjectId),
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
    EmailId,
    Date,
    Saved,
    Size,
    Header,
    Text,
}

/// What is known of a message; `None` for what would have to be found out.
pub(super) trait Known {
    fn seq(&self) -> SeqNum;
    fn row(&self) -> &Row;
    fn recent(&self) -> bool;
    fn has(&self, keyword: &Keyword) -> bool;
    fn date(&self) -> Option<UnixTime>;
    fn saved(&self) -> Option<UnixTime>;
    fn size(&self) -> Option<u64>;
    fn email_id(&self) -> Option<ObjectId>;
    /// The day in the Date field, or that there is none.
    fn sent(&self) -> Option<Option<i64>>;
    /// Whether a field called `name` has the text.
    fn header(&self, name: &[u8], needle: &Needle) -> Option<bool>;
    /// Whether the needle of a BODY key, or of a TEXT key, was found.
    fn body(&self, index: usize) -> Option<bool>;
    fn text(&self, index: usize) -> Option<bool>;
}

impl Key {
    /// True or false, or what must be known to tell.
    pub fn eval<K: Known>(&self, known: &K) -> Result<bool, Missing> {
        Ok(match self {
            Self::All => true,
            Self::And(keys) => return all(keys, known, false),
            Self::Or(keys) => return all(keys, known, true),
            Self::Not(key) => !key.eval(known)?,
            Self::Seqs(seqs) => seqs.contains(known.seq()),
            Self::Uids(uids) => uids.contains(known.row().uid),
            Self::Flag(flag) => known.row().flags.contains(*flag),
            Self::Keyword(keyword) => known.has(keyword),
            Self::Recent => known.recent(),
            Self::ModSeq(modseq) => known.row().modseq >= *modseq,
            Self::Date(days) => days.has(known.date().ok_or(Missing::Date)?.day()),
            Self::NotAfter(time) => known.date().ok_or(Missing::Date)? <= *time,
            Self::NotBefore(time) => known.date().ok_or(Missing::Date)? >= *time,
            Self::Saved(days) => days.has(known.saved().ok_or(Missing::Saved)?.day()),
            Self::Size(sizes) => sizes.has(known.size().ok_or(Missing::Size)?),
            Self::EmailId(id) => known.email_id().ok_or(Missing::EmailId)? == *id,
            Self::Sent(days) => {
                let sent = known.sent().ok_or(Missing::Header)?;
                sent.is_some_and(|day| days.has(day))
            }
            Self::Header { name, needle } => known.header(name, needle).ok_or(Missing::Header)?,
            Self::Body(index) => known.body(*index).ok_or(Missing::Text)?,
            Self::Text(index) => known.text(*index).ok_or(Missing::Text)?,
        })
    }

    /// The most that judging may take, for the order of judging.
    pub fn cost(&self) -> u8 {
        match self {
            Self::And(keys) | Self::Or(keys) => keys.iter().map(Self::cost).max().unwrap_or(0),
            Self::Not(key) => key.cost(),
            Self::All
            | Self::Seqs(_)
            | Self::Uids(_)
            | Self::Flag(_)
            | Self::Keyword(_)
            | Self::Recent
            | Self::ModSeq(_) => 0,
            Self::Date(_)
            | Self::NotAfter(_)
            | Self::NotBefore(_)
            | Self::Saved(_)
            | Self::Size(_)
            | Self::EmailId(_) => 1,
            Self::Sent(_) | Self::Header { .. } => 2,
            Self::Body(_) | Self::Text(_) => 3,
        }
    }

    pub fn any(&self, is: &dyn Fn(&Self) -> bool) -> bool {
        is(self)
            || match self {
                Self::And(keys) | Self::Or(keys) => keys.iter().any(|k| k.any(is)),
                Self::Not(key) => key.any(is),
                _ => false,
            }
    }
}

/// Judges a list: `decisive` ends it, the opposite is the verdict if none is.
fn all<K: Known>(keys: &[Key], known: &K, decisive: bool) -> Result<bool, Missing> {
    let mut missing: Option<Missing> = None;
    for key in keys {
        match key.eval(known) {
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

#[cfg(test)]
pub(super) mod tests {
    use super::super::compile::not;
    use super::*;
    use proptest::prelude::*;
    use roost_store::KeywordSetId;
    use roost_types::Uid;

    pub const ROW: Row = Row {
        uid: Uid::MIN,
        modseq: ModSeq(1),
        flags: SystemFlags::SEEN,
        keywords: KeywordSetId::EMPTY,
        recent: false,
    };

    /// What has been learnt of one message.
    #[derive(Default)]
    struct Learnt(Vec<Missing>);

    impl Learnt {
        fn when<T>(&self, missing: Missing, value: T) -> Option<T> {
            self.0.contains(&missing).then_some(value)
        }
    }

    impl Known for Learnt {
        fn seq(&self) -> SeqNum {
            SeqNum::MIN
        }
        fn row(&self) -> &Row {
            &ROW
        }
        fn recent(&self) -> bool {
            false
        }
        fn has(&self, _: &Keyword) -> bool {
            false
        }
        fn date(&self) -> Option<UnixTime> {
            self.when(Missing::Date, UnixTime(0))
        }
        fn saved(&self) -> Option<UnixTime> {
            self.when(Missing::Saved, UnixTime(0))
        }
        fn size(&self) -> Option<u64> {
            self.when(Missing::Size, 100)
        }
        fn email_id(&self) -> Option<ObjectId> {
            self.when(Missing::EmailId, ObjectId([0; 16]))
        }
        fn sent(&self) -> Option<Option<i64>> {
            self.when(Missing::Header, None)
        }
        fn header(&self, name: &[u8], _: &Needle) -> Option<bool> {
            self.when(Missing::Header, name == b"a")
        }
        fn body(&self, index: usize) -> Option<bool> {
            self.when(Missing::Text, index == 0)
        }
        fn text(&self, index: usize) -> Option<bool> {
            self.when(Missing::Text, index == 0)
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
        let leaf = (0usize..13).prop_map(|n| match n {
            0 => Key::Flag(SystemFlags::SEEN),
            1 => Key::Flag(SystemFlags::DRAFT),
            2 => Key::Date(Days::On(0)),
            3 => Key::Date(Days::Before(0)),
            4 => Key::Size(Sizes::Larger(5)),
            5 => Key::Size(Sizes::Smaller(5)),
            6 => header(b"a"),
            7 => header(b"b"),
            8 => Key::Body(0),
            9 => Key::Saved(Days::Since(0)),
            10 => Key::NotAfter(UnixTime(-1)),
            11 => Key::EmailId(ObjectId([0; 16])),
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
            use Missing::{Date, EmailId, Header, Saved, Size, Text};
            let all = Learnt(vec![EmailId, Date, Saved, Size, Header, Text]);
            let expected = key.eval(&all);
            prop_assert!(expected.is_ok());
            let mut learnt = Learnt::default();
            let verdict = loop {
                match key.eval(&learnt) {
                    Ok(verdict) => break verdict,
                    Err(missing) => {
                        prop_assert!(!learnt.0.contains(&missing), "{:?} twice", missing);
                        learnt.0.push(missing);
                    }
                }
            };
            prop_assert_eq!(Ok(verdict), expected);
        }
    }

    #[test]
    fn cheap_keys_decide_alone() {
        let nothing_known = Learnt::default;
        let decided = Key::And(vec![Key::Flag(SystemFlags::DRAFT), Key::Body(0)]);
        assert_eq!(decided.eval(&nothing_known()), Ok(false));
        let decided = Key::Or(vec![Key::Body(0), Key::Flag(SystemFlags::SEEN)]);
        assert_eq!(decided.eval(&nothing_known()), Ok(true));
        let open = Key::And(vec![Key::Body(0), header(b"a")]);
        assert_eq!(open.eval(&nothing_known()), Err(Missing::Header));
    }
}
