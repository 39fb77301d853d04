//! Keywords and the sets of them that messages carry.

use super::sight;
use crate::format::name::Letters;
use roost_types::Keyword;
use std::collections::HashMap;

/// A set of keywords, interned for one mailbox; 0 is the empty set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
pub struct KeywordSetId(pub(crate) u16);

impl KeywordSetId {
    pub const EMPTY: Self = Self(0);

    pub fn is_empty(self) -> bool {
        self == Self::EMPTY
    }
}

/// What a set consists of: letters of file names, and indexes of keywords
/// that have no letter.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct SetKey {
    pub letters: Letters,
    /// Sorted.
    pub extras: Box<[u16]>,
}

impl SetKey {
    #[cfg(test)]
    pub fn of_letters(letters: Letters) -> Self {
        Self {
            letters,
            extras: Box::default(),
        }
    }

    pub fn has_extra(&self, index: u16) -> bool {
        self.extras.binary_search(&index).is_ok()
    }
}

#[derive(Clone, Debug)]
struct Set {
    key: SetKey,
    names: Box<[Keyword]>,
    /// See [`sight`].
    marks: u8,
}

/// The keywords of a mailbox and the sets in use. Sets are never renumbered
/// while the mailbox is open.
#[derive(Clone, Debug)]
pub(crate) struct KeywordTable {
    letters: Vec<(u8, Keyword)>,
    extras: Vec<Keyword>,
    names: Vec<Keyword>,
    sets: Vec<Set>,
    index: HashMap<SetKey, u16>,
    /// Of all sets.
    marks: u8,
}

/// A table without what follows from the rest.
pub(crate) struct TableParts {
    pub letters: Vec<(u8, Keyword)>,
    pub extras: Vec<Keyword>,
    pub sets: Vec<SetKey>,
}

/// Names that a table is to have.
pub(crate) struct Names {
    letters: Vec<(u8, Keyword)>,
    extras: Vec<Keyword>,
}

impl Default for KeywordTable {
    fn default() -> Self {
        let empty = Set {
            key: SetKey::default(),
            names: Box::default(),
            marks: 0,
        };
        Self {
            letters: Vec::new(),
            extras: Vec::new(),
            names: Vec::new(),
            sets: vec![empty],
            index: HashMap::from([(SetKey::default(), 0)]),
            marks: 0,
        }
    }
}

impl KeywordTable {
    /// A table as an index has it; `None` if it contradicts itself.
    pub fn from_parts(parts: TableParts) -> Option<Self> {
        let mut table = Self {
            letters: parts.letters,
            extras: parts.extras,
            ..Self::default()
        };
        let rising = table.letters.is_sorted_by(|a, b| a.0 < b.0);
        if !rising || table.letters.iter().any(|&(letter, _)| letter > 25) {
            return None;
        }
        table.list_names();
        for key in parts.sets {
            let known = |&i: &u16| usize::from(i) < table.extras.len();
            let good = key.extras.is_sorted_by(|a, b| a < b) && key.extras.iter().all(known);
            if !good || table.index.contains_key(&key) {
                return None;
            }
            table.intern(&key)?;
        }
        Some(table)
    }

    /// What [`from_parts`](Self::from_parts) makes the table of.
    pub fn parts(&self) -> TableParts {
        TableParts {
            letters: self.letters.clone(),
            extras: self.extras.clone(),
            // The empty one is always there.
            sets: self.sets.iter().skip(1).map(|s| s.key.clone()).collect(),
        }
    }

    /// The number of sets: the ids are below it.
    pub fn set_count(&self) -> usize {
        self.sets.len()
    }

    /// Every keyword of the mailbox.
    pub fn names(&self) -> &[Keyword] {
        &self.names
    }

    pub fn names_of(&self, set: KeywordSetId) -> &[Keyword] {
        self.sets.get(usize::from(set.0)).map_or(&[], |s| &s.names)
    }

