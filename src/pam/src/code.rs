//! libpam's return codes as a typed error.

use pam::ffi;

/// Why a conversation did not end in success.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    #[error("password mismatch")]
    AuthFailed,
    #[error("unknown user")]
    UserUnknown,
    #[error("account expired")]
    AccountExpired,
    /// `PAM_NEW_AUTHTOK_REQD` and `PAM_AUTHTOK_EXPIRED`.
    #[error("password expired")]
    PasswordExpired,
    #[error("permission denied")]
    PermissionDenied,
    #[error("too many attempts")]
    MaxTries,
    #[error("invalid PAM service name")]
    Service,
    /// Anything that says nothing about the password: a missing module, an
    /// unreachable directory, a broken configuration.
    #[error("{text} (PAM code {code})")]
    System { code: i32, text: String },
}

impl Error {
    /// True for an answer about the account or password, false for a fault on
    /// this host's side.
    pub fn is_verdict(&self) -> bool {
        !matches!(self, Self::System { .. } | Self::Service)
    }

    /// From a return code other than `PAM_SUCCESS`.
    pub(crate) fn from_code(code: i32, text: impl FnOnce() -> String) -> Self {
        match code {
            ffi::PAM_AUTH_ERR | ffi::PAM_CRED_ERR => Self::AuthFailed,
            ffi::PAM_USER_UNKNOWN => Self::UserUnknown,
            ffi::PAM_ACCT_EXPIRED => Self::AccountExpired,
            ffi::PAM_NEW_AUTHTOK_REQD | ffi::PAM_AUTHTOK_EXPIRED | ffi::PAM_CRED_EXPIRED => {
                Self::PasswordExpired
            }
            ffi::PAM_PERM_DENIED => Self::PermissionDenied,
            ffi::PAM_MAXTRIES => Self::MaxTries,
            _ => Self::System { code, text: text() },
        }
    }
}
