//! The lines about logins and connections that scripts and log filters read,
//! in the shapes in which Roost, Dovecot 2.3 and Courier-IMAP 5 write them.
//!
//! They stand in one place, so that gate and supervisor cannot differ. What a
//! client has sent comes into them through [`field`] only: whatever it calls
//! itself, no reader finds another address or another line.

use std::fmt::{self, Display, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use roost_types::{LogStyle, SessionId};

use super::field;
use crate::message::{EndReason, Endpoints, SessionCounts};

/// The connection that a line is about.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    pub style: LogStyle,
    pub session: SessionId,
    pub endpoints: &'a Endpoints,
    pub tls: bool,
    /// Not over TLS, but from where passwords may go in clear.
    pub secured: bool,
}

/// Who tried to log in, and how ([`AuthMethod::name`](crate::AuthMethod::name));
/// both empty where nobody did.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    pub user: &'a [u8],
    pub method: &'a str,
}

/// How a session ended.
#[derive(Clone, Copy, Debug)]
pub enum Ended<'a> {
    /// As its worker tells it.
    Told(EndReason, &'a SessionCounts),
    WorkerDied,
}

impl Connection<'_> {
    /// A login that succeeded; `worker` is the pid of who serves it.
    pub fn login(&self, login: Login<'_>, worker: Option<u32>) -> String {
        match (self.style, worker) {
            (LogStyle::Courier, _) => {
                let (user, from) = (field(login.user), self.courier());
                format!("LOGIN, user={user}, {from}, protocol=IMAP{}", self.tls())
            }
            (LogStyle::Dovecot, Some(pid)) => {
                let mpid = format!(", mpid={pid}");
                format!("imap-login: Login: {}", self.fields(login, &mpid))
            }
            (LogStyle::Dovecot | LogStyle::Roost, _) => {
                format!("imap-login: Login: {}", self.fields(login, ""))
            }
        }
    }

    /// The end of a session.
    pub fn ended(&self, login: Login<'_>, pid: u32, end: Ended<'_>, lasted: Duration) -> String {
        let user = field(login.user);
        let (text, counts) = match end {
            Ended::Told(reason, counts) => (reason.text(), Some(counts)),
            Ended::WorkerDied => ("Worker died", None),
        };
        let head = format!(
            "imap({user})<{pid}><{}>: Disconnected: {text}",
            self.session
        );
        match self.style {
            LogStyle::Courier => {
                let word = courier_word(end);
                let c = counts.copied().unwrap_or_default();
                format!(
                    "{word}, user={user}, {}, headers={}, body={}, rcvd={}, sent={}, time={}{}",
                    self.courier(),
                    c.header_bytes,
                    c.body_bytes,
                    c.bytes_in,
                    c.bytes_out,
                    lasted.as_secs(),
                    self.tls(),
                )
            }
            LogStyle::Dovecot => format!("{head}{}", Counts(counts)),
            // Dovecot's, and behind it whose connection it was.
            LogStyle::Roost => format!(
                "{head}{} time={:.1}s, method={}, {}{}",
                Counts(counts),
                lasted.as_secs_f64(),
                field(login.method),
                Addresses(self.endpoints),
                self.transport(),
            ),
        }
    }

    /// A failed login, as it happens; `None` where all of a connection are
    /// told together at its end.
    pub fn failure(&self, login: Login<'_>) -> Option<String> {
        if self.style != LogStyle::Courier {
            return None;
        }
        let method = login.method.trim_start_matches("AUTH=");
        let from = self.courier();
        Some(if login.method == "LOGIN" {
            format!("LOGIN FAILED, user={}, {from}", field(login.user))
        } else {
            format!("LOGIN FAILED, method={}, {from}", field(method))
        })
    }

    /// The failed logins of a connection, at its end. `what` is how it ended;
    /// the line is what filters look for, so that no reason stands in it.
    pub fn failures(
        &self,
        what: &str,
        count: u32,
        lasted: Duration,
        last: Login<'_>,
    ) -> Option<String> {
        let secs = lasted.as_secs();
        (self.style != LogStyle::Courier).then(|| {
            let fields = self.fields(last, "");
            format!("imap-login: {what} (auth failed, {count} attempts in {secs} secs): {fields}")
        })
    }

    /// The end of a connection without a login. `story` is what there was of
    /// attempts.
    pub fn aborted(
        &self,
        reason: &dyn Display,
        story: &str,
        lasted: Duration,
        last: Login<'_>,
    ) -> String {
        if self.style == LogStyle::Courier {
            let (from, secs) = (self.courier(), lasted.as_secs());
            return format!("Disconnected, {from}, time={secs}{}", self.tls());
        }
        let fields = self.fields(last, "");
        format!("imap-login: Disconnected: {reason} ({story}): {fields}")
    }

    /// `user=<alice>, method=PLAIN, rip=…, lip=…, TLS, session=<…>`; `more`
    /// stands behind the addresses.
    fn fields(&self, login: Login<'_>, more: &str) -> String {
        let mut line = format!("user=<{}>", field(login.user));
        let method = match (self.style, login.method) {
            // As Dovecot calls them.
            (LogStyle::Dovecot, "LOGIN") => "PLAIN",
            (LogStyle::Dovecot, "AUTH=LOGIN") => "LOGIN",
            (_, method) => method,
        };
        let mut rest = || {
            if !method.is_empty() {
                write!(line, ", method={}", field_of_method(method))?;
            }
            let addresses = Addresses(self.endpoints);
            let transport = self.transport();
            let session = self.session;
            write!(line, ", {addresses}{more}{transport}, session=<{session}>")
        };
        // Writing to a String does not fail.
        let written = rest();
        debug_assert!(written.is_ok());
        line
    }

    fn transport(&self) -> &'static str {
        match (self.tls, self.secured) {
            (true, _) => ", TLS",
            (false, true) => ", secured",
            (false, false) => "",
        }
    }

    /// Courier says it of any TLS.
    fn tls(&self) -> &'static str {
        if self.tls { ", starttls=1" } else { "" }
    }

    /// `ip=[::ffff:192.0.2.7], port=[4711]`
    fn courier(&self) -> String {
        let remote = self.endpoints.remote;
        let ip = match remote.ip() {
            IpAddr::V4(ip) => Ipv4Addr::to_ipv6_mapped(&ip),
            IpAddr::V6(ip) => ip,
        };
        format!("ip=[{ip}], port=[{}]", remote.port())
    }
}

