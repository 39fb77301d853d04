//! COPY and MOVE between accounts.

use super::World;
use crate::tests::encrypted::Keys;
use crate::tests::impatient;

const FETCH: &str = "z UID FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])";

fn message(n: u32) -> String {
    format!("Subject: m{n}\r\n\r\nbody {n}\r\n")
}

/// Adds messages with flags and dates.
fn filled(world: &World, site: fn(&World) -> &crate::tests::Site, count: u32) {
    for n in 1..=count {
        let text = message(n);
        let append = format!(
            "a APPEND INBOX (\\Flagged $k{n}) \"0{n}-Feb-2020 10:00:00 +0000\" {{{}+}}\r\n{text}",
            text.len()
        );
        let answer = site(world).client().say(&append);
        assert!(answer.contains("a OK"), "{answer}");
    }
}

/// What is in an INBOX.
fn contents(site: &crate::tests::Site) -> String {
    let mut client = site.client();
    client.say("a EXAMINE INBOX");
    client
        .say(FETCH)
        .replace(" \\Recent", "")
        .replace("\\Recent", "")
}

#[test]
fn from_here_to_another() {
    let world = World::new();
    filled(&world, |w| &w.alice, 3);
    let own = contents(&world.alice);
    let mut client = world.client();
    client.say("a SELECT INBOX");
    client.expect("b COPY 1:3 ~bob/INBOX", &["b OK [COPYUID ..."]);
    assert_eq!(contents(&world.bob), own);
    client.expect("c UID COPY 7:9 ~bob/INBOX", &["c OK No messages to copy"]);
    client.expect("d COPY 1 ~bob/none", &["d NO [TRYCREATE] No such mailbox"]);
    client.expect(
        "e COPY 1 ~nobody/none",
        &["e NO [TRYCREATE] No such mailbox"],
    );
    client.expect(
        "f COPY 9 ~bob/INBOX",
        &["f BAD No message has such a number"],
    );
    let answer = client.say("g MOVE 2:3 ~bob/INBOX");
    let lines: Vec<_> = answer.lines().collect();
    assert!(
        lines[0].starts_with("* OK [COPYUID ") && lines[0].contains(" 2:3 4:5]"),
        "{answer}"
    );
    assert_eq!(
        lines[1..],
        ["* 3 EXPUNGE", "* 2 EXPUNGE", "g OK Move completed"]
    );
    client.say("h EXAMINE INBOX");
    client.expect(
        "i MOVE 1 ~bob/INBOX",
        &["i NO [READ-ONLY] Mailbox is selected read-only"],
    );
}

#[test]
fn from_another_to_here() {
    let world = World::new();
    filled(&world, |w| &w.bob, 5);
    let there = contents(&world.bob);
    let mut client = world.client();
    client.say("a SELECT ~bob/INBOX");
    let answer = client.say("b COPY 1:5 INBOX");
    assert!(
        answer.starts_with("b OK [COPYUID ") && answer.contains(" 1:5 1:5]"),
        "{answer}"
    );
    assert_eq!(contents(&world.alice), there);
    client.expect("c UID COPY 7:9 INBOX", &["c OK No messages to copy"]);
    client.expect("d COPY 1 none", &["d NO [TRYCREATE] No such mailbox"]);
    client.expect("e COPY 9 INBOX", &["e BAD No message has such a number"]);
    let answer = client.say("f UID MOVE 2:4 INBOX");
    let lines: Vec<_> = answer.lines().collect();
    assert!(
        lines[0].starts_with("* OK [COPYUID ") && lines[0].contains(" 2:4 6:8]"),
        "{answer}"
    );
    assert_eq!(
        lines[1..],
        [
            "* 3 EXPUNGE",
            "* 2 EXPUNGE",
            "* 2 EXPUNGE",
            "f OK Move completed"
        ]
    );
    client.say("g EXAMINE ~bob/INBOX");
    client.expect(
        "h MOVE 1 INBOX",
        &["h NO [READ-ONLY] Mailbox is selected read-only"],
    );
    client.say("i SEARCH RETURN (SAVE) ALL");
    let answer = client.say("j COPY $ INBOX");
    assert!(answer.contains(" 1,5 9:10]"), "{answer}");
}

