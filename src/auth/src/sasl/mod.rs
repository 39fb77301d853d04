//! The server's side of SASL, without I/O: a mechanism takes the client's
//! responses and says what is to happen next.

pub mod login;
pub mod plain;
pub mod scram;

use zeroize::Zeroizing;

/// A name and password in clear, as PLAIN and LOGIN yield them.
pub struct Credentials {
    pub user: String,
    pub password: Zeroizing<Vec<u8>>,
    /// The authorization identity where one is given and differs.
    pub authzid: Option<String>,
}

/// A response that breaks the mechanism's grammar.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SaslError {
    #[error("malformed SASL response")]
    Malformed,
    #[error("channel binding does not match")]
    ChannelBinding,
    #[error("unsupported SCRAM extension")]
    Extension,
    #[error("no randomness from the kernel")]
    Random,
}
