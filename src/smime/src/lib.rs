//! Messages encrypted for the holder of a certificate: S/MIME enveloped data
//! (RFC 8551 §3.3, RFC 5652 §6).
//!
//! What must stay true:
//!
//! - What is decrypted is the message octet for octet, with CRLF line ends and
//!   all of its header fields. So nothing is lost, and mail readers, which look
//!   at the MIME fields of the entity inside and pass over the others, show it
//!   as it was.
//! - Outside stand only the fields that listings and threads are made of: see
//!   [`outer`].
//! - No message is held in memory. All lengths follow from the size of the
//!   message, which has to be known beforehand ([`Sealer::new`]).
//! - A certificate comes from a stranger. Whatever it is, it leads to an error
//!   or to a message that the holder of its key can read.
//!
//! Certificates are not verified: who names one wants its holder to read the
//! message, and nobody else is asked about that.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod agreement;

mod certificate;
mod der;
mod envelope;
mod lines;
mod oaep;
pub mod outer;
mod pem;
mod recipient;
mod sealed;
mod sealer;
#[cfg(test)]
mod tests;
mod transport;

pub use certificate::CertificateError;
pub use recipient::Recipient;
pub use sealed::Sealed;
pub use sealer::{SealError, Sealer};
