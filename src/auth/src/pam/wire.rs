//! What parent and PAM child say to each other: fields with a length before
//! each, one request and one reply.

use std::net::IpAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

/// The longest request and reply, in octets.
pub const MAX_REQUEST: u64 = 16 * 1024;
pub const MAX_REPLY: u64 = 64 * 1024;

/// One conversation to hold.
pub struct Request {
    pub service: String,
    pub user: String,
    /// None where only the account phase is asked.
    pub password: Option<Zeroizing<Vec<u8>>>,
    pub rhost: IpAddr,
    pub confdir: Option<PathBuf>,
    /// When the child gives up by itself, should its parent be gone.
    pub timeout: Duration,
    /// A session is opened and closed again.
    pub session: bool,
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
        put(&mut out, &[u8::from(self.password.is_some())]);
        put(&mut out, self.password.as_ref().map_or(&[], |p| p));
        put(&mut out, self.rhost.to_string().as_bytes());
        let confdir = self.confdir.as_deref().unwrap_or("".as_ref());
        put(&mut out, confdir.as_os_str().as_bytes());
        let millis = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        put(&mut out, &millis.to_le_bytes());
        put(&mut out, &[u8::from(self.session)]);
        out
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = bytes;
        let request = Self {
            service: text(&mut input)?,
            user: text(&mut input)?,
            password: {
                let given = take(&mut input)? == [1];
                let password = Zeroizing::new(take(&mut input)?.to_vec());
                given.then_some(password)
            },
            rhost: text(&mut input)?.parse().ok()?,
            confdir: path(take(&mut input)?),
            timeout: millis(&mut input)?,
            session: take(&mut input)? == [1],
        };
        input.is_empty().then_some(request)
    }
}

impl Reply {
    pub fn encode(&self) -> Vec<u8> {
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
            password: Some(Zeroizing::new(vec![1, 255, 0])),
            rhost: "2001:db8::1".parse().unwrap(),
            confdir: Some("/x".into()),
            timeout: Duration::from_millis(1500),
            session: true,
        };
        let bytes = request.encode();
        let back = Request::decode(&bytes).unwrap();
        assert_eq!(back.password, request.password);
        assert_eq!((back.rhost, back.timeout), (request.rhost, request.timeout));
        assert!(back.session);
        assert_eq!(back.confdir, request.confdir);
        let known = Request {
            password: None,
            ..request
        };
        let back = Request::decode(&known.encode()).unwrap();
        assert_eq!((back.password, back.user), (None, known.user));
        for cut in 0..bytes.len() {
            assert!(Request::decode(&bytes[..cut]).is_none());
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
            assert_eq!(Reply::decode(&reply.encode()), Some(reply));
        }
        assert_eq!(Reply::decode(b""), None);
    }
}
