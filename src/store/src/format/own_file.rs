//! What Roost's own text files have in common: a first line with name and
//! version, then a line for each thing. Lines that are not understood stay.

use super::lines::{number, read_small};
use super::{Dir, FormatError};
use std::io::{self, Write};

/// A kind of file.
pub(super) struct Kind {
    /// The first line up to the version, the blank included.
    pub magic: &'static [u8],
    pub version: u64,
    /// Largest file read, in octets.
    pub max: u64,
}

/// What a file has besides what is understood of it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Rest {
    pub unknown: Vec<Vec<u8>>,
    /// The first line is missing: to be set aside before it is replaced.
    pub damaged: bool,
}

impl Kind {
    /// Hands the lines to `take`, which says whether it understands one;
    /// nothing where there is no file.
    ///
    /// # Errors
    /// `Version` for a file of a later version.
    pub fn read(
        &self,
        dir: &Dir,
        file: &str,
        mut take: impl FnMut(&[u8]) -> Option<()>,
    ) -> Result<Rest, FormatError> {
        let mut rest = Rest::default();
        let Some(text) = read_small(dir, file, self.max)? else {
            return Ok(rest);
        };
        let mut lines = text.split(|&b| b == b'\n').peekable();
        let version = (lines.peek()).and_then(|line| number(line.strip_prefix(self.magic)?));
        match version {
            Some(version) if version == self.version => drop(lines.next()),
            Some(_) => {
                let path = dir.entry(file.as_bytes());
                return Err(FormatError::Version { path });
            }
            // The first line may be as good as the others.
            None => rest.damaged = true,
        }
        for line in lines.filter(|line| !line.is_empty()) {
            if take(line).is_none() {
                rest.unknown.push(line.to_vec());
            }
        }
        Ok(rest)
    }

    pub fn write_first_line(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(self.magic)?;
        writeln!(out, "{}", self.version)
    }
}

impl Rest {
    pub fn write_unknown(&self, out: &mut impl Write) -> io::Result<()> {
        self.unknown.iter().try_for_each(|line| {
            out.write_all(line)?;
            out.write_all(b"\n")
        })
    }
}
