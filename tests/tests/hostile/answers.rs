//! What is too much, too deep or plain wrong gets its BAD, NO or BYE.

use super::{SELECTED, login, processes, read_until, start, unharmed, wire};
use roost_tests::roost::Roost;
use std::io::Write;

/// What the server says to `input`, up to the answer to a NOOP behind it.
fn answer(roost: &Roost, with_tls: bool, prologue: &[u8], input: &[u8]) -> String {
    let mut wire = wire(roost, with_tls);
    wire.write_all(prologue).unwrap();
    read_until(&mut *wire, b"ready\r\n");
    if !prologue.is_empty() {
        read_until(&mut *wire, b"ready OK ");
    }
    // It may be cut off before all is sent.
    let _ = wire.write_all(&[input, b"\r\nlast NOOP\r\n"].concat());
    let got = read_until(&mut *wire, b"last OK");
    String::from_utf8_lossy(&got).into_owned()
}

#[test]
fn what_cannot_be_obeyed_is_answered_and_the_next_command_is_heard() {
    let roost = start(&[]);
    let mut watcher = login(&roost);
    watcher
        .append("INBOX", "", b"Subject: x\r\n\r\nx\r\n")
        .unwrap();
    let pids = processes(&roost);
    let long = |head: &str, piece: &str, n: usize, tail: &str| {
        format!("{head}{}{tail}", piece.repeat(n)).into_bytes()
    };
    let before: Vec<(Vec<u8>, &str)> = vec![
        (b"a LOGIN {-1}".to_vec(), "a BAD"),
        (b"a LOGIN {4294967296}".to_vec(), "a BAD"),
        (long("a LOGIN ", "{0+}\r\n ", 50, ""), "a BAD"),
        (b"a LOGIN {3+}\r\n\0\0\0 x".to_vec(), "a BAD"),
        (
            b"a LOGIN {2+}\r\n\xff\xfe x".to_vec(),
            "a NO [AUTHENTICATIONFAILED]",
        ),
        (long("a ", "x", 30_000, ""), "a BAD"),
        (b"a APPEND INBOX {5+}\r\nhello".to_vec(), "a BAD"),
        (b"a IDLE".to_vec(), "a BAD Log in first"),
        (b"a AUTHENTICATE PLAIN\r\n*".to_vec(), "a BAD"),
        (b"a AUTHENTICATE PLAIN\r\n!!!".to_vec(), "a BAD"),
        (b"a AUTHENTICATE PLAIN !!!".to_vec(), "a BAD"),
        (long("a AUTHENTICATE PLAIN\r\n", "A", 20_000, ""), "a BAD"),
        (b"a AUTHENTICATE PLAIN =".to_vec(), "a BAD"),
        (b"a AUTHENTICATE NONE".to_vec(), "a NO"),
        (b"\r\n\n\r\r\n* NOOP\r\n+ NOOP\r\n\0\0".to_vec(), "* BAD"),
        (b"GET / HTTP/1.0\r\nHost: x".to_vec(), "GET BAD"),
        (long("", "a NOOP\r\n", 5000, "b NOOP"), "b OK"),
    ];
    for (input, expected) in &before {
        for with_tls in [false, true] {
            let got = answer(&roost, with_tls, b"", input);
            check(input, &got, expected);
        }
    }
    let after: Vec<(Vec<u8>, &str)> = vec![
        (b"a FETCH 1:4294967295 FLAGS".to_vec(), "a BAD"),
        (b"a FETCH 4294967296 FLAGS".to_vec(), "a BAD"),
        (b"a FETCH *:* UID".to_vec(), "a OK"),
        (b"a UID FETCH 1:4294967295 UID".to_vec(), "a OK"),
        (b"a FETCH 0 UID".to_vec(), "a BAD"),
        (b"a FETCH  UID".to_vec(), "a BAD"),
        (b"a FETCH 1,,1 UID".to_vec(), "a BAD"),
        (b"a FETCH 1 BODY[]<4294967295.4294967295>".to_vec(), "a OK"),
        (
            b"a FETCH 1 BODY[]<18446744073709551615.1>".to_vec(),
            "a BAD",
        ),
        (b"a STORE 1 FLAGS (\\Recent)".to_vec(), "a BAD"),
        (b"a STORE 1 +FLAGS \\Recent".to_vec(), "a BAD"),
        (b"a SEARCH 4294967295".to_vec(), "a OK"),
        (b"a SEARCH LARGER 99999999999999999999".to_vec(), "a BAD"),
        (long("a SEARCH ", "(", 3000, "ALL"), "a BAD"),
        (long("a SEARCH ", "NOT ", 10_000, "ALL"), "a BAD"),
        (long("a SEARCH ", "OR ALL ", 9000, "ALL"), "a BAD"),
        (long("a SEARCH ", "{1+}\r\na ", 300, ""), "a BAD"),
        (long("a FETCH 1 ", "(", 3000, "FLAGS"), "a BAD"),
        (long("a LIST \"\" ", "(", 3000, ""), "a BAD"),
        (long("a LIST \"\" \"", "%*", 2500, "x\""), "a OK"),
        (long("a CREATE \"", "a/", 500, "\""), "a NO"),
        (b"a SELECT \"a\0b\"".to_vec(), "a BAD"),
        (b"a SELECT \"\xff\"".to_vec(), "a NO"),
        (long("a ", "x", 80_000, ""), "a BAD"),
        (long("a NOOP {2000000+}\r\n", "x", 2_000_000, ""), "a BAD"),
        (b"a APPEND INBOX {99999999999999999999}".to_vec(), "a NO"),
        (b"a APPEND none {5+}\r\nhello".to_vec(), "a NO [TRYCREATE]"),
        (b"a LOGIN u x".to_vec(), "a BAD"),
        (b"a STARTTLS".to_vec(), "a BAD"),
        // What ends an IDLE without a DONE is answered for the IDLE.
        (b"a IDLE\r\nb NOOP".to_vec(), "a BAD"),
        (long("a IDLE\r\nb ", "x", 100_000, ""), "a BAD"),
        (
            b"a IDLE\r\nDONE\r\nb IDLE\r\ndone\r\nc NOOP".to_vec(),
            "c OK",
        ),
    ];
    for (input, expected) in &after {
        let got = answer(&roost, false, SELECTED, input);
        check(input, &got, expected);
    }
    watcher.ok("NOOP").unwrap();
    unharmed(&roost, &pids);
}

