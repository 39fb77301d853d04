//! The lines about connections that end before a login, in the form that log
//! filters know (`imap-login: Disconnected …`).
//!
//! No text of a client's stands in them unescaped.

use std::fmt::{self, Write};
use std::time::Instant;

use roost_ipc::log::escape;
use roost_ipc::{Endpoints, LogLevel, slog};
use roost_types::SessionId;

/// Why a connection ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    Closed,
    Logout,
    Timeout,
    BadCommands,
    TooManyFailures,
    Kicked,
    Shutdown,
    /// The client's stream could not be followed.
    Protocol(&'static str),
    /// Bytes behind STARTTLS.
    Injection,
    Handshake(String),
    /// Logged in, but no worker took the connection.
    Refused(&'static str),
    Io(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("Connection closed"),
            Self::Logout => f.write_str("Aborted login by logging out"),
            Self::Timeout => f.write_str("Inactivity"),
            Self::BadCommands => f.write_str("Too many invalid commands"),
            Self::TooManyFailures => f.write_str("Too many failed logins"),
            Self::Kicked => f.write_str("Ended by administrator"),
            Self::Shutdown => f.write_str("Server shutting down"),
            Self::Protocol(text) => write!(f, "Protocol error, {text}"),
            Self::Injection => f.write_str("Commands pipelined behind STARTTLS"),
            Self::Handshake(text) => write!(f, "TLS handshake failed, {}", plain(text)),
            Self::Refused(text) => f.write_str(text),
            Self::Io(text) => write!(f, "Connection lost, {}", plain(text)),
        }
    }
}

/// Other libraries' words. In the line, the first parenthesis begins what
/// happened with logins: log filters find it so.
fn plain(text: &str) -> String {
    text.replace('(', "[").replace(')', "]")
}

/// What is remembered of a connection for its line.
pub struct History {
    pub session: SessionId,
    pub endpoints: Endpoints,
    pub since: Instant,
    pub tls: bool,
    /// From a trusted network.
    pub trusted: bool,
    /// Failed logins, and who the last of them was for.
    pub failures: u32,
    failed_user: Vec<u8>,
    failed_method: &'static str,
    /// A clear-text login was refused for want of TLS.
    pub disallowed: bool,
    /// An exchange under way that the client did not finish.
    pub unfinished: bool,
    /// Of the last attempt.
    pub user: Vec<u8>,
    pub method: &'static str,
}

impl History {
    pub fn new(session: SessionId, endpoints: Endpoints, trusted: bool) -> Self {
        Self {
            session,
            endpoints,
            since: Instant::now(),
            tls: false,
            trusted,
            failures: 0,
            failed_user: Vec::new(),
            failed_method: "",
            disallowed: false,
            unfinished: false,
            user: Vec::new(),
            method: "",
        }
    }

    /// The attempt under way has failed.
    pub fn failed(&mut self) {
        self.failures += 1;
        self.failed_user.clone_from(&self.user);
        self.failed_method = self.method;
    }

    /// The line about failed logins. It is what filters look for: no reason
    /// stands in it.
    fn failures_line(&self, what: &str) -> String {
        let secs = self.since.elapsed().as_secs();
        let count = self.failures;
        let mut line = format!("imap-login: {what} (auth failed, {count} attempts in {secs} secs)");
        let fields = self.fields(&mut line, &self.failed_user, self.failed_method);
        debug_assert!(fields.is_ok());
        line
    }

    /// The whole line.
    fn line(&self, reason: &Reason) -> String {
        if self.failures > 0 {
            return self.failures_line("Disconnected");
        }
        let secs = self.since.elapsed().as_secs();
        let mut line = String::from("imap-login: Disconnected");
        let told = if self.disallowed {
            write!(line, ": {reason} (tried to use disallowed plaintext auth)")
        } else if self.unfinished {
            write!(
                line,
                ": {reason} (client didn't finish SASL auth, waited {secs} secs)"
            )
        } else {
            write!(line, ": {reason} (no auth attempts in {secs} secs)")
        };
        let fields = told.and_then(|()| self.fields(&mut line, &self.user, self.method));
        // Writing to a String does not fail.
        debug_assert!(fields.is_ok());
        line
    }

