//! Greeting, ID, and what the outcome of a login reads like.

use roost_imap::write::{self, Status};
use roost_imap::{ResponseCode, Tag};
use roost_ipc::AuthFailure;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Dialog;
use crate::capability::capabilities;

const VERSION: &str = env!("CARGO_PKG_VERSION");

impl<S: AsyncRead + AsyncWrite + Unpin> Dialog<'_, S> {
    /// `* OK [CAPABILITY …] Roost IMAP server VERSION at HOST ready`
    pub(super) fn greet(&mut self) {
        let settings = self.cx.settings;
        let mut text = String::from("Roost IMAP server");
        if settings.greeting_version {
            text.push(' ');
            text.push_str(VERSION);
        }
        if let Some(host) = &settings.greeting_host {
            text.push_str(" at ");
            text.push_str(host);
        }
        text.push_str(" ready");
        let code = ResponseCode::Capability(capabilities(settings, self.link()));
        write::untagged(&mut self.out, Status::Ok, Some(&code), &text);
    }

    pub(super) fn id(&mut self) {
        let version = self.cx.settings.greeting_version.then_some(VERSION);
        let version = version.map(|v| ("version", Some(v)));
        write::id(
            &mut self.out,
            std::iter::once(("name", Some("Roost"))).chain(version),
        );
    }

    pub(super) fn refuse_cleartext(&mut self, tag: &Tag) {
        let text = "Clear-text login is off here; use TLS";
        let code = ResponseCode::PrivacyRequired;
        write::tagged(&mut self.out, tag, Status::No, Some(&code), text);
    }

    /// The words for each failure; one and the same for an unknown account
    /// and a wrong password.
    pub(super) fn failed(&mut self, tag: &Tag, failure: AuthFailure) {
        let (status, code, text) = match failure {
            AuthFailure::Credentials => (
                Status::No,
                Some(ResponseCode::AuthenticationFailed),
                "Authentication failed.",
            ),
            AuthFailure::NotAllowed => (
                Status::No,
                Some(ResponseCode::AuthorizationFailed),
                "This account may not use IMAP",
            ),
            AuthFailure::Expired => (
                Status::No,
                Some(ResponseCode::Expired),
                "The password has expired",
            ),
            AuthFailure::Unavailable => (
                Status::No,
                Some(ResponseCode::Unavailable),
                "Temporary authentication failure, try again later",
            ),
            AuthFailure::TooMany => (
                Status::No,
                Some(ResponseCode::Limit),
                "Too many failed logins, try again later",
            ),
            AuthFailure::Malformed => (Status::Bad, None, "Invalid SASL response"),
        };
        write::tagged(&mut self.out, tag, status, code.as_ref(), text);
    }
}
