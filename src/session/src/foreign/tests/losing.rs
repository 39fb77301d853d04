//! Links that are lost.

use super::World;
use std::time::{Duration, Instant};

const LOST: &str = "NO [UNAVAILABLE] Connection to the other account was lost";

#[test]
fn a_mailbox_that_is_as_it_was_is_gone_on_with() {
    let world = World::new();
    world.bob.client().fill("INBOX", 3);
    let mut client = world.client();
    client.say("a SELECT ~bob/INBOX");
    client.break_links();
    client.expect("b NOOP", &["b OK NOOP completed"]);
    client.break_links();
    client.expect(
        "c FETCH 3 UID",
        &["* 3 FETCH (UID 3)", "c OK Fetch completed"],
    );
    // What has come meanwhile is told.
    client.break_links();
    world.bob.client().fill("INBOX", 1);
    let answer = client.say("d FETCH 4 UID");
    assert!(answer.starts_with("* 4 EXISTS\r\n"), "{answer}");
    assert!(
        answer.ends_with("* 4 FETCH (UID 4)\r\nd OK Fetch completed\r\n"),
        "{answer}"
    );
    // In IDLE it is told at the end.
    client.expect("e IDLE", &["+ idling"]);
    client.break_links();
    client.expect("DONE", &[&format!("e {LOST}")]);
    client.expect(
        "f UID SEARCH ALL",
        &["* SEARCH 1 2 3 4", "f OK Search completed"],
    );
    let answer = client.say("g COPY 2 INBOX");
    assert!(answer.contains(" 2 1]"), "{answer}");
    client.break_links();
    let answer = client.say("h COPY 3 INBOX");
    assert!(
        answer.contains("h OK [COPYUID ") && answer.contains(" 3 2]"),
        "{answer}"
    );
}

#[test]
fn numbers_that_may_be_wrong_are_not_used() {
    let world = World::new();
    let mut owner = world.bob.client();
    owner.fill("INBOX", 3);
    let mut client = world.client();
    client.say("a SELECT ~bob/INBOX");
    client.break_links();
    owner.say("a SELECT INBOX");
    owner.say("b STORE 1 +FLAGS (\\Deleted)");
    owner.say("c EXPUNGE");
    client.expect(
        "b STORE 2 +FLAGS (\\Deleted)",
        &[
            "* OK [CLOSED] ...",
            "b NO [UNAVAILABLE] Mailbox has to be selected again",
        ],
    );
    client.expect("c FETCH 1 UID", &["c BAD No mailbox selected"]);
    let selected = client.say("d SELECT ~bob/INBOX");
    assert!(
        selected.starts_with("* FLAGS") && selected.contains("* 2 EXISTS"),
        "{selected}"
    );
    // As many as before are others than before.
    client.break_links();
    owner.say("d STORE 1 +FLAGS (\\Deleted)");
    owner.say("e EXPUNGE");
    owner.fill("INBOX", 1);
    client.expect(
        "e FETCH 1 UID",
        &["* OK [CLOSED] ...", "e NO [UNAVAILABLE] ..."],
    );
}

#[test]
fn what_has_gone_meanwhile_is_told() {
    let world = World::new();
    let mut owner = world.bob.client();
    owner.fill("INBOX", 4);
    let mut client = world.client();
    client.say("a SELECT ~bob/INBOX");
    // Messages that came after that, and one that went.
    owner.say("a SELECT INBOX");
    owner.fill("INBOX", 2);
    owner.say("b UID STORE 2 +FLAGS (\\Deleted)");
    owner.say("c EXPUNGE");
    let heard = client.say("b NOOP");
    assert!(heard.contains("* 6 EXISTS\r\n"), "{heard}");
    assert!(heard.contains("* 2 EXPUNGE\r\n"), "{heard}");
    assert!(!heard.contains("X-ROOST"), "{heard}");
    client.break_links();
    client.expect(
        "c FETCH 5 UID",
        &["* 5 FETCH (UID 6)", "c OK Fetch completed"],
    );
    client.break_links();
    owner.say("d UID STORE 1,3,5 +FLAGS (\\Deleted)");
    owner.say("e EXPUNGE");
    owner.fill("INBOX", 1);
    let heard = client.say("d NOOP");
    let gone = "* 4 EXPUNGE\r\n* 2 EXPUNGE\r\n* 1 EXPUNGE\r\n* 3 EXISTS\r\n";
    assert!(heard.starts_with(gone), "{heard}");
    assert!(heard.ends_with("d OK NOOP completed\r\n"), "{heard}");
    client.expect(
        "e UID SEARCH ALL",
        &["* SEARCH 4 6 7", "e OK Search completed"],
    );
    // Numbers in a command mean what they meant when it was sent.
    client.break_links();
    owner.say("f UID STORE 4 +FLAGS (\\Deleted)");
    owner.say("g EXPUNGE");
    client.expect(
        "f FETCH 1 UID",
        &["* OK [CLOSED] ...", "f NO [UNAVAILABLE] ..."],
    );
    // A client of QRESYNC is told by UID.
    let mut client = world.client();
    client.say("a ENABLE QRESYNC");
    client.say("b SELECT ~bob/INBOX");
    client.break_links();
    owner.say("h UID STORE 6 +FLAGS (\\Deleted)");
    owner.say("i EXPUNGE");
    let heard = client.say("c UID FETCH 7 UID");
    assert!(heard.starts_with("* VANISHED 6\r\n"), "{heard}");
    assert!(heard.contains("* 1 FETCH (UID 7)"), "{heard}");
}

