//! A plain IMAP client for tests: sends lines, reads whole responses with
//! their literals, judges nothing.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may stay silent before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Client {
    reader: BufReader<Box<dyn Read + Send>>,
    writer: Box<dyn Write + Send>,
    /// Sets the read limit of the transport; none for pipes.
    socket: Option<TcpStream>,
    next_tag: u32,
    /// Commands to be sent in one packet.
    queued: Vec<u8>,
    pub greeting: String,
}

/// One response with its literals in place, without the final CRLF.
pub type Response = Vec<u8>;

/// What a command was answered: untagged responses, then the tagged one
/// without its tag.
#[derive(Debug)]
pub struct Answer {
    pub untagged: Vec<Response>,
    pub tagged: String,
}

impl Answer {
    pub fn ok(&self) -> bool {
        self.tagged.starts_with("OK")
    }

    /// The untagged responses as text.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.untagged
            .iter()
            .map(|r| String::from_utf8_lossy(r).into_owned())
    }
}

fn ended() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the server closed the connection",
    )
}

impl Client {
    pub fn connect(addr: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&addr, PATIENCE)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let (r, w) = (socket.try_clone()?, socket.try_clone()?);
        Self::over(Box::new(r), Box::new(w), Some(socket))
    }

    /// Over the pipes of a program that speaks IMAP on its standard streams.
    pub fn over(
        r: Box<dyn Read + Send>,
        w: Box<dyn Write + Send>,
        socket: Option<TcpStream>,
    ) -> io::Result<Self> {
        let mut client = Self {
            reader: BufReader::new(r),
            writer: w,
            socket,
            next_tag: 0,
            queued: Vec::new(),
            greeting: String::new(),
        };
        client.greeting = String::from_utf8_lossy(&client.response()?).into_owned();
        Ok(client)
    }

    /// Connected and logged in; fails unless the server says OK.
    pub fn login(addr: SocketAddr, user: &str, password: &str) -> io::Result<Self> {
        let mut client = Self::connect(addr)?;
        let answer = client.command(&format!("LOGIN \"{user}\" \"{password}\""))?;
        if answer.ok() {
            Ok(client)
        } else {
            Err(io::Error::other(format!(
                "login refused: {}",
                answer.tagged
            )))
        }
    }

    pub fn set_patience(&self, patience: Duration) -> io::Result<()> {
        match &self.socket {
            Some(s) => s.set_read_timeout(Some(patience)),
            None => Ok(()),
        }
    }

    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes)?;
        self.writer.flush()
    }

    /// A command that goes out together with what is sent next; gives its tag.
    pub fn queue(&mut self, command: &[u8]) -> String {
        self.next_tag += 1;
        let tag = format!("t{}", self.next_tag);
        self.queued.extend_from_slice(format!("{tag} ").as_bytes());
        self.queued.extend_from_slice(command);
        self.queued.extend_from_slice(b"\r\n");
        tag
    }

    /// The same for octets that are no command.
    pub fn queue_raw(&mut self, bytes: &[u8]) {
        self.queued.extend_from_slice(bytes);
    }

    /// Sends what is queued.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.queued.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.queued);
        self.raw(&bytes)
    }

    /// Sends a command without waiting; gives its tag.
    pub fn send(&mut self, command: &[u8]) -> io::Result<String> {
        let tag = self.queue(command);
        self.flush()?;
        Ok(tag)
    }

    pub fn command(&mut self, command: &str) -> io::Result<Answer> {
        let tag = self.send(command.as_bytes())?;
        self.wait(&tag)
    }

    /// A command that must be answered OK.
    pub fn ok(&mut self, command: &str) -> io::Result<Answer> {
        let answer = self.command(command)?;
        if answer.ok() {
            return Ok(answer);
        }
        let head: String = command.chars().take(200).collect();
        Err(io::Error::other(format!("{head}: {}", answer.tagged)))
    }

    /// Everything up to the tagged response `tag`.
    pub fn wait(&mut self, tag: &str) -> io::Result<Answer> {
        let mut untagged = Vec::new();
        loop {
            let response = self.response()?;
            let text = String::from_utf8_lossy(&response);
            if let Some(rest) = text.strip_prefix(tag).and_then(|r| r.strip_prefix(' ')) {
                let tagged = rest.to_owned();
                return Ok(Answer { untagged, tagged });
            }
            untagged.push(response);
        }
    }

    /// One response: a line and, while it ends in `{n}`, n bytes and a line.
    pub fn response(&mut self) -> io::Result<Response> {
        let mut out = Vec::new();
        loop {
            let start = out.len();
            if self.reader.read_until(b'\n', &mut out)? == 0 {
                return Err(ended());
            }
            while out.last().is_some_and(|b| matches!(b, b'\r' | b'\n')) && out.len() > start {
                out.pop();
            }
            let Some(n) = announced(&out) else {
                return Ok(out);
            };
            out.extend_from_slice(b"\r\n");
            let at = out.len();
            out.resize(at + n, 0);
            self.reader.read_exact(&mut out[at..])?;
        }
    }

    /// APPEND with a literal; `options` stand between mailbox and literal.
    pub fn append(&mut self, mailbox: &str, options: &str, message: &[u8]) -> io::Result<Answer> {
        let space = if options.is_empty() { "" } else { " " };
        let line = format!("APPEND {mailbox}{space}{options} {{{}}}", message.len());
        let tag = self.send(line.as_bytes())?;
        let mut untagged = Vec::new();
        loop {
            let response = self.response()?;
            if response.starts_with(b"+") {
                break;
            }
            let text = String::from_utf8_lossy(&response);
            if let Some(rest) = text.strip_prefix(&tag) {
                let tagged = rest.trim_start().to_owned();
                return Ok(Answer { untagged, tagged });
            }
            untagged.push(response);
        }
        self.raw(message)?;
        self.raw(b"\r\n")?;
        let mut answer = self.wait(&tag)?;
        untagged.append(&mut answer.untagged);
        answer.untagged = untagged;
        Ok(answer)
    }

    /// True once the server has closed the connection, reading what is left.
    pub fn is_closed_by_server(&mut self) -> bool {
        loop {
            match self.response() {
                Ok(_) => {}
                Err(e) => {
                    return !matches!(
                        e.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    );
                }
            }
        }
    }
}

/// The octets announced by a literal at the end of `line`.
fn announced(line: &[u8]) -> Option<usize> {
    let body = line.strip_suffix(b"}")?;
    let open = body.iter().rposition(|&b| b == b'{')?;
    let digits = std::str::from_utf8(body.get(open + 1..)?).ok()?;
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_part_of_their_response() {
        let wire = b"* OK hi\r\n* 1 FETCH (BODY[] {4}\r\na\r\nb FLAGS ())\r\nt1 OK x\r\n";
        let mut c = Client::over(Box::new(&wire[..]), Box::new(io::sink()), None).unwrap();
        assert_eq!(c.greeting, "* OK hi");
        let answer = c.command("FETCH 1 BODY[]").unwrap();
        assert_eq!(
            answer.untagged,
            [b"* 1 FETCH (BODY[] {4}\r\na\r\nb FLAGS ())"]
        );
        assert_eq!(answer.tagged, "OK x");
    }
}
