//! All of a search: what a look at a row decides, what is left to judge, and
//! what has to be known for that.

use super::charset::Charset;
use super::compile::Compiler;
use super::key::Key;
use crate::cmd::fetch::plan::Need;
use crate::error::Error;
use crate::facts::{Wants, texts};
use crate::selected::Selected;
use crate::view::View;
use roost_imap::command::SearchKey;
use roost_message::search::Needle;
use roost_store::Row;
use roost_types::{SeqNum, SeqSet, SystemFlags};

/// Flags that every match has, and flags that none has: what most searches
/// ask for, told by one look at a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Mask {
    with: SystemFlags,
    without: SystemFlags,
}

impl Mask {
    #[inline]
    pub fn fits(self, row: &Row) -> bool {
        row.flags.contains(self.with) && !row.flags.intersects(self.without)
    }

    /// Takes over what `key` demands, if that is all that it says.
    fn take(&mut self, key: &Key) -> bool {
        match key {
            Key::Flag(flag) => self.with.insert(*flag),
            Key::Not(not) => match &**not {
                Key::Flag(flag) => self.without.insert(*flag),
                _ => return false,
            },
            Key::All => {}
            _ => return false,
        }
        true
    }
}

/// All of a SEARCH command's keys.
pub(super) struct Program {
    mask: Mask,
    /// What is left to judge behind the mask; nothing for most searches.
    key: Option<Key>,
    candidates: SeqSet,
    body: Vec<Needle>,
    text: Vec<Needle>,
    needs_recent: bool,
    wants: Option<Wants>,
    file_need: Need,
}

impl Program {
    pub fn new(key: SearchKey, charset: Option<&str>, selected: &Selected) -> Result<Self, Error> {
        let mut compiler = Compiler::new(Charset::named(charset)?, selected);
        let key = compiler.key(key)?;
        let reads_text = key.any(&|k| matches!(k, Key::Body(_) | Key::Text(_)));
        let needs_recent = key.any(&|k| matches!(k, Key::Recent));
        let wants = wants_of(&key);
        let mut keys = match key {
            Key::And(keys) => keys,
            one => vec![one],
        };
        let candidates = narrow(&mut keys, selected.view());
        let mut mask = Mask::default();
        keys.retain(|key| !mask.take(key));
        Ok(Self {
            mask,
            key: (!keys.is_empty()).then_some(Key::And(keys)),
            candidates,
            needs_recent,
            wants,
            file_need: match reads_text {
                true => Need::Structure,
                false => Need::Header,
            },
            body: compiler.body,
            text: compiler.text,
        })
    }

    pub fn mask(&self) -> Mask {
        self.mask
    }

    /// What has to be judged of a message that fits the mask.
    pub fn key(&self) -> Option<&Key> {
        self.key.as_ref()
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

    /// Header fields or the date in them decide: what is kept of these.
    pub fn wants(&self) -> Option<Wants> {
        self.wants
    }

    /// How much of a file to read once it has to be opened at all.
    pub fn file_need(&self) -> Need {
        self.file_need
    }

    /// The messages that can match at all, by the sets in the keys.
    pub fn candidates(&self) -> &SeqSet {
        &self.candidates
    }
}

fn wants_of(key: &Key) -> Option<Wants> {
    let of_head = |key: &Key| match key {
        Key::Header { name, .. } => !texts::has(name),
        Key::Sent(_) => true,
        _ => false,
    };
    if key.any(&of_head) {
        return Some(Wants::HEAD);
    }
    let of_texts = key.any(&|key| matches!(key, Key::Header { .. }));
    of_texts.then_some(Wants::TEXTS)
}

/// Takes the sets out of keys that must all match: these messages are left.
fn narrow(keys: &mut Vec<Key>, view: &View) -> SeqSet {
    let Some(last) = SeqNum::new(view.len()) else {
        return SeqSet::new();
    };
    let mut candidates = SeqSet::range(SeqNum::MIN, last);
    keys.retain(|key| {
        candidates = match key {
            Key::Seqs(seqs) => candidates.intersection(seqs),
            Key::Uids(uids) => candidates.intersection(&view.seqs_of(uids)),
            _ => return true,
        };
        false
    });
    candidates
}

#[cfg(test)]
mod tests {
    use super::super::compile::not;
    use super::super::key::tests::ROW;
    use super::*;

    #[test]
    fn flags_alone_are_a_mask() {
        let mut mask = Mask::default();
        assert!(mask.take(&Key::Flag(SystemFlags::SEEN)));
        assert!(mask.fits(&ROW));
        assert!(!mask.take(&not(Key::Recent)) && !mask.take(&Key::Body(0)));
        assert!(mask.take(&not(Key::Flag(SystemFlags::DRAFT))));
        assert!(mask.fits(&ROW));
        assert!(mask.take(&Key::Flag(SystemFlags::DELETED)));
        assert!(!mask.fits(&ROW));
        assert!(!Mask::default().take(&Key::Or(vec![])));
    }
}
