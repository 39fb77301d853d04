//! Arguments of SORT and THREAD (RFC 5256, RFC 5957, RFC 5267).

use super::search::{SearchKey, SearchReturn};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SortArgs {
    pub uid: bool,
    /// `None` without RETURN: the SORT response is wanted.
    pub returns: Option<SearchReturn>,
    /// The first counts most; at least one.
    pub criteria: Vec<SortCriterion>,
    /// As the client spelled it; strings are in this charset.
    pub charset: String,
    pub key: SearchKey,
}

/// A `sort-criterion`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SortCriterion {
    pub key: SortKey,
    pub reverse: bool,
}

/// A `sort-key`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SortKey {
    Arrival,
    Cc,
    Date,
    DisplayFrom,
    DisplayTo,
    From,
    Size,
    Subject,
    To,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ThreadArgs {
    pub uid: bool,
    pub algorithm: ThreadAlgorithm,
    /// As the client spelled it; strings are in this charset.
    pub charset: String,
    pub key: SearchKey,
}

/// A `thread-alg`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ThreadAlgorithm {
    OrderedSubject,
    References,
    /// As REFERENCES, but never by subject, and the threads in the order of
    /// their latest messages (draft-ietf-morg-inthread).
    Refs,
}
