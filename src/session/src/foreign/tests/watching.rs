//! NOTIFY of mailboxes of other accounts.

use super::{World, share};
use crate::Progress;
use crate::link::LinkError;
use crate::tests::compare;

const MESSAGES: &str = "(MessageNew MessageExpunge FlagChange)";

/// bob has Team and Other, carol has INBOX; alice has a message.
fn world() -> World {
    let world = World::new();
    share(&world.bob, "Team");
    share(&world.bob, "Other");
    world.alice.client().fill("INBOX", 1);
    world
}

#[test]
fn mailboxes_that_are_named() {
    let world = world();
    let mut client = world.client();
    client.expect(
        &format!("a NOTIFY SET STATUS (mailboxes (~bob/Team ~nobody/x ~bob INBOX) {MESSAGES}) (subtree ~carol {MESSAGES})"),
        &[
            "* STATUS ~bob/Team (MESSAGES 0 UIDNEXT 1 UIDVALIDITY ...",
            "* STATUS ~carol/INBOX (MESSAGES 0 ...",
            "* STATUS INBOX (MESSAGES 1 ...",
            "a OK Notify completed",
        ],
    );
    world.bob.client().fill("Team", 1);
    world.bob.client().fill("Other", 1);
    world.carol.client().fill("INBOX", 2);
    compare(
        "push",
        &client.wake(),
        &[
            "* STATUS ~bob/Team (MESSAGES 1 UIDNEXT 2 ...",
            "* STATUS ~carol/INBOX (MESSAGES 2 UIDNEXT 3 ...",
        ],
    );
    assert_eq!(client.wake(), "");
    // In IDLE, and beside other commands to the same account.
    client.expect(
        "b STATUS ~bob/Other (MESSAGES)",
        &["* STATUS ~bob/Other (MESSAGES 1)", "b OK Status completed"],
    );
    client.say("c IDLE");
    world.bob.client().fill("Team", 1);
    compare(
        "idle",
        &client.wake(),
        &["* STATUS ~bob/Team (MESSAGES 2 ..."],
    );
    client.expect("DONE", &["c OK Idle completed"]);
    // No right, no word.
    world.bob.client().say("a SETACL Team alice l");
    world.bob.client().fill("Team", 1);
    assert_eq!(client.wake(), "");
    client.expect("d NOTIFY NONE", &["d OK Notify completed"]);
    world.carol.client().fill("INBOX", 1);
    assert_eq!(client.wake(), "");
    assert!(client.peers.len() <= 1, "the links have gone");
}

#[test]
fn subscriptions_and_aliases() {
    let world = world();
    let mut client = world.client();
    for mailbox in ["~bob/Team", "~bob/Gone", "~nobody/x"] {
        client.say(&format!("a SUBSCRIBE {mailbox}"));
    }
    let answer = client.say("a SETMETADATA Shared (/private/vendor/roost/alias \"~carol/INBOX\")");
    assert!(answer.contains("a OK"), "{answer}");
    client.expect(
        &format!("b NOTIFY SET (subscribed {MESSAGES}) (personal {MESSAGES})"),
        &["b OK Notify completed"],
    );
    world.bob.client().fill("Team", 1);
    world.bob.client().fill("Other", 1);
    world.carol.client().fill("INBOX", 1);
    compare(
        "push",
        &client.wake(),
        &[
            "* STATUS ~bob/Team (MESSAGES 1 ...",
            "* STATUS Shared (MESSAGES 1 ...",
        ],
    );
    // A link that is lost could tell of nothing any more, and so says so.
    client.peers.clear();
    compare("lost", &client.wake(), &["* OK [NOTIFICATIONOVERFLOW] ..."]);
    world.bob.client().fill("Team", 1);
    assert_eq!(client.wake(), "");
}

