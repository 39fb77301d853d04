//! APPEND through the framer.

use super::*;
use crate::command::{Encrypted, Replaced};
use roost_types::{SetBound, SystemFlags, UnixTime};

fn start(mailbox: &str, message: AppendMessage) -> Frame {
    Frame::AppendStart(Box::new(AppendStart {
        tag: tag("a").unwrap(),
        replaced: None,
        mailbox: mailbox.as_bytes().to_vec(),
        encrypted: None,
        message,
    }))
}

fn message(size: u64, sync: bool) -> AppendMessage {
    AppendMessage {
        flags: Default::default(),
        date: None,
        size,
        sync,
        literal8: false,
    }
}

#[test]
fn messages_stream() {
    let mut first = message(5, true);
    first.flags.system = SystemFlags::SEEN;
    first.date = Some(UnixTime(0));
    let mut second = message(3, false);
    second.literal8 = true;
    assert_eq!(
        frames(
            small(),
            b"a APPEND box (\\Seen) \" 1-Jan-1970 00:00:00 +0000\" {5}\r\n1\r\n45 ~{3+}\r\nx\0z\r\nb NOOP\r\n"
        ),
        [
            start("box", first),
            data("1\r\n45"),
            Frame::AppendNext(second),
            data("x\0z"),
            Frame::AppendEnd,
            command("b NOOP"),
        ]
    );
}

#[test]
fn a_mailbox_name_in_a_literal_is_no_message() {
    assert_eq!(
        frames(small(), b"a append {3}\r\nbox {2+}\r\nhi\r\n"),
        [
            Frame::NeedContinuation,
            start("box", message(2, false)),
            data("hi"),
            Frame::AppendEnd,
        ]
    );
    assert_eq!(
        frames(small(), b"a APPEND {60}\r\n"),
        [too_long("a")],
        "it counts as any other literal"
    );
}

#[test]
fn an_empty_message_has_no_data() {
    assert_eq!(
        frames(small(), b"a APPEND box {0+}\r\n\r\n"),
        [start("box", message(0, false)), Frame::AppendEnd]
    );
}

#[test]
fn refused_messages_are_read_away() {
    let body = "b NOOP\r\n".repeat(4);
    assert_eq!(
        frames(
            small(),
            format!("a APPEND box {{32+}}\r\n{body} {{8+}}\r\nc NOOP\r\n\r\nd NOOP\r\n").as_bytes()
        ),
        [
            start("box", message(32, false)),
            Frame::AppendEnd,
            command("d NOOP")
        ]
    );
    assert_eq!(
        frames(small(), b"a APPEND box {32}\r\nb NOOP\r\n"),
        [
            start("box", message(32, true)),
            Frame::AppendEnd,
            command("b NOOP")
        ]
    );
    assert!(matches!(
        frames(small(), b"a APPEND box {301+}\r\nb NOOP\r\n")[..],
        [Frame::AppendStart(_), Frame::Fatal { .. }]
    ));
}

#[test]
fn an_append_can_be_given_up_in_the_middle() {
    let mut framer = Framer::new(small());
    framer.push(b"a APPEND box {10+}\r\n01234");
    assert!(matches!(framer.next_frame(), Some(Frame::AppendStart(_))));
    assert_eq!(framer.next_frame(), None, "waits for the decision");
    framer.accept_append();
    assert_eq!(framer.next_frame(), Some(data("01234")));
    framer.refuse_append();
    assert_eq!(framer.next_frame(), None);
    framer.push(b"b NOO\r\nb NOOP\r\n");
    assert_eq!(framer.next_frame(), Some(Frame::AppendEnd));
    assert_eq!(framer.next_frame(), Some(command("b NOOP")));

    // Behind the message, with its line end not yet here.
    framer.push(b"c APPEND box {1+}\r\nx");
    assert!(matches!(framer.next_frame(), Some(Frame::AppendStart(_))));
    framer.accept_append();
    assert_eq!(framer.next_frame(), Some(data("x")));
    assert_eq!(framer.next_frame(), None);
    framer.refuse_append();
    framer.push(b" {2+}\r\nxx\r\nd NOOP\r\n");
    assert_eq!(framer.next_frame(), Some(Frame::AppendEnd));
    assert_eq!(framer.next_frame(), Some(command("d NOOP")));
}

