//! Just enough of an IMAP client for the commands that work on mail: what they
//! do goes through an ordinary session, so that rights, quotas, locks and other
//! sessions' news are the server's business and not ours.

pub mod query;
pub mod value;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use crate::{Failure, exit};
use value::{Part, Value};

/// Octets of a line; a set of a million scattered UIDs has some eight million.
const MAX_LINE: u64 = 64 << 20;
/// Of a literal that is kept: names, header fields, previews.
const MAX_LITERAL: u64 = 64 << 20;
/// Of a set of UIDs in one command.
const MAX_SET: usize = 8 << 10;

/// A session that is logged in.
pub struct Client<R = UnixStream, W = UnixStream> {
    reader: BufReader<R>,
    writer: W,
    tags: u64,
    /// Between the levels of names on the wire.
    separator: char,
    /// Before own names.
    prefix: String,
}

/// A command that the server has not done.
#[derive(Debug)]
pub struct Refusal {
    /// As `NONEXISTENT`, or empty.
    pub code: String,
    pub text: String,
    /// The command was not understood.
    pub bad: bool,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.code.as_str() {
            _ if refusal.bad => exit::USAGE,
            "NONEXISTENT" | "TRYCREATE" => exit::NOINPUT,
            "NOPERM" => exit::NOPERM,
            "OVERQUOTA" | "ALREADYEXISTS" => exit::CANTCREAT,
            "INUSE" | "UNAVAILABLE" | "LIMIT" | "EXPUNGEISSUED" => exit::TEMPFAIL,
            "BADCHARSET" | "CANNOT" | "CLIENTBUG" | "PARSE" => exit::USAGE,
            _ => exit::IOERR,
        };
        Self::new(code, refusal.text)
    }
}

fn lost(why: impl std::fmt::Display) -> Failure {
    Failure::new(exit::UNAVAILABLE, format!("session: {why}"))
}

fn strange() -> Failure {
    lost("a response that cannot be read")
}

impl Client {
    /// Takes the greeting, and learns how mailboxes are called.
    pub fn begin(connection: UnixStream) -> Result<Self, Failure> {
        let reader = connection.try_clone().map_err(lost)?;
        Self::over(reader, connection)
    }
}

impl<R: Read, W: Write> Client<R, W> {
    fn over(reader: R, writer: W) -> Result<Self, Failure> {
        let mut client = Self {
            reader: BufReader::new(reader),
            writer,
            tags: 0,
            separator: '/',
            prefix: String::new(),
        };
        let greeting = client.line()?;
        if !greeting.starts_with(b"* PREAUTH") {
            return Err(lost(String::from_utf8_lossy(&greeting)));
        }
        // Names are UTF-8 then.
        client.run("ENABLE IMAP4rev2", &mut |_| Ok(()))?;
        let mut own = None;
        client.run("NAMESPACE", &mut |values| {
            if let [name, personal, ..] = values
                && name.is("NAMESPACE")
            {
                own = personal.list().first().cloned();
            }
            Ok(())
        })?;
        if let [prefix, separator, ..] = own.as_ref().map_or(&[][..], Value::list) {
            client.prefix = prefix.text();
            client.separator = separator.text().chars().next().unwrap_or('/');
        }
        Ok(client)
    }

