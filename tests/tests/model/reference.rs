//! What the mailbox should hold, by the numbers in the messages' subjects, and
//! what must stay true of everything that any client is told.

use std::collections::{BTreeMap, BTreeSet};

/// In small letters, without `\Recent`.
pub type Flags = BTreeSet<String>;

#[derive(Default)]
pub struct Reference {
    /// What is there.
    pub messages: BTreeMap<u32, Flags>,
    /// Which message a UID names, for ever.
    names: BTreeMap<u32, u32>,
    uids: BTreeMap<u32, u32>,
    /// The newest state that was told of each UID.
    told: BTreeMap<u32, (Flags, u64)>,
    /// The highest MODSEQ that any client has seen.
    highest: u64,
    validity: Option<u64>,
    next: u32,
    /// What else may have become of messages, of which a command was under way
    /// when its server was killed; `None`: they are not there.
    doubts: BTreeMap<u32, Option<Flags>>,
}

impl Reference {
    /// Adds a message; its number.
    pub fn add(&mut self, flags: Flags) -> u32 {
        let number = self.reserve();
        self.messages.insert(number, flags);
        number
    }

    /// The number of a message that may come.
    pub fn reserve(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    pub fn number_of(&self, uid: u32) -> Option<u32> {
        self.names.get(&uid).copied()
    }

    /// What the mailbox should hold, by UID; those that nobody has seen yet
    /// are left out.
    pub fn by_uid(&self) -> BTreeMap<u32, Flags> {
        let with_uid = |(n, flags): (&u32, &Flags)| Some((*self.uids.get(n)?, flags.clone()));
        self.messages.iter().filter_map(with_uid).collect()
    }

    /// A UID and the message under it.
    pub fn is_named(&mut self, uid: u32, number: u32) {
        let before = *self.names.entry(uid).or_insert(number);
        assert_eq!(before, number, "UID {uid} names two messages");
        let before = *self.uids.entry(number).or_insert(uid);
        assert_eq!(before, uid, "message {number} has two UIDs");
    }

    /// A FETCH response with flags and MODSEQ.
    pub fn is_told(&mut self, uid: u32, flags: &Flags, modseq: u64) {
        self.has_seen(modseq);
        if let Some((old, before)) = self.told.get(&uid) {
            assert!(
                modseq >= *before,
                "MODSEQ of UID {uid} fell: {before}, {modseq}"
            );
            assert!(
                modseq > *before || flags == old,
                "UID {uid} changed from {old:?} to {flags:?} under MODSEQ {modseq}"
            );
        }
        self.told.insert(uid, (flags.clone(), modseq));
    }

    pub fn has_seen(&mut self, modseq: u64) {
        self.highest = self.highest.max(modseq);
    }

    /// What SELECT tells.
    pub fn is_selected(&mut self, validity: u64, highest: u64) {
        assert_eq!(
            *self.validity.get_or_insert(validity),
            validity,
            "UIDVALIDITY"
        );
        assert!(
            highest >= self.highest,
            "HIGHESTMODSEQ {highest} while {} has been seen",
            self.highest
        );
        self.highest = highest;
    }

    /// A message may as well be like this.
    pub fn doubt(&mut self, number: u32, other: Option<Flags>) {
        self.doubts.insert(number, other);
    }

    /// Decides by what the server holds, where a doubt allows it.
    pub fn resolve(&mut self, held: &BTreeMap<u32, Flags>) {
        let by_number: BTreeMap<u32, &Flags> = held
            .iter()
            .filter_map(|(uid, flags)| Some((self.number_of(*uid)?, flags)))
            .collect();
        for (number, other) in &self.doubts {
            if by_number.get(number).copied() != other.as_ref() {
                continue;
            }
            match other {
                Some(flags) => self.messages.insert(*number, flags.clone()),
                None => self.messages.remove(number),
            };
        }
    }

    /// Server and reference are the same: nothing is in doubt any more.
    pub fn is_certain(&mut self) {
        self.doubts.clear();
    }

    pub fn expunge(&mut self) {
        self.messages
            .retain(|_, flags| !flags.contains("\\deleted"));
    }
}

pub fn flags(text: &str) -> Flags {
    let words = text.split_whitespace().map(str::to_lowercase);
    words.filter(|f| f != "\\recent").collect()
}
