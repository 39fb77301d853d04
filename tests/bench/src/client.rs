//! A connection that measures: one buffer, no copy of what is only counted.

use crate::deadline;
use crate::error::{Error, Result, fail};
use crate::scan::{Collect, Nothing, Scanner, Sink, Step, Tally};
use rustls::{ClientConnection, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Nothing comes for so long only from a server that hangs; the first look at
/// a very large mailbox is slow.
const PATIENCE: Duration = Duration::from_secs(120);
/// So often it is looked whether there is still time to wait.
const LOOK: Duration = Duration::from_secs(2);
const BULK: usize = 256 * 1024;
/// Idle connections are held by the thousand.
const IDLE: usize = 512;

enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

pub struct Client {
    wire: Wire,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    tags: u32,
}

/// The untagged responses to a command.
pub struct Answer {
    pub responses: Vec<Vec<u8>>,
}

impl Client {
    pub fn connect(addr: SocketAddr, tls: bool) -> Result<Self> {
        let wire = if tls {
            let stream = roost_tests::tls::connect(addr)?;
            patient(&stream.sock)?;
            Wire::Tls(Box::new(stream))
        } else {
            let stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
            stream.set_nodelay(true)?;
            patient(&stream)?;
            Wire::Plain(stream)
        };
        let mut client = Self {
            wire,
            buffer: vec![0; IDLE],
            start: 0,
            end: 0,
            tags: 0,
        };
        client.line(&mut |_| true)?;
        Ok(client)
    }

    pub fn login(addr: SocketAddr, tls: bool, user: &str) -> Result<Self> {
        let mut client = Self::connect(addr, tls)?;
        client.run(&format!("LOGIN {user} {}", crate::server::PASSWORD))?;
        Ok(client)
    }

    /// Sends `command` and counts what comes back; fails unless it is OK.
    pub fn run(&mut self, command: &str) -> Result<Tally> {
        self.send(command.as_bytes())?;
        self.finish(command, &mut Nothing)
    }

    /// The same, with the responses kept.
    pub fn ask(&mut self, command: &str) -> Result<Answer> {
        self.send(command.as_bytes())?;
        let mut sink = Collect::default();
        self.finish(command, &mut sink)?;
        Ok(Answer {
            responses: sink.responses,
        })
    }

    /// Octets that begin with a command and are complete with its literals,
    /// which must be non-synchronizing.
    pub fn run_octets(&mut self, octets: &[u8]) -> Result<Tally> {
        self.send(octets)?;
        self.finish("literal", &mut Nothing)
    }

    fn send(&mut self, command: &[u8]) -> Result<()> {
        self.tags += 1;
        let mut out = Vec::with_capacity(command.len() + 16);
        let _ = write!(out, "b{} ", self.tags);
        out.extend_from_slice(command);
        out.extend_from_slice(b"\r\n");
        self.write(&out)
    }

    fn write(&mut self, octets: &[u8]) -> Result<()> {
        match &mut self.wire {
            Wire::Plain(w) => w.write_all(octets)?,
            Wire::Tls(w) => {
                w.write_all(octets)?;
                w.flush()?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, command: &str, sink: &mut impl Sink) -> Result<Tally> {
        if self.buffer.len() < BULK {
            self.buffer.resize(BULK, 0);
        }
        let tag = format!("b{}", self.tags);
        let mut scanner = Scanner::default();
        loop {
            let window = &self.buffer[self.start..self.end];
            match scanner.scan(window, tag.as_bytes(), sink) {
                Step::More(done) => {
                    self.start += done;
                    self.fill()?;
                }
                Step::Continue(done) => self.start += done,
                Step::Tagged(range) => {
                    let line = &window[range.start + tag.len() + 1..range.end];
                    let line = String::from_utf8_lossy(line).trim_end().to_owned();
                    self.start += range.end;
                    if line.starts_with("OK") {
                        return Ok(scanner.tally);
                    }
                    let head: String = command.chars().take(60).collect();
                    return fail(format!("{head}: {line}"));
                }
            }
        }
    }

    /// More octets behind `end`; the buffer grows for a line that fills it.
    fn fill(&mut self) -> Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if self.end == self.buffer.len() {
                self.buffer.resize(self.end * 2, 0);
            }
        }
        let space = &mut self.buffer[self.end..];
        let since = Instant::now();
        let n = loop {
            let read = match &mut self.wire {
                Wire::Plain(r) => r.read(space),
                Wire::Tls(r) => r.read(space),
            };
            match read {
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    deadline::check()?;
                    if since.elapsed() >= PATIENCE {
                        return fail("no answer");
                    }
                }
                read => break read?,
            }
        };
        if n == 0 {
            return fail("the server closed the connection");
        }
        self.end += n;
        Ok(())
    }

    /// Reads lines until `wanted` likes one.
    pub fn line(&mut self, wanted: &mut dyn FnMut(&[u8]) -> bool) -> Result<()> {
        loop {
            let window = &self.buffer[self.start..self.end];
            match memchr::memchr(b'\n', window) {
                Some(n) => {
                    let found = wanted(&window[..n]);
                    self.start += n + 1;
                    if found {
                        return Ok(());
                    }
                }
                None => self.fill()?,
            }
        }
    }

    /// Sends IDLE; returns when the server waits.
    pub fn idle(&mut self) -> Result<()> {
        self.send(b"IDLE")?;
        self.line(&mut |l| l.starts_with(b"+"))
    }

    pub fn done(&mut self) -> Result<()> {
        self.write(b"DONE\r\n")?;
        self.finish("IDLE", &mut Nothing).map(drop)
    }

    /// Gives the buffer back; nothing may stand in it.
    pub fn forget_buffer(&mut self) {
        if self.start == self.end {
            self.buffer = vec![0; IDLE];
            (self.start, self.end) = (0, 0);
        }
    }

    pub fn logout(mut self) -> Result<()> {
        self.run("LOGOUT").map(drop)
    }

    /// A number behind `key` in the answer to SELECT, such as `[HIGHESTMODSEQ `.
    pub fn select_number(answer: &Answer, key: &str) -> Result<u64> {
        answer
            .responses
            .iter()
            .map(|r| String::from_utf8_lossy(r))
            .find_map(|r| {
                let at = r.find(key)? + key.len();
                r[at..]
                    .split(|c: char| !c.is_ascii_digit())
                    .next()?
                    .parse()
                    .ok()
            })
            .ok_or_else(|| Error(format!("SELECT told no {key}")))
    }
}

fn patient(stream: &TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(LOOK))?;
    Ok(stream.set_write_timeout(Some(PATIENCE))?)
}

/// APPEND with its message, ready to be sent.
pub fn append_command(mailbox: &str, messages: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("APPEND {mailbox}").into_bytes();
    for message in messages {
        out.extend_from_slice(format!(" (\\Seen) {{{}+}}\r\n", message.len()).as_bytes());
        out.extend_from_slice(message);
    }
    out
}