    /// A command that must be done; `each` gets every untagged response.
    pub fn run(
        &mut self,
        command: &str,
        each: &mut dyn FnMut(&[Value]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        Ok(self.try_run(command, each)??)
    }

    pub fn try_run(
        &mut self,
        command: &str,
        each: &mut dyn FnMut(&[Value]) -> Result<(), Failure>,
    ) -> Result<Result<(), Refusal>, Failure> {
        let tag = self.send(command)?;
        loop {
            let line = self.line()?;
            if let Some(rest) = of_tag(&line, &tag) {
                return Ok(result(rest));
            }
            let Some(rest) = line.strip_prefix(b"* ") else {
                return Err(strange());
            };
            if is_status(rest) {
                bye(rest)?;
                continue;
            }
            let parts = self.parts(rest.to_vec())?;
            each(&value::parse(parts).ok_or_else(strange)?)?;
        }
    }

    /// A FETCH of one message's text, which is written to `out` as it comes.
    pub fn copy(&mut self, command: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let tag = self.send(command)?;
        loop {
            let line = self.line()?;
            if let Some(rest) = of_tag(&line, &tag) {
                return Ok(result(rest)?);
            }
            // The text of a status may end like a literal's announcement.
            let rest = line.strip_prefix(b"* ").unwrap_or_default();
            if is_status(rest) {
                bye(rest)?;
            } else if let Some(octets) = announced(&line) {
                let copied = std::io::copy(&mut (&mut self.reader).take(octets), out);
                let copied = copied.map_err(|e| Failure::new(exit::IOERR, e))?;
                if copied < octets {
                    return Err(lost("it ended"));
                }
            }
        }
    }

    fn send(&mut self, command: &str) -> Result<String, Failure> {
        self.tags += 1;
        let tag = format!("r{}", self.tags);
        let line = format!("{tag} {command}\r\n");
        self.writer.write_all(line.as_bytes()).map_err(lost)?;
        self.writer.flush().map_err(lost)?;
        Ok(tag)
    }

    fn line(&mut self) -> Result<Vec<u8>, Failure> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(MAX_LINE);
        limited.read_until(b'\n', &mut line).map_err(lost)?;
        if line.pop() != Some(b'\n') {
            return Err(lost("it ended"));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }

    /// With the literals, and the lines that go on behind them.
    fn parts(&mut self, first: Vec<u8>) -> Result<Vec<Part>, Failure> {
        let (mut parts, mut line) = (Vec::new(), first);
        let mut room = MAX_LITERAL;
        while let Some(octets) = announced(&line) {
            room = room.checked_sub(octets).ok_or_else(strange)?;
            let mut literal = vec![0; usize::try_from(octets).map_err(|_| strange())?];
            self.reader.read_exact(&mut literal).map_err(lost)?;
            let brace = line.iter().rposition(|&b| b == b'{').unwrap_or(0);
            line.truncate(brace);
            if line.last() == Some(&b'~') {
                line.pop();
            }
            parts.push((line, Some(literal)));
            line = self.line()?;
        }
        parts.push((line, None));
        Ok(parts)
    }

    /// A name or pattern with `/` between its levels, as a string on the wire.
    pub fn wire_name(&self, name: &str) -> Result<String, Failure> {
        let separator = self.separator.to_string();
        let text = name.replace('/', &separator);
        let inbox = text.eq_ignore_ascii_case("INBOX");
        let prefix = match inbox || text.starts_with('~') || text.is_empty() {
            true => "",
            false => self.prefix.as_str(),
        };
        query::string(&format!("{prefix}{text}"))
    }

    /// A name on the wire, with `/` between its levels.
    pub fn shown_name(&self, wire: &Value) -> String {
        let text = wire.text();
        let own = text.strip_prefix(self.prefix.as_str());
        let separator = self.separator.to_string();
        own.unwrap_or(&text).replace(&separator, "/")
    }
}

/// The octets that a line's end announces, `{7}` or `~{7}`.
fn announced(line: &[u8]) -> Option<u64> {
    let body = line.strip_suffix(b"}")?;
    let open = body.iter().rposition(|&b| b == b'{')?;
    let digits = std::str::from_utf8(body.get(open + 1..)?).ok()?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

fn of_tag<'a>(line: &'a [u8], tag: &str) -> Option<&'a [u8]> {
    line.strip_prefix(tag.as_bytes())?.strip_prefix(b" ")
}

/// Their text is for people, and not in the grammar of the rest.
fn is_status(rest: &[u8]) -> bool {
    let words: [&[u8]; 5] = [b"OK ", b"NO ", b"BAD ", b"BYE ", b"PREAUTH "];
    words.iter().any(|word| rest.starts_with(word))
}

fn bye(rest: &[u8]) -> Result<(), Failure> {
    match rest.strip_prefix(b"BYE ") {
        Some(text) => Err(lost(String::from_utf8_lossy(text))),
        None => Ok(()),
    }
}

fn result(rest: &[u8]) -> Result<(), Refusal> {
    let text = String::from_utf8_lossy(rest).into_owned();
    let (word, text) = text.split_once(' ').unwrap_or((&text, ""));
    if word == "OK" {
        return Ok(());
    }
    let coded = text.strip_prefix('[').and_then(|t| t.split_once("] "));
    let (code, text) = coded.unwrap_or(("", text));
    let code = code.split(' ').next().unwrap_or_default();
    Err(Refusal {
        code: code.to_owned(),
        text: text.to_owned(),
        bad: word == "BAD",
    })
}

