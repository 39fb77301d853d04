//! A session's links: sessions on other accounts, which it relays to.
//!
//! A link is a stream as a client's connection is. What happens on it a
//! [`Client`](crate::client::Client) does in its turns; between them it is only
//! waited for. Dropping a link ends the session at the other end.

use crate::stream::Stream;
use roost_session::LinkId;
use std::io;
use std::os::fd::OwnedFd;

/// Octets read from a link at once.
const READ: usize = 64 << 10;

#[derive(Default)]
pub struct Links {
    all: Vec<Link>,
    /// How many there have been.
    last: u32,
    /// For reading, while something is read.
    buffer: Vec<u8>,
}

struct Link {
    id: LinkId,
    stream: Stream,
    /// Nothing can be sent any more; what has come is still read.
    broken: bool,
}

/// What came over a link.
pub enum Heard {
    Octets,
    /// Nothing by now.
    Nothing,
    /// It has ended.
    End,
}

impl Links {
    /// Takes over the end of a new link. Must be called within a runtime.
    pub fn add(&mut self, fd: OwnedFd) -> io::Result<LinkId> {
        let stream = Stream::new(fd)?;
        self.last += 1;
        let id = LinkId(self.last);
        self.all.push(Link {
            id,
            stream,
            broken: false,
        });
        Ok(id)
    }

    fn get(&mut self, id: LinkId) -> Option<&mut Link> {
        self.all.iter_mut().find(|link| link.id == id)
    }

    /// To be waited for.
    pub fn stream(&self, id: LinkId) -> Option<&Stream> {
        let link = self.all.iter().find(|link| link.id == id)?;
        Some(&link.stream)
    }

    pub fn drop_link(&mut self, id: LinkId) {
        self.all.retain(|link| link.id != id);
    }

    /// Sends `output` as far as the link takes it now, and takes it over.
    pub fn send(&mut self, id: LinkId, output: &mut Vec<u8>) {
        match self.get(id) {
            Some(link) if !link.broken => {
                let sent = link.stream.queue(output);
                if sent.and_then(|()| link.stream.try_flush()).is_err() {
                    link.broken = true;
                }
            }
            _ => output.clear(),
        }
    }

    /// One that has not taken all that was sent.
    pub fn behind(&self) -> Option<LinkId> {
        let behind = |link: &&Link| !link.broken && link.stream.is_behind();
        self.all.iter().find(behind).map(|link| link.id)
    }

    /// Waits until a link has taken what was sent. May be given up at any
    /// time.
    pub async fn flush(&mut self, id: LinkId) {
        if let Some(link) = self.get(id)
            && link.stream.flush().await.is_err()
        {
            link.broken = true;
        }
    }

    /// Gives `take` what has come over a link, without waiting.
    pub fn hear(&mut self, id: LinkId, take: impl FnOnce(&[u8])) -> Heard {
        self.buffer.resize(READ, 0);
        let Some(link) = self.all.iter_mut().find(|link| link.id == id) else {
            return Heard::End;
        };
        match link.stream.try_read_into(&mut self.buffer) {
            Ok(None) => Heard::Nothing,
            Ok(Some([])) | Err(_) => Heard::End,
            Ok(Some(octets)) => {
                take(octets);
                Heard::Octets
            }
        }
    }

    /// Gives back the memory that a session with nothing to do can do without.
    pub fn rest(&mut self) {
        self.buffer = Vec::new();
        for link in &mut self.all {
            link.stream.rest();
        }
    }
}
