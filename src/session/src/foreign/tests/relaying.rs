//! Commands that concern one other account.

use super::{World, share};
use crate::link::LinkError;

#[test]
fn a_mailbox_of_another_account() {
    let world = World::new();
    share(&world.bob, "Team");
    world.bob.client().fill("Team", 3);
    let mut client = world.client();
    client.expect(
        "a STATUS ~bob/Team (MESSAGES)",
        &["* STATUS ~bob/Team (MESSAGES 3)", "a OK Status completed"],
    );
    let selected = client.say("a SELECT ~bob/Team");
    assert!(selected.contains("* 3 EXISTS\r\n"), "{selected}");
    assert!(selected.ends_with("a OK [READ-WRITE] Select completed\r\n"));
    client.expect(
        "b FETCH 2 (UID BODY[TEXT])",
        &[
            "* 2 FETCH (FLAGS (\\Seen \\Recent) UID 2 BODY[TEXT] {8}",
            "body 2",
            ")",
            "b OK Fetch completed",
        ],
    );
    client.expect("c SEARCH SEEN", &["* SEARCH 2", "c OK Search completed"]);
    client.expect(
        "d STORE 1 +FLAGS (\\Deleted)",
        &["* 1 FETCH (FLAGS (...", "d OK Store completed"],
    );
    client.expect("e EXPUNGE", &["* 1 EXPUNGE", "e OK Expunge completed"]);
    client.expect("f CREATE Own", &["f OK [MAILBOXID ..."]);
    client.expect("g CLOSE", &["g OK Close completed"]);
    client.expect("h FETCH 1 UID", &["h BAD No mailbox selected"]);
    client.expect("i CREATE ~bob/Team/New", &["i OK [MAILBOXID ..."]);
    client.expect(
        "j RENAME ~bob/Team/New ~bob/Team/Old",
        &["j OK Rename completed"],
    );
    client.expect(
        "k RENAME ~bob/Team/Old Mine",
        &["k NO [CANNOT] A mailbox stays in its account"],
    );
    client.expect("l DELETE ~bob/Team/Old", &["l OK Delete completed"]);
    client.expect("m LOGOUT", &["* BYE Logging out", "m OK Logout completed"]);
}

#[test]
fn who_looks_sees_what_is_done_there() {
    let world = World::new();
    share(&world.bob, "Team");
    world.bob.client().fill("Team", 1);
    let mut client = world.client();
    let status = |client: &super::Asking<'_>| client.session.activity().look().status;
    client.say("a STATUS ~bob/Team (MESSAGES)");
    assert_eq!(status(&client), "Authenticated");
    client.say("a STATUS ~nobody/Team (MESSAGES)");
    assert_eq!(status(&client), "Authenticated");
    client.say("a SELECT ~bob/Team");
    assert_eq!(status(&client), "Selected ~bob/Team");
    client.say("a FETCH 1 (FLAGS)");
    assert_eq!(status(&client), "Selected ~bob/Team");
    client.say("a LIST \"\" ~*");
    assert_eq!(status(&client), "Selected ~bob/Team");
    client.breaks_after = Some(5);
    client.say("a STATUS ~bob/Team (MESSAGES)");
    assert_eq!(status(&client), "Selected ~bob/Team");
    client.say("a SELECT ~bob/Team");
    // Between commands.
    world.bob.client().say("a SETACL Team alice l");
    let closed = client.wake();
    assert!(closed.starts_with("* OK [CLOSED]"), "{closed}");
    assert_eq!(status(&client), "Authenticated");
}

/// Bob's mailboxes are shared with nobody here.
#[test]
fn an_account_that_shares_nothing_is_as_one_that_is_not() {
    let world = World::new();
    world
        .bob
        .client()
        .expect("a DELETEACL INBOX alice", &["a OK ..."]);
    let mut client = world.client();
    client.fill_inbox();
    client.say("a SELECT INBOX");
    for command in [
        "CREATE ~?",
        "CREATE ~?/",
        "CREATE ~?/x",
        "DELETE ~?",
        "RENAME ~?/a ~?",
        "RENAME ~?/a ~?/b",
        "STATUS ~? (MESSAGES)",
        "MYRIGHTS ~?",
        "GETMETADATA ~? /private/comment",
        "APPEND ~? {6+}\r\na: b\r\n",
        "APPEND ~?/x {6+}\r\na: b\r\n",
        "COPY 1 ~?",
        "COPY 1 ~?/x",
        "MOVE 1 ~?",
        "GETQUOTA ~?",
        "GETQUOTA ~?/",
        "GETQUOTA ~?/x",
        "GETQUOTA ~?/INBOX",
        "GETQUOTAROOT ~?",
        "GETQUOTAROOT ~?/x",
        "SETQUOTA ~? (STORAGE 1)",
        "SETQUOTA ~?/x (STORAGE 1)",
        "LIST \"\" ~?",
        "LIST \"\" ~?/*",
        "SUBSCRIBE ~?",
    ] {
        let [mute, nobody] = ["bob", "nobody"].map(|account| {
            let answer = client.say(&format!("a {}", command.replace('?', account)));
            answer.replace(account, "?")
        });
        assert_eq!(mute, nobody, "{command}");
    }
}