#[test]
fn from_another_to_a_third() {
    let world = World::new();
    filled(&world, |w| &w.bob, 3);
    let there = contents(&world.bob);
    let mut client = world.client();
    client.say("a SELECT ~bob/INBOX");
    let answer = client.say("b COPY 1:* ~carol/INBOX");
    assert!(
        answer.starts_with("b OK [COPYUID ") && answer.contains(" 1:3 1:3]"),
        "{answer}"
    );
    assert_eq!(contents(&world.carol), there);
    client.expect(
        "c COPY 1 ~carol/none",
        &["c NO [TRYCREATE] No such mailbox"],
    );
    client.expect(
        "d COPY 1 ~nobody/none",
        &["d NO [TRYCREATE] No such mailbox"],
    );
    client.expect("e UID COPY 8 ~carol/INBOX", &["e OK No messages to copy"]);
    let answer = client.say("f MOVE 1,3 ~carol/INBOX");
    let lines: Vec<_> = answer.lines().collect();
    assert!(
        lines[0].starts_with("* OK [COPYUID ") && lines[0].contains(" 1,3 4:5]"),
        "{answer}"
    );
    assert_eq!(
        lines[1..],
        ["* 3 EXPUNGE", "* 1 EXPUNGE", "f OK Move completed"]
    );
    // The same account under another name is another one.
    let answer = client.say("g COPY 1 ~bob@example.org/INBOX");
    assert!(answer.contains("g OK [COPYUID "), "{answer}");
    let answer = client.say("h COPY 1 ~bob/INBOX");
    assert!(
        answer.contains("* 3 EXISTS") && answer.contains("h OK [COPYUID "),
        "{answer}"
    );
}

#[test]
fn what_takes_long_between_accounts_says_so() {
    let mut world = World::new();
    filled(&world, |w| &w.alice, 3);
    filled(&world, |w| &w.bob, 3);
    world.alice.settings = std::sync::Arc::new(impatient());
    let mut client = world.client();
    let mut runs = |command: &str| {
        let answer = client.say(&format!("a {command}"));
        assert!(answer.contains("\r\na OK"), "{answer}");
        answer.contains("* OK [INPROGRESS (\"a\" ") && answer.contains("] Running\r\n")
    };
    runs("SELECT INBOX");
    assert!(runs("COPY 1:3 ~bob/INBOX"));
    assert!(runs("MOVE 1 ~bob/INBOX"));
    runs("SELECT ~bob/INBOX");
    assert!(runs("COPY 1:3 INBOX"));
    assert!(runs("COPY 1:3 ~carol/INBOX"));
    assert!(runs("MOVE 1 ~carol/INBOX"));
    assert!(runs("APPEND ~carol/INBOX {6+}\r\na: b\r\n"));
}

/// How many messages there are.
fn count(site: &crate::tests::Site) -> usize {
    contents(site).matches(" FETCH (").count()
}

#[test]
fn nothing_is_moved_from_where_it_may_not_be_expunged() {
    let world = World::new();
    filled(&world, |w| &w.bob, 2);
    let mut client = world.client();
    client.say("a SELECT ~bob/INBOX");
    for rights in ["lrswit", "lrswie"] {
        let set = format!("a SETACL INBOX alice {rights}");
        world.bob.client().expect(&set, &["a OK ..."]);
        for to in ["~carol/INBOX", "INBOX"] {
            let answer = client.say(&format!("b MOVE 1:2 {to}"));
            assert!(
                answer.ends_with("b NO [NOPERM] Permission denied\r\n"),
                "{answer}"
            );
        }
    }
    assert_eq!((count(&world.carol), count(&world.alice)), (0, 0));
    world
        .bob
        .client()
        .expect("a SETACL INBOX alice lrte", &["a OK ..."]);
    let answer = client.say("c MOVE 1 ~carol/INBOX");
    assert!(answer.ends_with("c OK Move completed\r\n"), "{answer}");
}

#[test]
fn marks_of_others_stay_where_a_move_fails() {
    for command in [
        "MOVE 1:2 ~carol/INBOX",
        "MOVE 1:2 INBOX",
        "REPLACE 1 INBOX {3+}\r\nnew",
    ] {
        let world = World::new();
        filled(&world, |w| &w.bob, 2);
        let mut bob = world.bob.client();
        bob.say("a SELECT INBOX");
        bob.say("a STORE 1 +FLAGS (\\Deleted)");
        let mut client = world.client();
        client.say("a SELECT ~bob/INBOX");
        client.before_write = |world, bytes| {
            if bytes.windows(11).any(|part| part == b"UID EXPUNGE") {
                let mut bob = world.bob.client();
                bob.expect("a SETACL INBOX alice lrswit", &["a OK ..."]);
            }
        };
        let answer = client.say(&format!("b {command}"));
        assert!(answer.contains("b NO [NOPERM] "), "{answer}");
        bob.expect("b SEARCH DELETED", &["* SEARCH 1", "b OK ..."]);
    }
}