#[test]
fn the_selected_mailbox() {
    let world = world();
    world.bob.client().fill("Team", 1);
    let mut client = world.client();
    client.expect(
        &format!(
            "a NOTIFY SET (selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge)) (subtree ~bob {MESSAGES})"
        ),
        &["a OK Notify completed"],
    );
    client.say("s SELECT ~bob/Team");
    world.bob.client().fill("Team", 1);
    world.bob.client().fill("Other", 1);
    let news = [
        "* 2 EXISTS",
        "* 1 RECENT",
        "* 2 FETCH (UID 2 BODY[HEADER.FIELDS (SUBJECT)] {15}",
        "Subject: m1",
        "",
        ")",
        "* STATUS ~bob/Other (MESSAGES 1 ...",
    ];
    let pushed = client.wake();
    let lines: Vec<&str> = pushed.lines().filter(|l| !l.ends_with(" RECENT")).collect();
    let wanted: Vec<&str> = news
        .iter()
        .copied()
        .filter(|l| !l.ends_with(" RECENT"))
        .collect();
    compare("push", &(lines.join("\r\n") + "\r\n"), &wanted);
    // While it is selected something else is wanted of it.
    client.expect("b NOTIFY NONE", &["b OK Notify completed"]);
    world.bob.client().fill("Team", 1);
    assert_eq!(client.wake(), "");
    client.expect(
        &format!("c NOTIFY SET (selected {MESSAGES})"),
        &["* 3 EXISTS", "* 3 RECENT", "c OK Notify completed"],
    );
}

#[test]
fn more_accounts_than_can_be_watched() {
    let world = world();
    let mut client = world.client();
    let names: Vec<String> = (0..17).map(|n| format!("~u{n}/x")).collect();
    client.expect(
        &format!("a NOTIFY SET (mailboxes ({}) {MESSAGES})", names.join(" ")),
        &["a NO [NOTIFICATIONOVERFLOW] ..."],
    );
    // Those that the client has not named do not keep it from the others.
    for name in &names {
        client.say(&format!("b SUBSCRIBE {name}"));
    }
    client.say("b SUBSCRIBE INBOX");
    client.expect(
        &format!("c NOTIFY SET (subscribed {MESSAGES}) (subtree ~bob {MESSAGES})"),
        &[
            "* NO Too many mailboxes of others to tell of changes of ...",
            "* NO Too many mailboxes of others to tell of changes of ...",
            "c OK Notify completed",
        ],
    );
    world.bob.client().fill("Team", 1);
    compare(
        "push",
        &client.wake(),
        &["* STATUS ~bob/Team (MESSAGES 1 ..."],
    );
}

#[test]
fn nothing_comes_between_the_parts_of_a_response() {
    let world = world();
    let mut client = world.client();
    client.expect(
        &format!(
            "a NOTIFY SET (selected (MessageNew (BODY.PEEK[]) MessageExpunge)) (subtree ~carol {MESSAGES})"
        ),
        &["a OK Notify completed"],
    );
    client.say("s SELECT ~bob/Team");
    client.say("i IDLE");
    world.bob.client().fill("Team", 1);
    world.carol.client().fill("INBOX", 1);
    client.wake_peers();
    let idles = |peer: &&mut super::Peer| peer.client.progress == Progress::Idle;
    let bob = client.peers.values_mut().find(idles).unwrap();
    let all: Vec<u8> = bob.said.iter().copied().collect();
    let literal = String::from_utf8(all).unwrap().find("}\r\n").unwrap() + 3;
    let rest = bob.said.split_off(literal + 4);
    let first = client.send(b"");
    assert!(
        first.contains("BODY[]") && !first.contains("STATUS"),
        "{first}"
    );
    let bob = client.peers.values_mut().find(idles).unwrap();
    bob.said.extend(rest);
    let second = client.send(b"");
    assert!(second.contains(")\r\n* STATUS ~carol/INBOX"), "{second}");
    client.expect("DONE", &["i OK Idle completed"]);
}

#[test]
fn what_cannot_be_told_yet_is_not_read() {
    let world = world();
    let mut client = world.client();
    client.expect(
        &format!("a NOTIFY SET (subtree ~carol {MESSAGES})"),
        &["a OK Notify completed"],
    );
    for mailbox in ["INBOX", "~bob/Team"] {
        client.say(&format!("b APPEND {mailbox} {{6}}"));
        world.carol.client().fill("INBOX", 1);
        assert_eq!(client.wake(), "");
        assert!(client.session.heard().is_empty());
        assert!(client.peers.values().any(|peer| !peer.said.is_empty()));
        let answer = client.say("a: b\r\n");
        assert!(answer.contains("b OK [APPENDUID "), "{answer}");
        assert!(answer.contains("* STATUS ~carol/INBOX"), "{answer}");
    }
}