/// A set of UIDs as the server wrote it, in pieces that commands have room for.
pub fn pieces(set: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for range in set.split(',').filter(|range| !range.is_empty()) {
        match pieces.last_mut() {
            Some(piece) if piece.len() + range.len() < MAX_SET => {
                piece.push(',');
                piece.push_str(range);
            }
            _ => pieces.push(range.to_owned()),
        }
    }
    pieces
}

/// The UIDs of a set.
pub fn uids(set: &str) -> impl Iterator<Item = u32> + '_ {
    let ranges = set.split(',').filter_map(|range| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        Some(first.min(last)..=first.max(last))
    });
    ranges.flatten()
}

/// How many they are.
pub fn count(set: &str) -> u64 {
    let ranges = set.split(',').filter_map(|range| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        Some(first.abs_diff(last) + 1)
    });
    ranges.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREETING: &str = "* PREAUTH [CAPABILITY IMAP4rev1] (hi\r\nr1 OK e\r\n\
        * NAMESPACE ((\"INBOX.\" \".\")) NIL NIL\r\nr2 OK n\r\n";

    fn client(text: &str) -> Client<std::io::Cursor<Vec<u8>>, Vec<u8>> {
        let text = format!("{GREETING}{text}");
        Client::over(std::io::Cursor::new(text.into_bytes()), Vec::new()).unwrap()
    }

    #[test]
    fn responses_come_with_their_literals() {
        let mut client = client("* OK a (b\r\n* LIST () \".\" {5}\r\nA\r\nB)\r\nr3 OK done\r\n");
        let mut seen = Vec::new();
        let mut keep = |values: &[Value]| {
            seen.push(values.to_vec());
            Ok(())
        };
        client.run("LIST", &mut keep).unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0][3].text(), "A\r\nB)");
        assert!(client.writer.ends_with(b"r3 LIST\r\n"));
    }

    #[test]
    fn refusals_have_exit_codes() {
        for (line, code, text) in [
            ("NO [NONEXISTENT] gone", exit::NOINPUT, "gone"),
            ("NO [OVERQUOTA] full", exit::CANTCREAT, "full"),
            ("NO [METADATA LONGENTRIES 7] long", exit::IOERR, "long"),
            ("NO simply", exit::IOERR, "simply"),
            ("BAD what", exit::USAGE, "what"),
        ] {
            let mut client = client(&format!("r3 {line}\r\n"));
            let failure = client.run("X", &mut |_| Ok(())).unwrap_err();
            assert_eq!((failure.code, failure.text.as_str()), (code, text));
        }
        for end in [
            "* BYE kicked\r\n",
            "",
            "* LIST (\r\n",
            "+ what\r\n",
            "* X {99999999999}\r\n",
        ] {
            let failure = client(end).run("X", &mut |_| Ok(())).unwrap_err();
            assert_eq!(failure.code, exit::UNAVAILABLE, "{end}");
        }
    }

    #[test]
    fn a_message_goes_through_as_it_is() {
        let mut client =
            client("* OK [ALERT] at {5}\r\n* 1 FETCH (BODY[] {6}\r\n* x {9} UID 7)\r\nr3 OK\r\n");
        let mut out = Vec::new();
        client.copy("UID FETCH", &mut out).unwrap();
        assert_eq!(out, b"* x {9");
    }

    #[test]
    fn names_have_slashes_here_and_the_servers_own_there() {
        let client = client("");
        let wire = |name| client.wire_name(name).unwrap();
        assert_eq!(wire("Work/2024"), "\"INBOX.Work.2024\"");
        assert_eq!(wire("inbox"), "\"inbox\"");
        assert_eq!(wire("~bob/Team"), "\"~bob.Team\"");
        let shown = |name: &str| client.shown_name(&Value::Text(name.into()));
        assert_eq!(shown("INBOX.Work.2024"), "Work/2024");
        assert_eq!(shown("INBOX"), "INBOX");
    }

    #[test]
    fn sets_are_counted_and_cut() {
        assert_eq!(uids("1:3,7,9:8").collect::<Vec<_>>(), [1, 2, 3, 7, 8, 9]);
        assert_eq!((count("1:3,7,9:8"), count("")), (6, 0));
        let long = (0..5000).map(|n| (n * 2).to_string()).collect::<Vec<_>>();
        let pieces = pieces(&long.join(","));
        assert!(pieces.len() > 1 && pieces.iter().all(|p| p.len() <= MAX_SET));
        assert_eq!(pieces.join(","), long.join(","));
    }
}
