//! MAILBOXID, EMAILID and THREADID (RFC 8474), SAVEDATE (RFC 8514) and
//! APPENDLIMIT (RFC 7889).

use super::{Client, Site};
use crate::Settings;

/// What stands in parentheses behind `name`.
fn id(answer: &str, name: &str) -> String {
    let start = format!("{name} (");
    let (_, rest) = answer.split_once(&start).expect(answer);
    let (id, _) = rest.split_once(')').expect(answer);
    assert_eq!(id.len(), 32, "{answer}");
    id.into()
}

fn email_ids(client: &mut Client) -> Vec<String> {
    let answer = client.say("a UID FETCH 1:* (EMAILID)");
    let lines = answer.lines().filter(|l| l.starts_with("* "));
    lines.map(|line| id(line, "EMAILID")).collect()
}

#[test]
fn a_mailbox_keeps_its_identity() {
    let site = Site::new();
    let mut client = site.client();
    let created = id(&client.say("a CREATE x"), "MAILBOXID");
    let other = id(&client.say("a CREATE y"), "MAILBOXID");
    assert_ne!(created, other);
    assert_eq!(id(&client.say("a SELECT x"), "MAILBOXID"), created);
    assert_eq!(id(&client.say("a EXAMINE x"), "MAILBOXID"), created);
    client.say("a RENAME x z/w");
    client.expect(
        "a STATUS z/w (MAILBOXID)",
        &[
            &format!("* STATUS z/w (MAILBOXID ({created}))"),
            "a OK Status completed",
        ],
    );
    let listed = client.say("a LIST \"\" z/% RETURN (STATUS (MAILBOXID))");
    assert_eq!(id(&listed, "MAILBOXID"), created);
    let again = id(&client.say("a CREATE x"), "MAILBOXID");
    assert_ne!(again, created);
    client.expect("a CREATE d/", &["a OK Create completed"]);
}

#[test]
fn a_message_keeps_its_identity() {
    let site = Site::new();
    let mut client = site.client();
    client.fill("INBOX", 2);
    client.say("a CREATE x");
    client.say("a CREATE y");
    client.say("a SELECT INBOX");
    let ids = email_ids(&mut client);
    assert_ne!(ids[0], ids[1]);
    client.expect(
        "a FETCH 2 (THREADID EMAILID)",
        &[
            &format!("* 2 FETCH (THREADID NIL EMAILID ({}))", ids[1]),
            "a OK Fetch completed",
        ],
    );
    client.say("a COPY 1 x");
    client.say("a MOVE 1:2 y");
    client.say("a SELECT x");
    assert_eq!(email_ids(&mut client), ids[..1]);
    client.say("a SELECT y");
    assert_eq!(email_ids(&mut client), ids);
    // A copy of a copy.
    client.say("a COPY 1 INBOX");
    client.say("a SELECT INBOX");
    assert_eq!(email_ids(&mut client), ids[..1]);
}

#[test]
fn messages_are_found_by_identity() {
    let site = Site::new();
    let mut client = site.client();
    client.fill("INBOX", 3);
    client.say("a SELECT INBOX");
    let ids = email_ids(&mut client);
    let mut search = |keys: &str| {
        let answer = client.say(&format!("a SEARCH {keys}"));
        let line = answer.split("\r\n").next().map(str::to_owned);
        line.unwrap_or_default()
    };
    assert_eq!(search(&format!("EMAILID {}", ids[1])), "* SEARCH 2");
    assert_eq!(search(&format!("NOT EMAILID {}", ids[1])), "* SEARCH 1 3");
    let capitals = ids[1]
        .to_uppercase()
        .replace(|c: char| c.is_ascii_digit(), "F");
    assert_eq!(search(&format!("EMAILID {capitals}")), "* SEARCH");
    assert_eq!(search("EMAILID M6d99ac3275bb4e"), "* SEARCH");
    assert_eq!(search("THREADID T64b478a75b7ea9"), "* SEARCH");
    assert_eq!(search("NOT THREADID T64b478a75b7ea9"), "* SEARCH 1 2 3");
    assert!(search("EMAILID").starts_with("a BAD "));
    assert!(search("EMAILID a.b").starts_with("a BAD "));
    let long = "x".repeat(256);
    assert!(search(&format!("THREADID {long}")).starts_with("a BAD "));
    assert_eq!(search(&format!("THREADID {}", &long[1..])), "* SEARCH");
}

#[test]
fn a_copy_has_a_save_date_of_its_own() {
    let site = Site::new();
    let mut client = site.client();
    client.say("a APPEND INBOX \" 7-Feb-1994 22:43:04 -0800\" {1+}\r\nx");
    client.say("a SELECT INBOX");
    let answer = client.say("a FETCH 1 (SAVEDATE)");
    let (_, date) = answer.split_once("SAVEDATE \"").expect(&answer);
    assert!(!date.contains("1994"), "{answer}");
    assert!(date.contains(" +0000\")"), "{answer}");
}

#[test]
fn the_largest_message_is_announced() {
    let with = |max_message_size| {
        Site::with(Settings {
            max_message_size,
            ..Settings::default()
        })
    };
    let site = with(257_890);
    let mut client = site.client();
    let answer = client.say("a CAPABILITY");
    assert!(answer.contains(" APPENDLIMIT=257890"), "{answer}");
    client.expect(
        "a STATUS INBOX (APPENDLIMIT)",
        &[
            "* STATUS INBOX (APPENDLIMIT 257890)",
            "a OK Status completed",
        ],
    );
    for size in [0, 1 << 40] {
        let site = with(size);
        let mut client = site.client();
        let answer = client.say("a CAPABILITY");
        assert!(answer.contains(" APPENDLIMIT\r\n"), "{answer}");
        client.expect(
            "a STATUS INBOX (APPENDLIMIT)",
            &["* STATUS INBOX (APPENDLIMIT NIL)", "a OK Status completed"],
        );
    }
}
