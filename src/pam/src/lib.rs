//! One conversation with libpam: who is asking, is the password right, may
//! the account be used now (`pam_authenticate`, `pam_acct_mgmt`); and a session,
//! for who has been let in.
//!
//! libpam and its modules are C code of unknown quality that runs in the
//! caller's process, may block for long and may crash; callers therefore run
//! each conversation in a process of its own. This crate keeps the unsafe part
//! small: one handle that is always ended, one callback that never unwinds
//! into C, and no copy of the password that is not wiped.

mod code;
mod converse;
mod handle;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

pub use code::Error;
pub use converse::{Message, MessageKind};

use converse::Answers;
use handle::{Handle, Item};

/// The longest password libpam modules have to take (`PAM_MAX_RESP_SIZE`
/// without the NUL), in octets.
pub const MAX_PASSWORD_LEN: usize = 511;

/// What a conversation is about.
pub struct Conversation {
    /// Name of the file in `pam.d`.
    pub service: String,
    pub user: String,
    /// None where who it is has been proved otherwise: only the account phase
    /// is run then, and counts.
    pub password: Option<Zeroizing<Vec<u8>>>,
    /// `PAM_RHOST`; always given as a number, since libpam's audit support
    /// would block in DNS for a name.
    pub rhost: IpAddr,
    /// `PAM_TTY`; what log filters call the service by.
    pub tty: String,
    /// Another folder than `/etc/pam.d`.
    pub confdir: Option<PathBuf>,
}

/// A password that was right, for an account that may be used.
#[derive(Debug)]
pub struct Authenticated {
    /// `PAM_USER` as the modules left it; they may map the name.
    pub user: String,
    pub messages: Vec<Message>,
}

/// A refusal with everything that the modules said about it.
#[derive(Debug)]
pub struct Failure {
    pub error: Error,
    /// The password was right or not needed; what failed is the account phase.
    pub authenticated: bool,
    pub messages: Vec<Message>,
    /// How long modules would have the answer wait (pam_fail_delay(3)).
    pub delay: Duration,
}

impl Conversation {
    /// Runs the authentication and the account phase. Blocks for as long as
    /// the modules do.
    pub fn authenticate(&self) -> Result<Authenticated, Failure> {
        self.hold(|_, _| Ok(()))
    }

    /// The same, then a session (`pam_setcred`, `pam_open_session`), which is
    /// closed once `opened` has returned. A failure after `opened` was called
    /// is one of the closing.
    pub fn session(&self, opened: impl FnOnce(Authenticated)) -> Result<Authenticated, Failure> {
        self.hold(|pam, answers| {
            let user = pam.user()?;
            pam.open_session()?;
            let messages = answers.take_messages();
            opened(Authenticated { user, messages });
            pam.close_session()
        })
    }

    fn hold(
        &self,
        then: impl FnOnce(&mut Handle<'_>, &Answers) -> Result<(), Error>,
    ) -> Result<Authenticated, Failure> {
        if let Err(error) = self.check() {
            return Err(Failure {
                error,
                authenticated: false,
                messages: Vec::new(),
                delay: Duration::ZERO,
            });
        }
        let password = self.password.as_ref().map_or(&[][..], |p| p.as_slice());
        let answers = Answers::new(&self.user, password);
        let mut authenticated = self.password.is_none();
        let result = self.run(&answers, &mut authenticated, then);
        let delay = answers.delay();
        let messages = answers.take_messages();
        match result {
            Ok(user) => Ok(Authenticated { user, messages }),
            Err(error) => Err(Failure {
                error,
                authenticated,
                messages,
                delay,
            }),
        }
    }

    fn run(
        &self,
        answers: &Answers,
        authenticated: &mut bool,
        then: impl FnOnce(&mut Handle<'_>, &Answers) -> Result<(), Error>,
    ) -> Result<String, Error> {
        let mut pam = Handle::start(&self.service, &self.user, self.confdir.as_deref(), answers)?;
        pam.note_fail_delay()?;
        pam.set(Item::RemoteHost, &self.rhost.to_canonical().to_string())?;
        pam.set(Item::Tty, &self.tty)?;
        pam.set(Item::RemoteUser, &self.user)?;
        if !*authenticated {
            pam.authenticate()?;
            *authenticated = true;
        }
        pam.account()?;
        then(&mut pam, answers)?;
        pam.user()
    }

    /// What no module may be bothered with. An empty password passes many
    /// directory modules as an anonymous bind.
    fn check(&self) -> Result<(), Error> {
        let service_ok = !self.service.is_empty()
            && !self.service.contains(['/', '\0'])
            && !self.service.starts_with('.');
        if !service_ok {
            return Err(Error::Service);
        }
        if self.user.is_empty() || self.user.contains('\0') {
            return Err(Error::UserUnknown);
        }
        let fits = |p: &Zeroizing<Vec<u8>>| {
            !p.is_empty() && p.len() <= MAX_PASSWORD_LEN && !p.contains(&0)
        };
        match self.password.as_ref().is_none_or(fits) {
            true => Ok(()),
            false => Err(Error::AuthFailed),
        }
    }
}

#[cfg(test)]
mod tests;