#[test]
fn appends_that_cannot_be() {
    // The message of an APPEND with unknown arguments is read away too.
    assert_eq!(
        frames(
            small(),
            b"a APPEND box UTF8 (~{8+}\r\nb NOOP\r\n)\r\nc NOOP\r\n"
        ),
        [bad("a", "Unknown APPEND argument"), command("c NOOP")]
    );
    assert_eq!(
        frames(small(), b"a APPEND box {1+}\r\nx y\r\nc NOOP\r\n"),
        [
            start("box", message(1, false)),
            data("x"),
            bad("a", "Unexpected text behind the message"),
            command("c NOOP")
        ]
    );
    assert_eq!(
        frames(
            small(),
            b"a APPEND box {1+}\r\nx y {4+}\r\na b\n\r\nc NOOP\r\n"
        ),
        [
            start("box", message(1, false)),
            data("x"),
            bad("a", "Unknown APPEND argument"),
            command("c NOOP")
        ]
    );
    let long = format!("a APPEND box {{1+}}\r\nx {}\r\nc NOOP\r\n", "y".repeat(100));
    assert_eq!(
        frames(small(), long.as_bytes())[2..],
        [too_long("a"), command("c NOOP")]
    );
    // Without a literal it is a command like others, for the parser to refuse.
    assert_eq!(
        frames(small(), b"a APPEND box\r\n"),
        [command("a APPEND box")]
    );
}

#[test]
fn the_number_of_messages_is_limited() {
    let text = |n: usize| format!("a APPEND box{}\r\nc NOOP\r\n", " {1+}\r\nx".repeat(n));
    let seen = frames(small(), text(2).as_bytes());
    assert_eq!(seen[4..], [Frame::AppendEnd, command("c NOOP")]);
    let seen = frames(small(), text(3).as_bytes());
    assert_eq!(
        seen[4..],
        [
            bad("a", "Too many messages in one command"),
            command("c NOOP")
        ]
    );
}

#[test]
fn no_append_before_login() {
    let limits = Limits {
        append_messages: 0,
        ..small()
    };
    assert_eq!(
        frames(limits, b"a  append box {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n"),
        [bad("a", "APPEND is not allowed now"), command("c NOOP")]
    );
}

#[test]
fn a_literal_may_be_a_certificate() {
    let Frame::AppendStart(mut first) = start("box", message(2, false)) else {
        panic!("no start");
    };
    first.encrypted = Some(Encrypted::Certificate(b"abc".to_vec()));
    assert_eq!(
        frames(
            small(),
            b"a APPEND {3}\r\nbox ENCRYPTED {4}\r\nYWJj {2+}\r\nhi\r\n"
        ),
        [
            Frame::NeedContinuation,
            Frame::NeedContinuation,
            Frame::AppendStart(first),
            data("hi"),
            Frame::AppendEnd,
        ]
    );
    assert_eq!(
        frames(
            small(),
            b"a APPEND box ENCRYPTED !! {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n"
        ),
        [
            bad("a", "Certificate is not valid base64"),
            command("c NOOP")
        ]
    );
}

#[test]
fn replace_has_one_message() {
    let replace = |uid, mailbox: &str, message| {
        let Frame::AppendStart(mut start) = start(mailbox, message) else {
            panic!("no start");
        };
        let number = SetBound::Number(4.try_into().unwrap());
        start.replaced = Some(Replaced {
            uid,
            message: number,
        });
        Frame::AppendStart(start)
    };
    assert_eq!(
        frames(
            small(),
            b"a replace 4 box {2+}\r\nhi\r\na  UID  REPLACE 4 {3+}\r\nbox {2}\r\nhi\r\n"
        ),
        [
            replace(false, "box", message(2, false)),
            data("hi"),
            Frame::AppendEnd,
            replace(true, "box", message(2, true)),
            data("hi"),
            Frame::AppendEnd,
        ]
    );
    assert_eq!(
        frames(
            small(),
            b"a REPLACE 4 box {1+}\r\nx {1+}\r\ny\r\nc NOOP\r\n"
        )[2..],
        [
            bad("a", "Too many messages in one command"),
            command("c NOOP")
        ]
    );
    // Its literals are no messages where it is another command's word.
    assert_eq!(
        frames(small(), b"a UID REPLACER {2+}\r\nhi\r\n"),
        [command("a UID REPLACER {2+}\r\nhi")]
    );
    assert_eq!(
        frames(
            small(),
            b"a REPLACE 1:2 box {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n"
        ),
        [bad("a", "Argument missing"), command("c NOOP")]
    );
}
