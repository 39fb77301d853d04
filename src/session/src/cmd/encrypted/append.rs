//! Messages that are encrypted on their way into an APPEND.
//!
//! They are taken as they come: what is decrypted has the client's line ends.

use crate::error::Error;
use roost_smime::{Recipient, SealError, Sealer};
use roost_store::Append;
use std::io;
use std::sync::Arc;

/// Stands between the client's octets and the store.
pub(crate) struct Sealing {
    recipient: Arc<Recipient>,
    /// The message under way.
    sealer: Option<Sealer>,
    encrypted: Vec<u8>,
}

impl Sealing {
    pub fn new(recipient: Arc<Recipient>) -> Self {
        Self {
            recipient,
            sealer: None,
            encrypted: Vec::new(),
        }
    }

    /// Begins a message of `size` octets.
    pub fn begin(&mut self, size: u64) {
        self.sealer = Some(Sealer::new(Arc::clone(&self.recipient), size));
    }

    pub fn write(&mut self, bytes: &[u8], append: &mut Append) -> Result<(), Error> {
        if let Some(sealer) = &mut self.sealer {
            sealer.write(bytes, &mut self.encrypted).map_err(failed)?;
        }
        self.pass_on(append)
    }

    /// Ends the message.
    pub fn finish(&mut self, append: &mut Append) -> Result<(), Error> {
        if let Some(sealer) = self.sealer.take() {
            sealer.finish(&mut self.encrypted).map_err(failed)?;
        }
        self.pass_on(append)
    }

    fn pass_on(&mut self, append: &mut Append) -> Result<(), Error> {
        let written = append.write(&self.encrypted);
        self.encrypted.clear();
        written.map_err(Error::Destination)
    }
}

fn failed(error: SealError) -> Error {
    Error::Read(io::Error::other(error))
}