/// Names of methods are ours, and `=` is in one of them.
fn field_of_method(method: &str) -> String {
    match method.strip_prefix("AUTH=") {
        Some(name) => format!("AUTH={}", field(name)),
        None => field(method).to_string(),
    }
}

fn courier_word(end: Ended<'_>) -> &'static str {
    match end {
        Ended::Told(EndReason::Logout, _) => "LOGOUT",
        Ended::Told(EndReason::Timeout, _) => "TIMEOUT",
        Ended::Told(..) | Ended::WorkerDied => "DISCONNECTED",
    }
}

/// What a session has done, each word with a blank before it.
struct Counts<'a>(Option<&'a SessionCounts>);

impl Display for Counts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(c) = self.0 else {
            return Ok(());
        };
        write!(
            f,
            " in={} out={} deleted={} expunged={} trashed=0 hdr_count={} hdr_bytes={} \
             body_count={} body_bytes={}",
            c.bytes_in,
            c.bytes_out,
            c.deleted,
            c.expunged,
            c.header_count,
            c.header_bytes,
            c.body_count,
            c.body_bytes
        )
    }
}

/// `rip=192.0.2.7, lip=192.0.2.1`, IPv4 always as such.
struct Addresses<'a>(&'a Endpoints);

impl Display for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = |address: SocketAddr| address.ip().to_canonical();
        let Endpoints { remote, local } = self.0;
        write!(f, "rip={}, lip={}", ip(*remote), ip(*local))
    }
}

#[cfg(test)]
mod tests;