    /// What the set consists of; nothing for a set of another mailbox.
    pub fn key_of(&self, set: KeywordSetId) -> SetKey {
        let set = self.sets.get(usize::from(set.0));
        set.map_or_else(SetKey::default, |s| s.key.clone())
    }

    pub fn letters_of(&self, set: KeywordSetId) -> Letters {
        self.sets
            .get(usize::from(set.0))
            .map_or(Letters::NONE, |s| s.key.letters)
    }

    /// The marks that any set has.
    pub fn marks(&self) -> u8 {
        self.marks
    }

    pub fn marks_of(&self, set: KeywordSetId) -> u8 {
        self.sets.get(usize::from(set.0)).map_or(0, |s| s.marks)
    }

    /// Whether the sets of an older table have the same marks still.
    pub fn marks_as(&self, old: &Self) -> bool {
        let pairs = || old.sets.iter().zip(&self.sets);
        old.sets.len() <= self.sets.len() && pairs().all(|(old, new)| old.marks == new.marks)
    }

    /// Letters that have a name or that any message has carried.
    pub fn letters_in_use(&self) -> Letters {
        let mut all = Letters::NONE;
        for &(letter, _) in &self.letters {
            all.insert(letter);
        }
        all
    }

    pub fn letter_of(&self, keyword: &Keyword) -> Option<u8> {
        self.letters
            .iter()
            .find(|(_, k)| k == keyword)
            .map(|&(i, _)| i)
    }

    pub fn extra_of(&self, keyword: &Keyword) -> Option<u16> {
        let at = self.extras.iter().position(|k| k == keyword)?;
        u16::try_from(at).ok()
    }

    pub fn extra(&self, index: u16) -> Option<&Keyword> {
        self.extras.get(usize::from(index))
    }

    pub fn has_extras(&self) -> bool {
        !self.extras.is_empty()
    }

    /// The set's number; `None` when there are 65536 sets already.
    pub fn intern(&mut self, key: &SetKey) -> Option<KeywordSetId> {
        if let Some(&id) = self.index.get(key) {
            return Some(KeywordSetId(id));
        }
        let id = u16::try_from(self.sets.len()).ok()?;
        for letter in key.letters.iter() {
            self.name_letter(letter);
        }
        let names = self.spell(key);
        let marks = sight::marks(&names);
        self.marks |= marks;
        self.sets.push(Set {
            key: key.clone(),
            names,
            marks,
        });
        self.index.insert(key.clone(), id);
        Some(KeywordSetId(id))
    }

    /// The number of a set that is in use already.
    pub fn find(&self, key: &SetKey) -> Option<KeywordSetId> {
        self.index.get(key).copied().map(KeywordSetId)
    }

    /// What the names would be with these of letters and of keywords without
    /// letters, which only ever grow at the end; `None` if they are so already.
    pub fn renamed<'a>(
        &self,
        letters: impl Iterator<Item = (u8, &'a Keyword)>,
        extras: impl Iterator<Item = &'a Keyword>,
    ) -> Option<Names> {
        let mut new: Vec<(u8, Keyword)> = letters.map(|(i, k)| (i, k.clone())).collect();
        // A letter that is in use without a name keeps the one made for it.
        for (i, k) in &self.letters {
            if !new.iter().any(|(j, _)| i == j) {
                new.push((*i, k.clone()));
            }
        }
        new.sort_by_key(|&(i, _)| i);
        let mut all = self.extras.clone();
        for keyword in extras {
            if !all.contains(keyword) && all.len() < usize::from(u16::MAX) {
                all.push(keyword.clone());
            }
        }
        (new != self.letters || all != self.extras).then_some(Names {
            letters: new,
            extras: all,
        })
    }

    /// True if a letter in use has another name now.
    pub fn rename(&mut self, names: Names) -> bool {
        let renamed = self.letters.iter().any(|old| !names.letters.contains(old));
        self.letters = names.letters;
        self.extras = names.extras;
        self.respell();
        renamed
    }