#[test]
fn own_mailboxes_are_told_of_while_the_client_idles_elsewhere() {
    let world = world();
    let mut client = world.client();
    client.expect(
        &format!("a NOTIFY SET (selected (MessageNew (BODY.PEEK[]) MessageExpunge)) (personal {MESSAGES})"),
        &["a OK Notify completed"],
    );
    client.say("s SELECT ~bob/Team");
    client.say("i IDLE");
    let changed = |client: &mut super::Asking<'_>| {
        let mut out = Vec::new();
        client.progress = client.session.changed(&mut out);
        String::from_utf8(out).unwrap() + &client.send(b"")
    };
    world.alice.client().fill("INBOX", 1);
    compare(
        "idle",
        &changed(&mut client),
        &["* STATUS INBOX (MESSAGES 2 ..."],
    );
    assert_eq!(changed(&mut client), "");
    // Not in the middle of something else, but behind it.
    world.alice.client().fill("INBOX", 1);
    world.bob.client().fill("Team", 1);
    client.wake_peers();
    let bob = client.peers.values_mut().next().unwrap();
    let rest = bob.said.split_off(bob.said.len() - 4);
    client.send(b"");
    assert_eq!(changed(&mut client), "");
    let bob = client.peers.values_mut().next().unwrap();
    bob.said.extend(rest);
    let told = client.send(b"");
    assert!(told.contains(")\r\n* STATUS INBOX (MESSAGES 3 "), "{told}");
    client.expect("DONE", &["i OK Idle completed"]);
}

#[test]
fn what_cannot_be_watched_is_not_said_to_be() {
    let world = world();
    let mut client = world.client();
    client.say("a SUBSCRIBE ~bob/Team");
    let answer = client.say("a SETMETADATA Shared (/private/vendor/roost/alias \"~carol/INBOX\")");
    assert!(answer.contains("a OK"), "{answer}");
    for error in [LinkError::Unavailable, LinkError::Limit] {
        client.refuses = Some(error);
        for filter in ["subscribed", "personal", "mailboxes Shared", "subtree ~bob"] {
            let answer = client.say(&format!("b NOTIFY SET ({filter} {MESSAGES})"));
            assert!(answer.starts_with("b NO ["), "{filter}: {answer}");
        }
    }
    client.refuses = Some(LinkError::NoSuchAccount);
    client.expect(
        &format!("c NOTIFY SET (subscribed {MESSAGES})"),
        &["c OK Notify completed"],
    );
}

#[test]
fn after_an_overflow_nothing_is_told_of_the_selected_mailbox_either() {
    let world = world();
    world.bob.client().fill("Team", 4);
    let mut client = world.client();
    let notify = format!("a NOTIFY SET (selected {MESSAGES}) (subtree ~carol {MESSAGES})");
    client.say("s SELECT ~bob/Team");
    for idles in [false, true] {
        let answer = client.say(&notify);
        assert!(answer.ends_with("a OK Notify completed\r\n"), "{answer}");
        if idles {
            client.say("i IDLE");
        }
        let carol = |client: &super::Client| client.session.identity.user == "carol";
        client.peers.retain(|_, peer| !carol(&peer.client));
        let lost = client.wake();
        assert!(lost.contains("* OK [NOTIFICATIONOVERFLOW]"), "{lost}");
        if idles {
            client.expect("DONE", &["i OK Idle completed"]);
        }
        let mut bob = world.bob.client();
        bob.say("a SELECT Team");
        bob.say("b STORE 1 +FLAGS (\\Deleted)");
        bob.say("c EXPUNGE");
        assert_eq!(client.wake(), "");
        let answer = client.say("f FETCH 1:* UID");
        assert!(!answer.contains("EXPUNGE"), "{answer}");
    }
}
