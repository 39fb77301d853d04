//! Mail like what people have: written by a seeded generator, so that every
//! run and every machine has the same.
//!
//! About two in five are plain text, the others multiparts, newsletters,
//! attachments in base64, forwarded messages; one in thirty is broken in one
//! of the ways in which real mail is. Line ends are LF, as Maildirs have them.

mod body;
mod broken;
mod head;
mod words;

use crate::rng::Rng;

pub struct Writer {
    rng: Rng,
    count: usize,
    /// The last messages, which the next ones may answer.
    recent: Vec<Sent>,
    /// Attachments are cut out of this.
    pool: Vec<u8>,
}

/// What an answer needs of the message that it answers.
#[derive(Clone)]
struct Sent {
    id: String,
    subject: String,
    references: Vec<String>,
}

const REMEMBERED: usize = 300;

impl Writer {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let pool = (0..1 << 18)
            .flat_map(|_| rng.next().to_le_bytes())
            .collect();
        Self {
            rng,
            count: 0,
            recent: Vec::new(),
            pool,
        }
    }

    /// The next message.
    pub fn next(&mut self) -> Vec<u8> {
        let n = self.count;
        self.count += 1;
        let (rng, pool) = (&mut self.rng, self.pool.as_slice());
        let parent = (!self.recent.is_empty() && rng.chance(45)).then(|| {
            let at = rng.below(self.recent.len());
            self.recent[at].clone()
        });
        let (mut out, sent) = head::write(rng, n, parent.as_ref());
        match rng.below(100) {
            0..=39 => body::plain(rng, &mut out),
            40..=62 => body::alternative(rng, &mut out),
            63..=72 => body::newsletter(rng, &mut out),
            73..=91 => body::attachments(rng, pool, &mut out),
            92..=95 => body::forward(rng, n, &mut out),
            _ => broken::write(rng, pool, &mut out),
        }
        if self.recent.len() >= REMEMBERED {
            self.recent.remove(0);
        }
        self.recent.push(sent);
        out
    }
}

/// A short message of the kind that programs send, for APPEND.
pub fn small(n: usize) -> Vec<u8> {
    let mut rng = Rng::new(n as u64);
    let (mut out, _) = head::write(&mut rng, n, None);
    out.extend_from_slice(b"Content-Type: text/plain; charset=us-ascii\n\n");
    body::lines(&mut rng, &mut out, 900, &words::ENGLISH);
    crlf(&out)
}

/// With CRLF line ends.
fn crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 32);
    for line in text.split_inclusive(|&b| b == b'\n') {
        out.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_the_same_mail() {
        let hash = |seed| {
            let mut writer = Writer::new(seed);
            (0..300)
                .map(|_| writer.next())
                .fold((0usize, 0u64), |(n, h), m| {
                    let sum: u64 = m.iter().map(|&b| u64::from(b)).sum();
                    (n + m.len(), h.rotate_left(5) ^ sum)
                })
        };
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2));
    }

    #[test]
    fn it_is_mixed() {
        let mut writer = Writer::new(3);
        let all: Vec<_> = (0..600).map(|_| writer.next()).collect();
        let with = |what: &str| {
            all.iter()
                .filter(|m| memchr::memmem::find(m, what.as_bytes()).is_some())
                .count()
        };
        assert!(with("\nReferences: ") > 100);
        assert!(with("multipart/mixed") > 50);
        assert!(with("quoted-printable") > 100);
        assert!(with("message/rfc822") > 5);
        assert!(with("=?") > 50);
        assert!(all.iter().any(|m| !m.is_ascii()));
        let total: usize = all.iter().map(Vec::len).sum();
        assert!((10_000..80_000).contains(&(total / 600)), "{}", total / 600);
    }
}
