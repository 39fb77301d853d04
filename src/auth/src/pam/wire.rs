//! What parent and PAM child say to each other: fields with a length before
//! each, one request and one reply; where a session is opened, another reply
//! when it is closed.

use std::net::IpAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

/// The longest request, in octets.
pub const MAX_REQUEST: u64 = 16 * 1024;

/// What a conversation is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum About {
    /// Is the password right, and may the account be used now?
    Password(Zeroizing<Vec<u8>>),
    /// The account phase alone.
    Account,
    /// The account phase, and a session behind it.
    Session,
}

/// One conversation to hold.
pub struct Request {
    pub service: String,
    pub user: String,
    pub about: About,
    pub rhost: IpAddr,
    pub confdir: Option<PathBuf>,
    /// When the child gives up by itself, should its parent be gone.
    pub timeout: Duration,
}

/// What PAM says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// With the name as the modules left it.
    Accepted(String),
    /// The password is wrong, or there is no such account.
    Refused,
    /// The password is right, the account may not be used.
    Denied,
    /// The password is right, but has expired.
    Expired,
    /// Nothing about the password: PAM itself does not work.
    Broken,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    pub verdict: Verdict,
    /// For the log: why, and what the modules said.
    pub reason: String,
    /// How long the modules would have a failure wait for its answer.
    pub delay: Duration,
}

impl Request {
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(2048));
        put(&mut out, self.service.as_bytes());
        put(&mut out, self.user.as_bytes());
        let (tag, password) = match &self.about {
            About::Password(password) => (b"P", password.as_slice()),
            About::Account => (b"A", &[][..]),
            About::Session => (b"S", &[][..]),
        };
        put(&mut out, tag);
        put(&mut out, password);
        put(&mut out, self.rhost.to_string().as_bytes());
        let confdir = self.confdir.as_deref().unwrap_or("".as_ref());
        put(&mut out, confdir.as_os_str().as_bytes());
        let millis = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        put(&mut out, &millis.to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = bytes;
        let request = Self {
            service: text(&mut input)?,
            user: text(&mut input)?,
            about: {
                let tag = take(&mut input)?;
                let password = Zeroizing::new(take(&mut input)?.to_vec());
                match tag {
                    b"P" => About::Password(password),
                    b"A" => About::Account,
                    b"S" => About::Session,
                    _ => return None,
                }
            },
            rhost: text(&mut input)?.parse().ok()?,
            confdir: path(take(&mut input)?),
            timeout: millis(&mut input)?,
        };
        input.is_empty().then_some(request)
    }
}

impl Reply {
    pub fn is_accepted(&self) -> bool {
        matches!(self.verdict, Verdict::Accepted(_))
    }

    /// With its length before it, since another may follow.
    pub fn framed(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, &self.encode());
        out
    }

    fn encode(&self) -> Vec<u8> {
        let (tag, user) = match &self.verdict {
            Verdict::Accepted(user) => (b"A", user.as_str()),
            Verdict::Refused => (b"R", ""),
            Verdict::Denied => (b"D", ""),
            Verdict::Expired => (b"E", ""),
            Verdict::Broken => (b"B", ""),
        };
        let mut out = Vec::new();
        put(&mut out, tag);
        put(&mut out, user.as_bytes());
        put(&mut out, self.reason.as_bytes());
        let millis = u64::try_from(self.delay.as_millis()).unwrap_or(u64::MAX);
        put(&mut out, &millis.to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = bytes;
        let tag = take(&mut input)?;
        let user = text(&mut input)?;
        let verdict = match tag {
            b"A" => Verdict::Accepted(user),
            b"R" => Verdict::Refused,
            b"D" => Verdict::Denied,
            b"E" => Verdict::Expired,
            b"B" => Verdict::Broken,
            _ => return None,
        };
        let reply = Self {
            verdict,
            reason: text(&mut input)?,
            delay: millis(&mut input)?,
        };
        input.is_empty().then_some(reply)
    }
}

/// A field of at most 65,535 octets; what is longer is cut, and every field
/// that matters is held to less before.
fn put(out: &mut Vec<u8>, field: &[u8]) {
    let len = u16::try_from(field.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(field.get(..usize::from(len)).unwrap_or(field));
}

fn take<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, rest) = input.split_first_chunk()?;
    let (field, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
    *input = rest;
    Some(field)
}

fn text(input: &mut &[u8]) -> Option<String> {
    String::from_utf8(take(input)?.to_vec()).ok()
}

fn millis(input: &mut &[u8]) -> Option<Duration> {
    let number = u64::from_le_bytes(take(input)?.try_into().ok()?);
    Some(Duration::from_millis(number))
}

fn path(field: &[u8]) -> Option<PathBuf> {
    let name = std::ffi::OsString::from_vec(field.to_vec());
    (!field.is_empty()).then(|| PathBuf::from(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_replies_survive_the_way() {
        let request = Request {
            service: "roost".into(),
            user: "alice".into(),
            about: About::Password(Zeroizing::new(vec![1, 255, 0])),
            rhost: "2001:db8::1".parse().unwrap(),
            confdir: Some("/x".into()),
            timeout: Duration::from_millis(1500),
        };
        let bytes = request.encode();
        let back = Request::decode(&bytes).unwrap();
        assert_eq!(back.about, request.about);
        assert_eq!((back.rhost, back.timeout), (request.rhost, request.timeout));
        assert_eq!(back.confdir, request.confdir);
        for cut in 0..bytes.len() {
            assert!(Request::decode(&bytes[..cut]).is_none());
        }
        let mut request = request;
        for about in [About::Account, About::Session] {
            request.about = about;
            let back = Request::decode(&request.encode()).unwrap();
            assert_eq!(back.about, request.about);
        }
        for verdict in [
            Verdict::Accepted("bob".into()),
            Verdict::Refused,
            Verdict::Expired,
        ] {
            let reply = Reply {
                verdict,
                reason: "x".into(),
                delay: Duration::from_millis(1234),
            };
            let framed = reply.framed();
            let (len, rest) = framed.split_first_chunk().unwrap();
            assert_eq!(usize::from(u16::from_le_bytes(*len)), rest.len());
            assert_eq!(Reply::decode(rest), Some(reply));
        }
        assert_eq!(Reply::decode(b""), None);
    }
}