/// As many as before, for one came back into view where another went.
#[test]
fn what_comes_back_into_view_does_not_stand_for_what_went() {
    let world = World::new();
    let mut owner = world.bob.client();
    owner.say("a ENABLE X-ROOST-SHOWALL");
    owner.fill("INBOX", 4);
    owner.say("b SELECT INBOX");
    owner.say("c UID STORE 3 +FLAGS ($Service)");
    for (command, lost) in [("FETCH 1 UID", 1), ("NOOP", 2)] {
        let mut client = world.client();
        let selected = client.say("a SELECT ~bob/INBOX");
        let shown = if lost == 1 {
            "* 3 EXISTS"
        } else {
            "* 2 EXISTS"
        };
        assert!(selected.contains(shown), "{selected}");
        client.break_links();
        owner.say("d UID STORE 3 -FLAGS ($Service)");
        owner.say(&format!("e UID STORE {lost} +FLAGS (\\Deleted)"));
        owner.say("f EXPUNGE");
        client.expect(
            &format!("b {command}"),
            &["* OK [CLOSED] ...", "b NO [UNAVAILABLE] ..."],
        );
        owner.say("g UID STORE 3 +FLAGS ($Service)");
    }
}

/// Wherever the link breaks: the client gets an answer, and the next command
/// works.
#[test]
fn at_every_point() {
    for command in [
        "FETCH 1:2 (UID BODY.PEEK[])",
        "COPY 1:2 INBOX",
        "MOVE 1:2 INBOX",
        "COPY 1:2 ~carol/INBOX",
        "STATUS ~bob/INBOX (MESSAGES)",
        "APPEND ~bob/INBOX {5+}\r\nhello",
        "LIST \"\" \"~*\"",
    ] {
        let mut point = 1;
        loop {
            let world = World::new();
            world.bob.client().fill("INBOX", 2);
            let mut client = world.client();
            client.say("a SELECT ~bob/INBOX");
            client.breaks_after = Some(point);
            let answer = client.say(&format!("b {command}"));
            let through = client.breaks_after.is_some();
            client.breaks_after = None;
            let ended = matches!(client.progress, crate::Progress::End(_));
            assert!(
                ended
                    || answer
                        .lines()
                        .any(|l| l.starts_with("b OK") || l.starts_with("b NO [")),
                "{command} {point}: {answer}"
            );
            // Nothing is lost.
            let count = |site: &crate::tests::Site| {
                let said = site.client().say("a STATUS INBOX (MESSAGES)");
                let at = said.find("MESSAGES ").unwrap() + 9;
                said[at..at + 1].parse::<u32>().unwrap()
            };
            let (own, there) = (count(&world.alice), count(&world.bob));
            assert!(own + there >= 2, "{command} {point}: {own} {there}");
            // Nor will it be when somebody expunges there.
            let marked = world.bob.client().say("a STATUS INBOX (DELETED)");
            let marked = !marked.contains("(DELETED 0)");
            assert!(own == 2 || !marked, "{command} {point}: {answer}");
            if own == 2 && !command.starts_with("COPY") && !ended {
                assert!(answer.contains("[COPYUID "), "{command} {point}: {answer}");
            }
            if command.starts_with("COPY 1:2 INBOX") {
                assert!(
                    own == 2 || own == 0 && !answer.contains("b OK"),
                    "{point}: {answer}"
                );
            }
            if !ended {
                let next = client.say("c NOOP");
                assert!(
                    next.contains("c OK") || next.contains("c NO [UNAVAILABLE]"),
                    "{command} {point}: {next}"
                );
                let after = client.say("d STATUS ~bob/INBOX (MESSAGES)");
                assert!(after.contains("d OK"), "{command} {point}: {after}");
            }
            if through {
                break;
            }
            point += 19;
        }
    }
}

#[test]
fn links_that_are_not_used_go_in_idle_too() {
    let world = World::new();
    let mut client = world.client();
    client.say("a SELECT ~bob/INBOX");
    client.say("b STATUS ~carol/INBOX (MESSAGES)");
    let now = Instant::now();
    for waits in ["c NOOP", "d IDLE"] {
        client.say(waits);
        let again = client.session.rest(now);
        assert!(again.is_some_and(|at| at > now), "{waits}");
        assert!(client.session.closed_links().is_empty());
    }
    // The selected mailbox stays.
    let later = now + Duration::from_secs(3600);
    assert_eq!(client.session.rest(later), None);
    assert_eq!(client.session.closed_links().len(), 1);
    client.expect("DONE", &["d OK ..."]);
    client.expect("e FETCH 1 FLAGS", &["e BAD ..."]);
    // Nor does any stay where an own one is selected.
    client.say("f SELECT INBOX");
    client.say("g IDLE");
    assert_eq!(client.session.rest(later), None);
    assert_eq!(client.session.closed_links().len(), 1);
    client.expect("DONE", &["g OK ..."]);
}