#[test]
fn what_is_not_there_and_who_is_not_there_are_alike() {
    let world = World::new();
    let mut client = world.client();
    for account in ["bob", "nobody"] {
        let no = "NO [NONEXISTENT] No such mailbox";
        client.expect(&format!("a SELECT ~{account}/x"), &[&format!("a {no}")]);
        client.expect(
            &format!("b STATUS ~{account}/x (MESSAGES)"),
            &[&format!("b {no}")],
        );
        client.expect(&format!("c EXAMINE ~{account}"), &[&format!("c {no}")]);
        client.expect(&format!("d DELETE ~{account}/x/"), &[&format!("d {no}")]);
        client.expect(
            &format!("e SELECT ~{account}//x"),
            &["e NO [CANNOT] Not a possible mailbox name"],
        );
    }
    client.refuses = Some(LinkError::Unavailable);
    client.expect("f SELECT ~carol/x", &["f NO [UNAVAILABLE] ..."]);
    client.refuses = Some(LinkError::Limit);
    client.expect("f SELECT ~carol/x", &["f NO [LIMIT] ..."]);
}

#[test]
fn mailboxes_are_closed_before_others_are_selected() {
    let world = World::new();
    let mut client = world.client();
    let closed = "* OK [CLOSED] Previous mailbox is closed\r\n";
    client.say("a SELECT INBOX");
    assert!(client.say("b SELECT ~bob/INBOX").starts_with(closed));
    assert!(client.say("c SELECT ~bob/INBOX").starts_with(closed));
    assert!(client.say("d SELECT ~carol/INBOX").starts_with(closed));
    assert!(client.say("e SELECT ~bob/INBOX").starts_with(closed));
    client.expect(
        "f SELECT ~carol/none",
        &[closed.trim_end(), "f NO [NONEXISTENT] No such mailbox"],
    );
    client.expect("g CHECK", &["g BAD No mailbox selected"]);
    assert!(client.say("h SELECT ~bob/INBOX").starts_with("* FLAGS"));
    assert!(client.say("i SELECT INBOX").starts_with(closed));
    client.expect("j NOOP", &["j OK NOOP completed"]);
    client.expect(
        "k SELECT ~bob/INBOX (NONSENSE)",
        &["k BAD Unknown parameter"],
    );
    client.expect("l CHECK", &["l OK Check completed"]);
}

#[test]
fn what_is_enabled_is_enabled_there() {
    let world = World::new();
    world.bob.client().fill("INBOX", 2);
    let mut client = world.client();
    client.say("a ENABLE QRESYNC IMAP4rev2");
    let selected = client.say("a SELECT ~bob/INBOX");
    assert!(selected.starts_with("* FLAGS"), "{selected}");
    assert!(
        selected.contains("* LIST (\\HasNoChildren) \"/\" ~bob/INBOX\r\n"),
        "{selected}"
    );
    let answer = client.say("b UID STORE 1 +FLAGS.SILENT (\\Deleted)");
    assert!(answer.contains("MODSEQ"), "{answer}");
    let answer = client.say("c EXPUNGE");
    assert!(
        answer.starts_with("* VANISHED 1\r\nc OK [HIGHESTMODSEQ "),
        "{answer}"
    );
}

#[test]
fn idle_hears_of_the_other_mailbox() {
    let world = World::new();
    let mut client = world.client();
    client.say("a SELECT ~bob/INBOX");
    client.expect("b IDLE", &["+ idling"]);
    world.bob.deliver("Subject: x\n\nx\n");
    let told = client.wake();
    assert!(told.contains("* 1 EXISTS\r\n"), "{told}");
    client.expect("DONE", &["b OK Idle completed"]);
    client.expect("c IDLE", &["+ idling"]);
    client.expect("d NOOP", &["c BAD DONE expected"]);
    // The line has ended that link; the mailbox is gone on with.
    client.expect("e FETCH 1 UID", &["* 1 FETCH (UID 1)", "e OK ..."]);
}

