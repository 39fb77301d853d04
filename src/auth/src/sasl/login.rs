//! LOGIN, never standardised but still what some clients speak: the server
//! asks for the name, then for the password.

use zeroize::Zeroizing;

use super::{Credentials, SaslError};

pub const ASK_USER: &[u8] = b"Username:";
pub const ASK_PASSWORD: &[u8] = b"Password:";

/// Where the exchange stands.
#[derive(Debug)]
pub enum Login {
    User,
    Password { user: String },
}

/// What follows a response.
pub enum Step {
    /// Send [`ASK_PASSWORD`].
    AskPassword(Login),
    Done(Credentials),
}

impl Login {
    pub fn step(self, response: &[u8]) -> Result<Step, SaslError> {
        if response.is_empty() || response.contains(&0) {
            return Err(SaslError::Malformed);
        }
        match self {
            Self::User => {
                let user = std::str::from_utf8(response).map_err(|_| SaslError::Malformed)?;
                Ok(Step::AskPassword(Self::Password {
                    user: user.to_owned(),
                }))
            }
            Self::Password { user } => Ok(Step::Done(Credentials {
                user,
                password: Zeroizing::new(response.to_vec()),
                authzid: None,
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_then_password() {
        let Ok(Step::AskPassword(next)) = Login::User.step(b"alice") else {
            panic!("expected the password prompt");
        };
        let Ok(Step::Done(c)) = next.step(b"secret") else {
            panic!("expected credentials");
        };
        assert_eq!(
            (c.user.as_str(), c.password.as_slice()),
            ("alice", &b"secret"[..])
        );
        assert!(Login::User.step(b"").is_err());
        assert!(Login::User.step(b"a\0b").is_err());
        assert!(Login::User.step(b"\xff").is_err());
    }
}
