//! What a message may make this server keep in memory.

/// Bounds of [`crate::scan`]. What lies beyond one is measured and served all
/// the same, only not looked into any further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Parts within parts; a part at this depth is an opaque leaf.
    pub depth: usize,
    /// Parts of one message; behind the last one no further delimiter opens
    /// a part.
    pub parts: usize,
    /// Octets of one header block that are read for its fields.
    pub header: usize,
    /// Octets of header fields kept of all parts together.
    pub kept: usize,
}

impl Limits {
    pub const DEFAULT: Self = Self {
        depth: 100,
        parts: 10_000,
        header: 256 * 1024,
        kept: 4 * 1024 * 1024,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A boundary longer than this delimits nothing; RFC 2046 §5.1.1 allows 70.
pub const MAX_BOUNDARY: usize = 256;

/// Parameters of one Content-Type or Content-Disposition that are passed on.
pub const MAX_PARAMETERS: usize = 256;

/// Language tags of one Content-Language that are passed on.
pub const MAX_LANGUAGES: usize = 64;

/// Addresses of one kind (From, To and so on) that are passed on.
pub const MAX_ADDRESSES: usize = 16_384;

/// Octets of a field name; longer ones are no field name.
pub const MAX_FIELD_NAME: usize = 998;

/// Octets read from a file at a time.
pub const CHUNK: usize = 32 * 1024;
