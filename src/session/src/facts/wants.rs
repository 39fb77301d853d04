//! What somebody wants to know of messages, and which records say it.

use super::{ENVELOPE, HEAD, PREVIEW, STRUCTURE, TEXTS};

/// What a reader is to know of each message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wants {
    /// Header fields, dates and base subject.
    pub head: bool,
    /// RFC822.SIZE, where it is not known already.
    pub size: bool,
    pub envelope: bool,
    /// The fields that have search keys.
    pub texts: bool,
    /// BODYSTRUCTURE and places.
    pub structure: bool,
    pub preview: bool,
}

impl Wants {
    pub const HEAD: Self = Self {
        head: true,
        ..Self::NOTHING
    };
    pub const ENVELOPE: Self = Self {
        envelope: true,
        ..Self::NOTHING
    };
    pub const TEXTS: Self = Self {
        texts: true,
        ..Self::NOTHING
    };
    pub const STRUCTURE: Self = Self {
        structure: true,
        ..Self::NOTHING
    };
    pub const PREVIEW: Self = Self {
        preview: true,
        ..Self::NOTHING
    };
    const NOTHING: Self = Self {
        head: false,
        size: false,
        envelope: false,
        texts: false,
        structure: false,
        preview: false,
    };

    /// What either of both wants.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            head: self.head || other.head,
            size: self.size || other.size,
            envelope: self.envelope || other.envelope,
            texts: self.texts || other.texts,
            structure: self.structure || other.structure,
            preview: self.preview || other.preview,
        }
    }

    /// The columns that have it.
    pub(super) fn columns(self) -> impl Iterator<Item = u8> {
        // Either of these knows the size, too.
        let head = self.head || self.size && !self.envelope && !self.structure;
        let wanted = [
            (head, HEAD),
            (self.envelope, ENVELOPE),
            (self.texts, TEXTS),
            (self.structure, STRUCTURE),
            (self.preview, PREVIEW),
        ];
        wanted
            .into_iter()
            .filter_map(|(wanted, column)| wanted.then_some(column))
    }
}