    fn name_letter(&mut self, letter: u8) {
        if self.letters.iter().any(|&(i, _)| i == letter) {
            return;
        }
        if let Ok(name) = Keyword::new(&format!("unknown-{letter}")) {
            self.letters.push((letter, name));
            self.letters.sort_by_key(|&(i, _)| i);
            self.list_names();
        }
    }

    fn respell(&mut self) {
        self.list_names();
        for at in 0..self.sets.len() {
            let Some(set) = self.sets.get(at) else { break };
            let names = self.spell(&set.key);
            if let Some(set) = self.sets.get_mut(at) {
                set.marks = sight::marks(&names);
                set.names = names;
            }
        }
        self.marks = self.sets.iter().fold(0, |all, set| all | set.marks);
    }

    fn list_names(&mut self) {
        let letters = self.letters.iter().map(|(_, k)| k);
        // One that has got a letter by now is named once.
        let extras = self.extras.iter().filter(|k| self.letter_of(k).is_none());
        self.names = letters.chain(extras).cloned().collect();
    }

    fn spell(&self, key: &SetKey) -> Box<[Keyword]> {
        let letters = self
            .letters
            .iter()
            .filter(|&&(i, _)| key.letters.contains(i))
            .map(|(_, k)| k);
        let mut names: Vec<Keyword> = letters.cloned().collect();
        for extra in key.extras.iter().filter_map(|&i| self.extra(i)) {
            if !names.contains(extra) {
                names.push(extra.clone());
            }
        }
        names.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyword(name: &str) -> Keyword {
        Keyword::new(name).unwrap()
    }

    fn rename(table: &mut KeywordTable, letters: &[(u8, &Keyword)], extras: &[&Keyword]) -> bool {
        let names = table.renamed(letters.iter().copied(), extras.iter().copied());
        table.rename(names.unwrap())
    }

    #[test]
    fn sets_are_one_number_each_and_spelled_in_table_order() {
        let mut table = KeywordTable::default();
        let (b, a) = (keyword("$Junk"), keyword("Work"));
        let far = keyword("far");
        rename(&mut table, &[(0, &a), (3, &b)], &[&far]);
        let again = table.renamed([(0, &a)].into_iter(), [&far].into_iter());
        assert!(again.is_none(), "nothing is new");
        let mut letters = Letters::NONE;
        letters.insert(3);
        letters.insert(0);
        let key = SetKey {
            letters,
            extras: [0].into(),
        };
        let id = table.intern(&key).unwrap();
        assert_eq!(table.intern(&key), Some(id));
        assert_eq!(table.names_of(id), [a, b, far]);
        assert_eq!(table.intern(&SetKey::default()), Some(KeywordSetId::EMPTY));
        assert!(table.names_of(KeywordSetId::EMPTY).is_empty());
    }

    #[test]
    fn a_letter_without_a_name_gets_one_until_the_file_names_it() {
        let mut table = KeywordTable::default();
        let mut letters = Letters::NONE;
        letters.insert(4);
        let id = table.intern(&SetKey::of_letters(letters)).unwrap();
        assert_eq!(table.names_of(id), [keyword("unknown-4")]);
        assert_eq!(table.names(), [keyword("unknown-4")]);
        let name = keyword("Important");
        assert!(rename(&mut table, &[(4, &name)], &[]));
        assert_eq!(table.names_of(id), std::slice::from_ref(&name));
        let other = keyword("other");
        assert!(!rename(&mut table, &[(4, &name), (5, &other)], &[]));
        assert_eq!(table.names(), [name, other]);
    }

    #[test]
    fn the_number_of_sets_is_limited() {
        let mut table = KeywordTable::default();
        for bits in 1..=u32::from(u16::MAX) {
            let key = SetKey::of_letters(Letters::from_bits(bits));
            assert!(table.intern(&key).is_some());
        }
        let one_more = SetKey::of_letters(Letters::from_bits(1 << 20));
        assert_eq!(table.intern(&one_more), None);
    }
}