#[test]
fn messages_are_asked_for_when_they_are_wanted() {
    let world = World::new();
    let mut client = world.client();
    client.expect(
        "a APPEND ~bob/INBOX (\\Seen $x) \"01-Jan-2024 00:00:00 +0000\" {4}",
        &["+ OK"],
    );
    client.expect("a\r\nb", &["a OK [APPENDUID ..."]);
    client.expect(
        "b APPEND ~bob/none {5}",
        &["b NO [TRYCREATE] No such mailbox"],
    );
    client.expect(
        "b APPEND ~nobody/none {5}",
        &["b NO [TRYCREATE] No such mailbox"],
    );
    client.expect(
        "b APPEND ~bob/none {4+}\r\na\r\nb",
        &["b NO [TRYCREATE] No such mailbox"],
    );
    client.expect(
        "c APPEND ~bob/INBOX {2+}\r\nab (\\Answered) {3+}\r\nabc",
        &["c OK [APPENDUID ..."],
    );
    client.expect(
        "d APPEND ~bob/INBOX {0}",
        &["d NO Append cancelled: empty message"],
    );
    client.expect("e APPEND {10}", &["+ OK"]);
    client.expect("~bob/INBOX {1+}\r\nx", &["e OK [APPENDUID ..."]);
    client.expect(
        "f STATUS ~bob/INBOX (MESSAGES UNSEEN)",
        &[
            "* STATUS ~bob/INBOX (MESSAGES 4 UNSEEN 3)",
            "f OK Status completed",
        ],
    );
    client.say("g SELECT ~bob/INBOX");
    client.expect(
        "h FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)",
        &[
            "* 1 FETCH (FLAGS (\\Seen $x \\Recent) INTERNALDATE \" 1-Jan-2024 00:00:00 +0000\" RFC822.SIZE 4)",
            "h OK Fetch completed",
        ],
    );
    client.expect(
        "i REPLACE 4 ~bob/INBOX {3+}\r\nnew",
        &[
            "* OK [APPENDUID ...",
            "* 4 EXPUNGE",
            "* 4 EXISTS",
            "* 4 RECENT",
            "i OK Replace completed",
        ],
    );
}

#[test]
fn the_asked_session_gives_nothing_else_away() {
    let world = World::new();
    world.bob.client().say("a SUBSCRIBE Secret");
    let mut peer = world.peer("~bob", None).unwrap().client;
    peer.say("a SUBSCRIBE ~bob/x");
    peer.say("b UNSUBSCRIBE ~bob/Secret");
    let own = world.bob.client().say("b LSUB \"\" \"*\"");
    assert!(
        own.contains(" Secret\r\n") && !own.contains(" x\r\n"),
        "{own}"
    );
    peer.expect("c LSUB \"\" \"*\"", &["c OK Lsub completed"]);
    peer.expect("d LIST \"\" \"*\"", &["d OK List completed"]);
    peer.expect("e LIST (SUBSCRIBED) \"\" \"~*\"", &["e OK List completed"]);
    assert!(peer.say("g SELECT INBOX").starts_with("g NO [NONEXISTENT]"));
    assert!(
        peer.say("h SELECT ~alice/INBOX")
            .starts_with("h NO [NONEXISTENT]")
    );
}

#[test]
fn the_end_of_a_selected_mailbox_ends_the_session() {
    let world = World::new();
    share(&world.bob, "Team");
    let mut client = world.client();
    client.say("a SELECT ~bob/Team");
    world.bob.client().say("b DELETE Team");
    client.expect("c NOOP", &["* BYE Selected mailbox was deleted"]);
    // One that is not selected does not.
    share(&world.bob, "Team");
    let mut client = world.client();
    client.say("a SELECT ~bob/Team");
    client.say("b SELECT INBOX");
    world.bob.client().say("b DELETE Team");
    client.expect("c NOOP", &["c OK NOOP completed"]);
    client.expect(
        "d STATUS ~bob/INBOX (MESSAGES)",
        &["* STATUS ~bob/INBOX (MESSAGES 0)", "d OK ..."],
    );
    // Deleting the selected one oneself leaves nothing selected.
    share(&world.bob, "Team");
    client.say("a SELECT ~bob/Team");
    client.expect(
        "b DELETE ~bob/Team",
        &["* OK [CLOSED] ...", "b OK Delete completed"],
    );
    client.expect("c CHECK", &["c BAD No mailbox selected"]);
}

