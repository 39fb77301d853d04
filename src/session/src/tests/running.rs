//! Signs of life of commands that run long (RFC 9585): of each that can.

use super::bench::Bench;
use super::{Site, impatient};
use crate::job::tests::ShortSteps;
use std::time::Duration;

/// Of messages: more than one step of any command takes.
const MANY: usize = 2_500;
/// More than one step of THREAD takes.
const MORE: usize = 5_001;

/// What is said of a command with the tag `a` while it runs.
fn signs(answer: &str) -> Vec<&str> {
    let end = "] Running";
    let signs = answer.lines().filter_map(|line| {
        let sign = line.strip_prefix("* OK [INPROGRESS (\"a\" ")?;
        Some(sign.strip_suffix(end).unwrap_or_else(|| panic!("{line}")))
    });
    signs.collect()
}

#[test]
fn every_command_that_can_run_long_says_so() {
    let _short = ShortSteps::begin();
    let message: &[u8] = b"A: b\n\nc\n";
    let mut b = Bench::new(&vec![("", message); MANY]);
    b.run("a CREATE to");
    b.interval(Duration::ZERO);
    for (command, first) in [
        ("STORE 1:* +FLAGS.SILENT (\\Deleted)", Some("1000 2500)")),
        ("SORT (SUBJECT) UTF-8 ALL", None),
        ("COPY 1:10 to", Some("2 10)")),
        ("EXPUNGE", Some("1000 2500)")),
    ] {
        let answer = b.run(&format!("a {command}"));
        let signs = signs(&answer);
        let right = first.map_or(!signs.is_empty(), |first| signs.first() == Some(&first));
        assert!(right, "{command}: {signs:?}");
        assert!(answer.contains("\r\na OK"), "{command}");
    }
    let mut b = Bench::new(&vec![("", message); 32]);
    b.interval(Duration::ZERO);
    let found = b.run("a SEARCH BODY cannot-be-found");
    assert!(!signs(&found).is_empty(), "{found}");
    let mut b = Bench::new(&vec![("", message); MORE]);
    b.run("a CREATE to");
    b.interval(Duration::ZERO);
    let threads = b.run("a THREAD REFERENCES UTF-8 ALL");
    assert!(!signs(&threads).is_empty(), "{threads}");
    let moved = b.run("a MOVE 1:* to");
    assert_eq!(signs(&moved)[0], "500 5001)");
    // Nothing where it is not wanted.
    b.interval(Duration::from_secs(600));
    b.run("a SELECT to");
    let answer = b.run("a STORE 1:* +FLAGS.SILENT (\\Seen)");
    assert!(signs(&answer).is_empty());
}

#[test]
fn a_message_that_comes_slowly() {
    let site = Site::with(impatient());
    let mut client = site.client();
    let answer = client.say("a APPEND INBOX {6+}\r\na: b\r\n");
    assert_eq!(signs(&answer), ["6 NIL)"], "{answer}");
    assert!(answer.contains("a OK [APPENDUID "), "{answer}");
}

#[test]
fn many_messages_of_one_append() {
    let site = Site::with(impatient());
    let mut client = site.client();
    let five = "{6+}\r\na: b\r\n ".repeat(5);
    let answer = client.say(&format!("a APPEND INBOX {}", five.trim_end_matches(' ')));
    let signs = signs(&answer);
    // Two while the second and the fourth become visible.
    let behind = signs.iter().filter(|sign| **sign == "NIL NIL)");
    assert_eq!(behind.count(), 2, "{answer}");
    assert!(answer.contains(" 1:5] Append completed"), "{answer}");
}