/// In tests five are the most that are copied, and two are moved at once.
#[test]
fn many_from_another_to_a_third() {
    let world = World::new();
    filled(&world, |w| &w.bob, 6);
    let mut client = world.client();
    client.say("a SELECT ~bob/INBOX");
    for command in ["COPY 1:6", "UID COPY 1:*"] {
        client.expect(
            &format!("b {command} ~carol/INBOX"),
            &["b NO [LIMIT] Too many messages to be copied at once to another account"],
        );
    }
    assert_eq!(count(&world.carol), 0);
    client.expect(
        "c COPY 7 ~carol/INBOX",
        &["c BAD No message has such a number"],
    );
    let answer = client.say("d UID COPY 2:6,9 ~carol/INBOX");
    assert!(answer.contains(" 2:6 1:5]"), "{answer}");
    let mut carol = world.carol.client();
    carol.say("a SELECT INBOX");
    carol.say("a STORE 1:* +FLAGS.SILENT (\\Deleted)");
    carol.say("a CLOSE");
    let answer = client.say("f MOVE 1:6 ~carol/INBOX");
    for (from, to) in [("1:2", "6:7"), ("3:4", "8:9"), ("5:6", "10:11")] {
        assert!(answer.contains(&format!(" {from} {to}]")), "{answer}");
    }
    assert!(answer.ends_with("f OK Move completed\r\n"), "{answer}");
    assert_eq!(answer.matches(" EXPUNGE").count(), 6, "{answer}");
    assert_eq!(count(&world.bob), 0);
    let moved = contents(&world.carol);
    assert_eq!(moved.matches("Subject: m").count(), 6);
}

#[test]
fn how_far_it_is_is_told() {
    let world = World::new();
    filled(&world, |w| &w.bob, 3);
    let mut client = world.client();
    client.session.settings = std::sync::Arc::new(impatient());
    client.say("a SELECT ~bob/INBOX");
    let copied = client.say("b COPY 1:3 ~carol/INBOX");
    assert!(
        copied.contains("[INPROGRESS (\"b\" 1 3)] Running"),
        "{copied}"
    );
    let copied = client.say("c COPY 1:3 INBOX");
    assert!(
        copied.contains("[INPROGRESS (\"c\" 2 3)] Running"),
        "{copied}"
    );
    let copied = client.say("d UID COPY 1:9 INBOX");
    assert!(
        copied.contains("[INPROGRESS (\"d\" 2 NIL)] Running"),
        "{copied}"
    );
}

/// What the last message of a mailbox says to the holder of the key.
fn decrypted(client: &mut super::Asking<'_>, mailbox: &str, keys: &Keys) -> String {
    client.say(&format!("x EXAMINE {mailbox}"));
    let answer = client.say("y FETCH * BODY.PEEK[]");
    let (_, text) = answer.split_once("}\r\n").unwrap();
    let (text, _) = text.rsplit_once(")\r\ny OK").unwrap();
    keys.decrypt(text)
}

#[test]
fn messages_are_encrypted_on_their_way() {
    let world = World::new();
    let keys = Keys::new();
    filled(&world, |w| &w.alice, 1);
    filled(&world, |w| &w.bob, 2);
    let mut client = world.client();
    client.session = client.session.with_home(keys.home.path().to_owned());
    let text = message(1);
    for (from, command, to) in [
        ("INBOX", "COPY 1 ~bob/INBOX ENCRYPTED *", "~bob/INBOX"),
        ("~bob/INBOX", "COPY 1 INBOX encrypted *", "INBOX"),
        (
            "~bob/INBOX",
            "COPY 1 ~carol/INBOX ENCRYPTED \"*\"",
            "~carol/INBOX",
        ),
        ("~bob/INBOX", "COPY 1 ~bob/INBOX ENCRYPTED *", "~bob/INBOX"),
        (
            "~bob/INBOX",
            "MOVE 1 ~carol/INBOX ENCRYPTED *",
            "~carol/INBOX",
        ),
    ] {
        client.say(&format!("a SELECT {from}"));
        let answer = client.say(&format!("b {command}"));
        assert!(answer.contains("b OK "), "{command}: {answer}");
        let found = decrypted(&mut client, to, &keys);
        assert!(found.ends_with(&text), "{command}: {found}");
    }
    let size = text.len();
    let append = format!("c APPEND ~bob/INBOX ENCRYPTED * (\\Seen) {{{size}+}}\r\n{text}");
    client.expect(&append, &["c OK [APPENDUID ..."]);
    let found = decrypted(&mut client, "~bob/INBOX", &keys);
    assert!(found.ends_with(&text), "{found}");
    let given = format!("COPY 1 ~bob/INBOX ENCRYPTED {}", keys.base64());
    client.say("a SELECT INBOX");
    let answer = client.say(&format!("b {given}"));
    assert!(answer.contains("b OK [COPYUID"), "{answer}");
    // Who has no certificate.
    let mut other = world.client();
    other.say("a SELECT INBOX");
    other.expect("b COPY 1 ~bob/INBOX ENCRYPTED *", &["b NO [CANNOT] ..."]);
    let append = format!("c APPEND ~bob/INBOX ENCRYPTED * {{{size}+}}\r\n{text}");
    other.expect(&append, &["c NO [CANNOT] ..."]);
}