/// One conversation, however the octets come: pipelined, with literals that
/// hold what looks like answers.
#[test]
fn however_the_octets_come() {
    let talk = "a SELECT ~bob/INBOX\r\nb UID FETCH 1:* (FLAGS BODY.PEEK[])\r\n\
        c SEARCH SUBJECT {4}\r\nTest\r\nd STATUS INBOX (MESSAGES)\r\n\
        e FETCH 1 BODY.PEEK[]\r\nf COPY 1 INBOX\r\ng UID COPY 1:2 ~carol/INBOX\r\nh CLOSE\r\n";
    let run = |chunk: usize| {
        let world = World::new();
        let text = "Subject: Test\r\n\r\ne OK no\r\n* BYE {3}\r\n* 1 EXPUNGE\r\n";
        let append = format!("a APPEND INBOX (\\Flagged) {{{}+}}\r\n{text}", text.len());
        world.bob.client().say(&append);
        world.bob.client().fill("INBOX", 1);
        let mut client = world.client();
        client.chunk = chunk;
        let said = client.send(talk.as_bytes());
        let said = said
            .split("\r\n")
            .filter(|l| {
                !l.contains("VALIDITY") && !l.contains("MAILBOXID") && !l.contains("MODSEQ")
            })
            .map(|l| l.split("COPYUID").next().unwrap())
            .collect::<Vec<_>>()
            .join("\n");
        (
            said,
            world.alice.client().say("a STATUS INBOX (MESSAGES)"),
            world.carol.client().say("a STATUS INBOX (MESSAGES SIZE)"),
        )
    };
    let whole = run(usize::MAX);
    assert!(whole.0.contains("f OK ["), "{whole:?}");
    assert!(whole.0.contains("h OK Close completed"), "{whole:?}");
    assert!(whole.1.contains("MESSAGES 1"), "{whole:?}");
    for chunk in 1..40 {
        assert_eq!(run(chunk), whole, "{chunk}");
    }
}

/// An answer whose last line is longer than what is held of one: it comes
/// through, and so does what is said after it.
#[test]
fn a_very_long_last_line() {
    let world = World::new();
    let big = world.bob.dir.path().join("Maildir/.Big");
    let cur = big.join("cur");
    std::fs::create_dir_all(&cur).unwrap();
    // UIDs of ten digits make it long with few messages.
    let mut list = format!("3 V1 N4000020000 G{}\n", "0".repeat(32));
    for n in 0..16_000u32 {
        let flags = if n % 2 == 0 { "F" } else { "" };
        std::fs::write(cur.join(format!("{n}.x,S=0:2,{flags}")), "").unwrap();
        list.push_str(&format!("{} :{n}.x,S=0\n", 4_000_000_000 + n));
    }
    std::fs::write(big.join("dovecot-uidlist"), list).unwrap();
    share(&world.bob, "Big");
    let mut client = world.client();
    client.chunk = 16 << 10;
    client.say("a SELECT ~bob/Big");
    let flagged = client.say("b UID SEARCH RETURN (SAVE COUNT) FLAGGED");
    assert!(flagged.contains("COUNT 8000"), "{flagged}");
    let answer = client.say("c UID STORE $ (UNCHANGEDSINCE 1) -FLAGS.SILENT (\\Flagged)");
    let last = answer.lines().last().unwrap();
    assert!(
        last.starts_with("c OK [MODIFIED 4000000000,4000000002,"),
        "{}",
        &last[..100]
    );
    assert!(
        last.len() > 80_000 && last.contains(",4000015998] "),
        "{}",
        last.len()
    );
    client.expect("d NOOP", &["d OK NOOP completed"]);
    // Broken in the midst of it there is nothing to be mended.
    client.breaks_after = Some(answer.len() - 10_000);
    let cut = client.say("e UID STORE $ (UNCHANGEDSINCE 1) -FLAGS.SILENT (\\Flagged)");
    let end = &cut[cut.len().saturating_sub(200)..];
    assert!(matches!(client.progress, crate::Progress::End(_)), "{end}");
}

#[test]
fn a_flag_with_two_names_has_the_one_that_the_client_used_last_anywhere() {
    let world = World::new();
    world.bob.client().fill("INBOX", 1);
    let mut client = world.client();
    client.say("a APPEND INBOX ($MDN) {2+}\r\nx\n");
    client.say("a SELECT ~bob/INBOX");
    client.say("a STORE 1 +FLAGS.SILENT ($MDNSent)");
    client.expect(
        "a FETCH 1 FLAGS",
        &[
            "* 1 FETCH (FLAGS ($MDNSent \\Recent))",
            "a OK Fetch completed",
        ],
    );
    client.say("a SELECT INBOX");
    let flags = client.say("a FETCH 1 FLAGS");
    assert!(flags.contains("FLAGS ($MDNSent "), "{flags}");
    client.say("a SEARCH KEYWORD $MDN");
    client.say("a COPY 1 ~bob/INBOX");
    let selected = client.say("a SELECT ~bob/INBOX");
    assert!(selected.contains("\\Draft $MDN)\r\n"), "{selected}");
    let flags = client.say("a FETCH 1:2 FLAGS");
    assert!(flags.contains("* 1 FETCH (FLAGS ($MDN"), "{flags}");
    assert!(
        flags.contains("* 2 FETCH (FLAGS ($MDN \\Recent))"),
        "{flags}"
    );
}
