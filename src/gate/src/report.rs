//! What a connection before login has to tell the log: failed logins, and how
//! it ended. The lines themselves are in [`roost_ipc::log::lines`].

use std::fmt;
use std::time::Instant;

use roost_ipc::log::lines::{Connection, Login};
use roost_ipc::log::session_line;
use roost_ipc::{Endpoints, LogLevel, LogStyle};
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
    /// Logged in, but the account has as many connections as it may.
    AccountFull,
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
            Self::AccountFull => f.write_str("Maximum number of connections exceeded"),
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
    pub style: LogStyle,
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
    /// Octets from the client and to it, what TLS adds left out.
    pub bytes_in: u64,
    pub bytes_out: u64,
}

impl History {
    pub fn new(style: LogStyle, session: SessionId, endpoints: Endpoints, trusted: bool) -> Self {
        Self {
            style,
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
            bytes_in: 0,
            bytes_out: 0,
        }
    }

    /// The attempt under way has failed.
    pub fn failed(&mut self) {
        self.failures += 1;
        self.failed_user.clone_from(&self.user);
        self.failed_method = self.method;
        if let Some(line) = self.connection().failure(self.last_failed()) {
            session_line(self.session, LogLevel::Failures, &line);
        }
    }

    fn connection(&self) -> Connection<'_> {
        Connection {
            style: self.style,
            session: self.session,
            endpoints: &self.endpoints,
            tls: self.tls,
            secured: self.trusted,
        }
    }

    fn last_failed(&self) -> Login<'_> {
        Login {
            user: &self.failed_user,
            method: self.failed_method,
        }
    }

    /// The line about failed logins, if there were any and it comes last.
    fn failures_line(&self, what: &str) -> Option<String> {
        if self.failures == 0 {
            return None;
        }
        let lasted = self.since.elapsed();
        let last = self.last_failed();
        self.connection()
            .failures(what, self.failures, lasted, last)
    }

    /// The line about an end without a login.
    fn line(&self, reason: &Reason) -> String {
        if let Some(line) = self.failures_line("Disconnected") {
            return line;
        }
        let lasted = self.since.elapsed();
        let secs = lasted.as_secs();
        let story = if self.disallowed {
            "tried to use disallowed plaintext auth".to_owned()
        } else if self.unfinished {
            format!("client didn't finish SASL auth, waited {secs} secs")
        } else if *reason == Reason::AccountFull {
            "max_connections_per_user".to_owned()
        } else if matches!(reason, Reason::Refused(_)) {
            "internal failure, 1 successful auths".to_owned()
        } else {
            format!("no auth attempts in {secs} secs")
        };
        let last = Login {
            user: &self.user,
            method: self.method,
        };
        self.connection().aborted(reason, &story, lasted, last)
    }

    /// Logs what failed before the login that a worker now has: whoever tries
    /// other accounts and then enters with an own one does not go unseen.
    pub fn log_failures(&self) {
        if let Some(line) = self.failures_line("Aborted login") {
            session_line(self.session, LogLevel::Failures, &line);
        }
    }

    /// Logs the end. Failed logins show at every level, so that address
    /// filters work whatever is set.
    pub fn log(&self, reason: &Reason) {
        let told_here = self.failures > 0 && self.style != LogStyle::Courier;
        let level = if told_here || self.disallowed {
            LogLevel::Failures
        } else {
            LogLevel::Problems
        };
        session_line(self.session, level, &self.line(reason));
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
        let mut h = History::new(LogStyle::Roost, SessionId(12), endpoints, false);
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
                .unwrap()
                .starts_with("imap-login: Aborted login (auth failed, 1 attempts in 0 secs): ")
        );
        assert_eq!(
            h.line(&Reason::Closed),
            "imap-login: Disconnected (auth failed, 1 attempts in 0 secs): user=<alice>, \
             method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, TLS, session=<IMAP-00012>"
        );
    }

    #[test]
    fn a_login_that_came_to_nothing_is_no_failed_one() {
        let line = history().line(&Reason::Refused("Too many connections"));
        assert!(
            line.contains("(internal failure, 1 successful auths)"),
            "{line}"
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