    fn fields(&self, line: &mut String, user: &[u8], method: &str) -> fmt::Result {
        let user = escape(user).to_string().replace(',', "\\x2c");
        write!(line, ": user=<{user}>")?;
        if !method.is_empty() {
            write!(line, ", method={method}")?;
        }
        let remote = self.endpoints.remote.ip().to_canonical();
        let local = self.endpoints.local.ip().to_canonical();
        write!(line, ", rip={remote}, lip={local}")?;
        if self.tls {
            line.push_str(", TLS");
        } else if self.trusted {
            line.push_str(", secured");
        }
        write!(line, ", session=<{}>", self.session)
    }

    /// Logs what failed before the login that a worker now has: whoever tries
    /// other accounts and then enters with an own one does not go unseen.
    pub fn log_failures(&self) {
        if self.failures > 0 {
            let line = self.failures_line("Aborted login");
            slog!(self.session, LogLevel::Failures, "{line}");
        }
    }

    /// Logs the end. Failed logins show at every level, so that address
    /// filters work whatever is set.
    pub fn log(&self, reason: &Reason) {
        let level = if self.failures > 0 || self.disallowed {
            LogLevel::Failures
        } else {
            LogLevel::Problems
        };
        slog!(self.session, level, "{}", self.line(reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let endpoints = Endpoints {
            remote: "[::ffff:192.0.2.7]:4711".parse().unwrap(),
            local: "192.0.2.1:143".parse().unwrap(),
        };
        let mut h = History::new(SessionId(12), endpoints, false);
        h.tls = true;
        h
    }

    #[test]
    fn failed_logins() {
        let mut h = history();
        h.user = b"alice".to_vec();
        h.method = "PLAIN";
        h.failed();
        h.user = b"mallory".to_vec();
        h.method = "LOGIN";
        assert!(
            h.failures_line("Aborted login")
                .starts_with("imap-login: Aborted login (auth failed, 1 attempts in 0 secs): ")
        );
        assert_eq!(
            h.line(&Reason::Closed),
            "imap-login: Disconnected (auth failed, 1 attempts in 0 secs): user=<alice>, \
             method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, TLS, session=<IMAP-00012>"
        );
    }

    #[test]
    fn no_attempts_and_unfinished_ones() {
        let mut h = history();
        h.tls = false;
        assert_eq!(
            h.line(&Reason::Timeout),
            "imap-login: Disconnected: Inactivity (no auth attempts in 0 secs): user=<>, \
             rip=192.0.2.7, lip=192.0.2.1, session=<IMAP-00012>"
        );
        h.unfinished = true;
        h.trusted = true;
        let line = h.line(&Reason::Closed);
        assert!(
            line.contains("(client didn't finish SASL auth, waited 0 secs)"),
            "{line}"
        );
        assert!(line.contains(", secured, session"), "{line}");
    }

    #[test]
    fn nothing_stands_in_parentheses_before_the_logins() {
        let mut h = history();
        h.disallowed = true;
        for reason in [
            Reason::Io("Broken pipe (os error 32)".to_owned()),
            Reason::Handshake("what (ever)".to_owned()),
        ] {
            let line = h.line(&reason);
            let first = line.split_once('(').unwrap().1;
            assert!(
                first.starts_with("tried to use disallowed plaintext auth): user=<"),
                "{line}"
            );
        }
    }

    #[test]
    fn no_client_can_forge_a_field() {
        let mut h = history();
        h.user = b"a>, rip=203.0.113.9, session=<x\r\nb".to_vec();
        h.failed();
        let line = h.line(&Reason::Closed);
        assert!(!line.contains("rip=203.0.113.9, "), "{line}");
        assert_eq!(line.matches('<').count(), 2, "{line}");
        assert!(!line.contains(['\r', '\n']), "{line}");
    }
}