#[test]
fn a_message_is_replaced_across_accounts() {
    let world = World::new();
    filled(&world, |w| &w.alice, 2);
    filled(&world, |w| &w.bob, 3);
    let mut client = world.client();
    client.say("a SELECT INBOX");
    client.expect(
        "b REPLACE 1 ~bob/INBOX (\\Flagged) {3+}\r\nnew",
        &[
            "* OK [APPENDUID ...",
            "* 1 EXPUNGE",
            "b OK Replace completed",
        ],
    );
    client.expect(
        "c UID REPLACE 9 ~bob/INBOX {3+}\r\nnew",
        &["c NO [NONEXISTENT] ..."],
    );
    client.expect(
        "d REPLACE 1 ~bob/none {3+}\r\nnew",
        &["d NO [TRYCREATE] ..."],
    );
    client.say("a SELECT ~bob/INBOX");
    client.expect(
        "e REPLACE 2 INBOX {3+}\r\nown",
        &[
            "* OK [APPENDUID ...",
            "* 2 EXPUNGE",
            "e OK Replace completed",
        ],
    );
    client.expect("f UID REPLACE 1 ~carol/INBOX {3}", &["+ OK"]);
    client.expect(
        "two",
        &[
            "* OK [APPENDUID ...",
            "* 1 EXPUNGE",
            "f OK Replace completed",
        ],
    );
    client.expect(
        "g FETCH 1:2 UID",
        &["* 1 FETCH (UID 3)", "* 2 FETCH (UID 4)", "g OK ..."],
    );
    client.expect(
        "h UID REPLACE 77 INBOX {3+}\r\nnew",
        &["h NO [NONEXISTENT] ..."],
    );
    client.expect("i REPLACE 3 INBOX {3+}\r\nnew", &["i BAD ..."]);
    client.expect("j REPLACE 1 none {3+}\r\nnew", &["j NO [TRYCREATE] ..."]);
    client.expect("k NOOP", &["k OK NOOP completed"]);
    // Without `te` nothing is added either.
    world.bob.client().say("a SETACL INBOX alice lrswi");
    client.say("l NOOP");
    client.expect("m REPLACE 1 INBOX {3}", &["m NO [NOPERM] ..."]);
    client.expect("n REPLACE 1 INBOX {3+}\r\nnew", &["n NO [NOPERM] ..."]);
    assert!(contents(&world.alice).contains("own)"));
    assert!(contents(&world.carol).contains("two)"));
    client.expect(
        "o STATUS INBOX (MESSAGES)",
        &["* STATUS INBOX (MESSAGES 2)", "o OK Status completed"],
    );
}

#[test]
fn a_right_that_is_lost_meanwhile_keeps_the_own_message() {
    let world = World::new();
    filled(&world, |w| &w.alice, 2);
    let own = contents(&world.alice);
    let mut client = world.client();
    client.say("a SELECT INBOX");
    let take = |world: &World| {
        let mut alice = world.alice.client();
        alice.expect("a SETACL INBOX -owner te", &["a OK ..."]);
    };
    let give = || world.alice.client().say("a DELETEACL INBOX -owner");
    // Before the new message is there, and behind it.
    client.expect("b REPLACE 1 ~bob/INBOX {3}", &["+ OK"]);
    take(&world);
    let answer = client.say("new");
    assert!(
        answer.ends_with("b NO [NOPERM] Permission denied\r\n"),
        "{answer}"
    );
    assert!(!contents(&world.bob).contains("new)"));
    give();
    client.say("c NOOP");
    client.before_write = |world, bytes| {
        if bytes == b"\r\n" || bytes.windows(8).any(|part| part == b"body 2\r\n") {
            let mut alice = world.alice.client();
            alice.expect("a SETACL INBOX -owner te", &["a OK ..."]);
        }
    };
    for command in ["REPLACE 1 ~bob/INBOX {3+}\r\nnew", "MOVE 2 ~bob/INBOX"] {
        let answer = client.say(&format!("d {command}"));
        assert!(
            answer.ends_with("d NO [NOPERM] Permission denied\r\n"),
            "{answer}"
        );
        give();
        client.say("e NOOP");
    }
    assert!(contents(&world.bob).contains("new)"));
    assert_eq!(contents(&world.alice), own);
}