fn check(input: &[u8], got: &str, expected: &str) {
    let shown = String::from_utf8_lossy(&input[..input.len().min(60)]);
    let begin = got.lines().find(|l| l.starts_with(expected));
    assert!(begin.is_some(), "{shown}: {got:.300}");
    assert!(got.contains("last OK"), "{shown}: {got:.300}");
}

#[test]
fn more_than_can_be_read_away_ends_the_connection() {
    let roost = start(&[]);
    let pids = processes(&roost);
    let huge = [b"a ", &b"x".repeat(1 << 20)[..]].concat();
    for input in [&huge[..], b"a LOGIN {4294967296+}\r\n"] {
        for with_tls in [false, true] {
            let got = answer(&roost, with_tls, b"", input);
            assert!(
                got.contains("* BYE") && !got.contains("last OK"),
                "{got:.300}"
            );
        }
    }
    let got = answer(&roost, false, b"", &b"x\r\n".repeat(100));
    assert!(
        got.contains("* BYE Too many invalid commands"),
        "{got:.300}"
    );
    unharmed(&roost, &pids);
}

#[test]
fn what_is_sent_behind_a_login_is_done_in_its_order() {
    let roost = start(&[]);
    for with_tls in [false, true] {
        let mut wire = wire(&roost, with_tls);
        let all = b"a LOGIN {1+}\r\nu {10+}\r\nroost-test\r\nb SELECT INBOX\r\n\
                    c IDLE\r\nDONE\r\nd CREATE x\r\ne DELETE x\r\nf LOGOUT\r\n";
        wire.write_all(all).unwrap();
        let got = read_until(&mut *wire, b"f OK");
        let got = String::from_utf8_lossy(&got).into_owned();
        let tagged: Vec<_> = got
            .lines()
            .filter(|l| !l.starts_with(['*', '+']))
            .map(|l| l.get(..4).unwrap_or(l))
            .collect();
        assert_eq!(
            tagged,
            ["a OK", "b OK", "c OK", "d OK", "e OK", "f OK"],
            "{got}"
        );
        // Nothing but the logout's end comes before login either.
        assert!(answer(&roost, with_tls, b"", b"a LOGOUT").contains("a OK"));
    }
}
