//! Commands with pieces changed, left out, doubled and put in, in every state.

use super::{SELECTED, processes, read_until, selected, start, unharmed, wire};
use std::io::Write;
use std::time::{Duration, Instant};

/// Repeatable randomness.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a [u8]]) -> &'a [u8] {
        from[self.below(from.len())]
    }
}

const SEEDS: [&[u8]; 20] = [
    b"a LOGIN {1}\r\nx {4}\r\nxxxx\r\n",
    b"a AUTHENTICATE PLAIN AHUAcHc=\r\n",
    b"a STARTTLS\r\n",
    b"a ID (\"a\" \"b\" NIL NIL)\r\n",
    b"a SELECT INBOX\r\n",
    b"a FETCH 1:* (FLAGS BODY[1.2.HEADER.FIELDS (a b)]<1.2>)\r\n",
    b"a SEARCH OR (NOT ALL) (FROM \"x\" TO {3+}\r\nabc)\r\n",
    b"a LIST (SUBSCRIBED) \"\" (\"*\" \"%\") RETURN (CHILDREN STATUS (MESSAGES))\r\n",
    b"a STORE 1:4294967295 +FLAGS (\\Seen x)\r\n",
    b"a APPEND INBOX (\\Seen) \"01-Jan-2020 00:00:00 +0000\" {5+}\r\nhello\r\n",
    b"a APPEND INBOX {3+}\r\nabc {3+}\r\nabc\r\n",
    b"a IDLE\r\nDONE\r\n",
    b"a UID COPY *:1 \"x&AGE-\"\r\n",
    b"a CREATE \"a/b\" (USE (\\Sent))\r\n",
    b"a ENABLE IMAP4rev2 X\r\n",
    b"a STATUS INBOX (SIZE DELETED)\r\n",
    b"a RENAME a b\r\n",
    b"a UID SEARCH RETURN (SAVE) CHARSET UTF-8 UID 1:*\r\n",
    b"a FETCH $ (BINARY[1] ENVELOPE BODYSTRUCTURE)\r\n",
    b"a EXPUNGE\r\n",
];

const PIECES: [&[u8]; 16] = [
    b"{99999999999999999999}",
    b"{4294967295+}\r\n",
    b"{-1}\r\n",
    b"{0}\r\n",
    b"~{1}\r\n",
    b"\0",
    b"\r",
    b"\n",
    b"((((((((((",
    b"\"",
    b"4294967296",
    b"*",
    b"\\",
    b"\xff\xfe",
    b"{1000}\r\n",
    b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
];

fn mutated(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.pick(&SEEDS).to_vec();
    for _ in 0..dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(4) {
            0 => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
            1 => drop(bytes.drain(at..(at + 3).min(bytes.len()))),
            2 => bytes = bytes.repeat(2),
            _ => drop(bytes.splice(at..at, dice.pick(&PIECES).repeat(1 + dice.below(40)))),
        }
        if bytes.is_empty() {
            bytes.push(b'x');
        }
    }
    bytes
}

#[test]
fn streams_of_nonsense_harm_nobody() {
    const LENGTH: Duration = Duration::from_secs(10);
    let roost = start(&[]);
    let mut watcher = selected(&roost);
    let pids = processes(&roost);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let end = Instant::now() + LENGTH;
    let mut connections = 0;
    while Instant::now() < end {
        let mut wire = wire(&roost, dice.below(3) == 0);
        if dice.below(2) == 0 {
            wire.write_all(SELECTED).unwrap();
            read_until(&mut *wire, b"ready OK ");
        }
        for _ in 0..=dice.below(12) {
            if wire.write_all(&mutated(&mut dice)).is_err() {
                break;
            }
        }
        // Whatever state that left behind, it is heard or has ended soon.
        let _ = wire.write_all(b"\r\n\r\n*\r\nDONE\r\nzz LOGOUT\r\nzz LOGOUT\r\n");
        drop(wire);
        connections += 1;
        if connections % 50 == 0 {
            watcher.ok("NOOP").unwrap();
        }
    }
    assert!(connections > 50, "{connections}");
    watcher
        .ok("FETCH 1:* FLAGS")
        .or_else(|_| watcher.ok("NOOP"))
        .unwrap();
    unharmed(&roost, &pids);
}
