//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), server side.
//!
//! client-first → [`ClientFirst`] → server-first, [`Exchange`] → client-final
//! → server-final. An account that cannot be found goes the same way with
//! made-up secrets, so that the exchange tells nothing before its end.

mod message;
mod secrets;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::SaslError;
use message::{Attributes, Gs2Flag, Gs2Header};

pub(crate) use secrets::hmac;
pub use secrets::{DEFAULT_ITERATIONS, Secrets};

/// Data of the TLS connection that a client may bind to.
#[derive(Clone, Default, Debug)]
pub struct Bindings {
    /// RFC 9266.
    pub tls_exporter: Option<Vec<u8>>,
    /// RFC 5929 §4.
    pub tls_server_end_point: Option<Vec<u8>>,
}

impl Bindings {
    pub fn is_empty(&self) -> bool {
        self.tls_exporter.is_none() && self.tls_server_end_point.is_none()
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        match name {
            "tls-exporter" => self.tls_exporter.as_deref(),
            "tls-server-end-point" => self.tls_server_end_point.as_deref(),
            _ => None,
        }
    }
}

/// The client's opening, checked.
pub struct ClientFirst {
    pub user: String,
    /// The authorization identity where one is given and differs.
    pub authzid: Option<String>,
    /// What `c=` of the client-final must decode to.
    binding_input: Vec<u8>,
    bare: String,
    nonce: String,
}

impl ClientFirst {
    /// `plus` says which of the two mechanisms was asked for.
    pub fn parse(message: &[u8], plus: bool, bindings: &Bindings) -> Result<Self, SaslError> {
        let text = std::str::from_utf8(message).map_err(|_| SaslError::Malformed)?;
        let (header, bare) = Gs2Header::parse(text)?;
        let mut binding_input = header.text.as_bytes().to_vec();
        match (header.flag, plus) {
            (Gs2Flag::Bound(kind), true) => {
                binding_input.extend(bindings.get(kind).ok_or(SaslError::ChannelBinding)?);
            }
            // The client could bind and believes that the server cannot: it
            // was shown another list of mechanisms (RFC 5802 §6).
            (Gs2Flag::Unoffered, false) if !bindings.is_empty() => {
                return Err(SaslError::ChannelBinding);
            }
            (Gs2Flag::None | Gs2Flag::Unoffered, false) => {}
            (Gs2Flag::Bound(_), false) | (_, true) => return Err(SaslError::Malformed),
        }
        let mut attributes = Attributes::new(bare);
        if attributes.peek() == Some('m') {
            return Err(SaslError::Extension);
        }
        let user = message::saslname(attributes.expect('n')?)?;
        let nonce = message::nonce(attributes.expect('r')?)?;
        let authzid = header.authzid.map(message::saslname).transpose()?;
        Ok(Self {
            authzid: authzid.filter(|a| *a != user),
            user,
            binding_input,
            bare: bare.to_owned(),
            nonce: nonce.to_owned(),
        })
    }

    /// The server-first message, and what waits for the client's proof.
    pub fn challenge(self, secrets: Secrets, server_nonce: &str) -> (Exchange, String) {
        let nonce = format!("{}{server_nonce}", self.nonce);
        let salt = STANDARD.encode(secrets.salt());
        let server_first = format!("r={nonce},s={salt},i={}", secrets.iterations());
        let exchange = Exchange {
            auth_message: format!("{},{server_first},", self.bare),
            binding_input: self.binding_input,
            nonce,
            secrets,
        };
        (exchange, server_first)
    }
}

/// A nonce of 144 random bits, of characters that need no quoting.
pub fn server_nonce() -> Result<String, SaslError> {
    let mut bytes = [0u8; 18];
    getrandom::fill(&mut bytes).map_err(|_| SaslError::Random)?;
    Ok(STANDARD.encode(bytes))
}

/// An exchange that waits for the client-final message.
pub struct Exchange {
    auth_message: String,
    binding_input: Vec<u8>,
    nonce: String,
    secrets: Secrets,
}

impl Exchange {
    /// The server-final message, or `None` when the proof is wrong.
    pub fn finish(self, message: &[u8]) -> Result<Option<String>, SaslError> {
        let text = std::str::from_utf8(message).map_err(|_| SaslError::Malformed)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(SaslError::Malformed)?;
        let proof = STANDARD.decode(proof).map_err(|_| SaslError::Malformed)?;
        let mut attributes = Attributes::new(without_proof);
        let binding = STANDARD
            .decode(attributes.expect('c')?)
            .map_err(|_| SaslError::Malformed)?;
        if !bool::from(binding.ct_eq(&self.binding_input)) {
            return Err(SaslError::ChannelBinding);
        }
        let nonce = attributes.expect('r')?;
        if !bool::from(nonce.as_bytes().ct_eq(self.nonce.as_bytes())) {
            return Err(SaslError::Malformed);
        }
        let auth_message = format!("{}{without_proof}", self.auth_message);
        let right = self.secrets.check_proof(auth_message.as_bytes(), &proof);
        Ok(right.then(|| {
            let signature = self.secrets.server_signature(auth_message.as_bytes());
            format!("v={}", STANDARD.encode(signature))
        }))
    }
}

#[cfg(test)]
pub(crate) mod tests;
