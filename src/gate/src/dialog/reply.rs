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

    /// The account is on another host (RFC 2221 §4.1).
    pub(super) fn refer(&mut self, tag: &Tag, user: &str, host: &str) {
        let code = ResponseCode::Referral(imap_url(user, host));
        let text = "account has been moved to a remote system";
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
            // The code for what only the administrator can mend (RFC 5530 §3).
            AuthFailure::NotAllowed => (
                Status::No,
                Some(ResponseCode::ContactAdmin),
                "This account may not use IMAP",
            ),
            AuthFailure::OtherIdentity => (
                Status::No,
                Some(ResponseCode::AuthorizationFailed),
                "You may not act as somebody else",
            ),
            AuthFailure::Expired => (
                Status::No,
                Some(ResponseCode::Expired),
                "The password has expired and must be changed",
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

/// `AUTH=*`, so that no client falls back to an anonymous login (RFC 2221 §3).
fn imap_url(user: &str, host: &str) -> String {
    let mut url = String::from("imap://");
    for b in user.bytes() {
        // What stands for itself in a user name (RFC 5092 §11, achar).
        if b.is_ascii_alphanumeric() || b"-._~+".contains(&b) {
            url.push(char::from(b));
        } else {
            url.push_str(&format!("%{b:02X}"));
        }
    }
    url + ";AUTH=*@" + host + "/"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_accounts() {
        assert_eq!(
            imap_url("John", "host.example"),
            "imap://John;AUTH=*@host.example/"
        );
        assert_eq!(
            imap_url("a;b@c é", "h"),
            "imap://a%3Bb%40c%20%C3%A9;AUTH=*@h/"
        );
    }
}
