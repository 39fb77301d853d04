//! APPEND and MULTIAPPEND.

use super::Site;
use crate::{Progress, Settings};

#[test]
fn a_message_goes_into_the_selected_mailbox() {
    let site = Site::new();
    let mut client = site.client();
    client.say("a SELECT INBOX");
    client.expect(
        "a APPEND INBOX (\\Seen $x) \" 7-Feb-1994 22:43:04 -0800\" {9}",
        &["+ OK"],
    );
    client.expect(
        "A: b\r\n\r\nc",
        &[
            "* FLAGS (...",
            "* OK [PERMANENTFLAGS (...",
            "* 1 EXISTS",
            "* 1 RECENT",
            "a OK [APPENDUID ...",
        ],
    );
}

#[test]
fn a_missing_mailbox_is_told_before_the_message_is_sent() {
    let site = Site::new();
    let mut client = site.client();
    client.expect("a APPEND nope {5}", &["a NO [TRYCREATE] No such mailbox"]);
    client.expect(
        "a APPEND nope {5+}\r\nhello",
        &["a NO [TRYCREATE] No such mailbox"],
    );
    client.expect("b NOOP", &["b OK NOOP completed"]);
}

#[test]
fn several_messages_or_none() {
    let site = Site::new();
    let mut client = site.client();
    let two = client.say("a APPEND INBOX {1+}\r\nx (\\Flagged) {1+}\r\ny");
    assert!(two.ends_with(" 1:2] Append completed\r\n"), "{two}");
    client.expect(
        "a APPEND INBOX {1+}\r\nx {0+}\r\n",
        &["a NO Append cancelled: empty message"],
    );
    client.expect(
        "a STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 2)", "a OK Status completed"],
    );
    assert!(
        client
            .say("a APPEND INBOX {1+}\r\nx garbage")
            .contains("a BAD ")
    );
    client.expect(
        "a STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 2)", "a OK Status completed"],
    );
}

#[test]
fn messages_have_a_largest_size() {
    let settings = Settings {
        max_message_size: 10,
        ..Settings::default()
    };
    let site = Site::with(settings);
    site.client().expect(
        "a APPEND INBOX {11}",
        &["a NO [TOOBIG] Message is too large"],
    );
    let mut client = site.client_rev2();
    client.expect(
        "a APPEND INBOX {11}",
        &["a NO [TOOBIG] Message is too large"],
    );
    client.expect(
        "a APPEND INBOX {11+}\r\n12345678901",
        &["a NO [TOOBIG] Message is too large"],
    );
    client.expect(
        "a APPEND INBOX {10+}\r\n1234567890",
        &["a OK [APPENDUID ..."],
    );
}

#[test]
fn binary_literals_keep_their_octets_or_are_refused() {
    let site = Site::new();
    let mut client = site.client();
    client.expect(
        "a APPEND INBOX ~{10+}\r\nA: b\r\n\r\nc\0",
        &["a OK [APPENDUID ..."],
    );
    client.expect("a APPEND INBOX ~{3+}\r\na\nb", &["a NO [UNKNOWN-CTE] ..."]);
}

#[test]
fn many_messages_that_come_in_steps_are_all_there_or_none() {
    let site = Site::new();
    for goes in [false, true] {
        let mut client = site.client();
        let five = "{6+}\r\na: b\r\n ".repeat(5);
        let append = format!("a APPEND INBOX {}\r\n", five.trim_end_matches(' '));
        client.framer.push(append.as_bytes());
        let mut out = Vec::new();
        while let Some(frame) = client.framer.next_frame() {
            client.progress = client.session.take(frame, &mut out);
            if client.progress == Progress::AcceptAppend {
                client.framer.accept_append();
            }
        }
        client.progress = client.session.step(&mut out);
        assert_eq!(client.progress, Progress::More);
        let count = |wanted: &str| {
            let status = site.client().say("s STATUS INBOX (MESSAGES)");
            assert!(status.contains(&format!("(MESSAGES {wanted})")), "{status}");
        };
        count("2");
        if goes {
            drop(client);
        } else {
            let temporary = site.dir.path().join("Maildir/tmp");
            for file in std::fs::read_dir(temporary).unwrap() {
                std::fs::remove_file(file.unwrap().path()).unwrap();
            }
            let answer = client.send(b"");
            assert!(answer.starts_with("a NO "), "{answer}");
        }
        count("0");
    }
}
