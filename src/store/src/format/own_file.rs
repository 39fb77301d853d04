//! What Roost's own text files have in common: a first line with name and
//! version, then a line for each thing. Lines that are not understood stay.

use super::lines::{number, number32, read_small, split_once};
use super::{Dir, FormatError};
use roost_types::UidValidity;
use std::io::{self, Write};

/// A kind of file.
pub(crate) struct Kind {
    /// The first line up to the version, the blank included.
    pub magic: &'static [u8],
    pub version: u64,
    /// Largest file read, in octets.
    pub max: u64,
}

/// What a file has besides what is understood of it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Rest {
    pub unknown: Vec<Vec<u8>>,
    /// The first line is missing: to be set aside before it is replaced.
    pub damaged: bool,
}

/// What the first line says of a file about the messages of one mailbox.
pub(crate) enum Header {
    /// Written by a later version.
    Later,
    Of(UidValidity),
}

impl Kind {
    /// The first line of a file about messages; `None` if it is none.
    pub fn header(&self, line: &[u8]) -> Option<Header> {
        let (version, validity) = match split_once(line.strip_prefix(self.magic)?, b' ') {
            Some((version, validity)) => (number(version)?, Some(validity)),
            None => (number(line.strip_prefix(self.magic)?)?, None),
        };
        match version > self.version {
            true => Some(Header::Later),
            false => UidValidity::new(number32(validity?)?).map(Header::Of),
        }
    }

    pub fn write_header(&self, out: &mut impl Write, of: UidValidity) -> io::Result<()> {
        out.write_all(self.magic)?;
        writeln!(out, "{} {of}", self.version)
    }

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
