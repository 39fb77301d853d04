//! States, errors, and the small commands.

use super::{Client, Site};
use crate::Settings;
use crate::{End, Progress};

#[test]
fn capabilities_are_those_of_the_greeting() {
    let site = Site::new();
    let mut client = site.client();
    let mut greeting = Vec::new();
    let tag = roost_imap::Tag::new(b"login").unwrap();
    client.session.greet(&tag, &mut greeting);
    let greeting = String::from_utf8(greeting).unwrap();
    let answer = client.say("a CAPABILITY");
    let list = answer
        .strip_prefix("* CAPABILITY ")
        .and_then(|a| a.split("\r\n").next())
        .unwrap();
    assert_eq!(
        greeting,
        format!("login OK [CAPABILITY {list}] Logged in\r\n")
    );
}

#[test]
fn commands_out_of_place() {
    let site = Site::new();
    let mut client = site.client();
    client.expect("a LOGIN x y", &["a BAD Already authenticated"]);
    client.expect("a STARTTLS", &["a BAD Already authenticated"]);
    client.expect("a CLOSE", &["a BAD No mailbox selected"]);
    client.expect("a STORE 1 +FLAGS (x)", &["a BAD No mailbox selected"]);
    client.expect("a NOOP", &["a OK NOOP completed"]);
    client.expect("a XYZZY", &["a BAD ..."]);
}

#[test]
fn enable_answers_with_what_is_enabled() {
    let site = Site::new();
    let mut client = site.client();
    client.expect("a ENABLE UTF8=ACCEPT", &["* ENABLED", "a OK Enabled"]);
    assert!(!client.session.rev2());
    client.expect(
        "a ENABLE CONDSTORE imap4REV2",
        &["* ENABLED IMAP4rev2 CONDSTORE", "a OK Enabled"],
    );
    assert!(client.session.rev2());
}

#[test]
fn id_and_namespace() {
    let site = Site::new();
    site.client().expect(
        "a ID (\"name\" \"x\")",
        &[
            "* ID (\"name\" \"Roost\" \"version\" ...",
            "a OK ID completed",
        ],
    );
    site.client().expect(
        "a NAMESPACE",
        &[
            "* NAMESPACE ((\"\" \"/\")) ((\"~\" \"/\")) NIL",
            "a OK Namespace completed",
        ],
    );
    Site::courier().client().expect(
        "a NAMESPACE",
        &[
            "* NAMESPACE ((\"INBOX.\" \".\")) ((\"~\" \".\")) NIL",
            "a OK Namespace completed",
        ],
    );
}

#[test]
fn logout_ends_the_session() {
    let site = Site::new();
    let mut client = site.client();
    client.expect("a LOGOUT", &["* BYE Logging out", "a OK Logout completed"]);
    assert_eq!(client.progress, Progress::End(End::Logout));
}

#[test]
fn too_many_bad_commands_in_a_row() {
    let settings = Settings {
        max_bad_commands: 3,
        ..Settings::default()
    };
    let site = Site::with(settings);
    let mut client = site.client();
    let bad = |client: &mut Client| client.say("a XYZZY");
    bad(&mut client);
    bad(&mut client);
    client.expect("a NOOP", &["a OK NOOP completed"]);
    bad(&mut client);
    bad(&mut client);
    let last = bad(&mut client);
    assert!(
        last.ends_with("* BYE Too many invalid commands\r\n"),
        "{last}"
    );
    assert_eq!(client.progress, Progress::End(End::Protocol));
}

#[test]
fn pipelined_commands_run_in_order() {
    let site = Site::new();
    let mut client = site.client();
    let got = client.send(b"a CREATE x/\r\nb SELECT INBOX\r\nc IDLE\r\nDONE\r\nd CLOSE\r\n");
    let tagged: Vec<&str> = got
        .split_terminator("\r\n")
        .filter(|l| !l.starts_with('*'))
        .collect();
    assert_eq!(
        tagged,
        [
            "a OK Create completed",
            "b OK [READ-WRITE] Select completed",
            "+ idling",
            "c OK Idle completed",
            "d OK Close completed",
        ]
    );
}

#[test]
fn idle_without_a_mailbox_and_with_other_words_than_done() {
    let site = Site::new();
    let mut client = site.client();
    client.expect("a IDLE", &["+ idling"]);
    assert_eq!(client.progress, Progress::Idle);
    assert!(client.session.watch().is_none());
    client.expect("done", &["a OK Idle completed"]);
    client.expect("a IDLE", &["+ idling"]);
    assert!(client.say("b NOOP").contains(" BAD "));
    client.expect("c NOOP", &["c OK NOOP completed"]);
}
