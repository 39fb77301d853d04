//! Rights, and what those who lack them are told.

use super::{Client, Site, asks_alice, compare};
use crate::{End, Progress, Settings, SharesHook};
use std::sync::{Arc, Mutex};

impl Site {
    /// A session of another account on this one.
    pub(super) fn asker(&self, account: &str) -> Client {
        self.visitor(asks_alice(account))
    }

    /// What alice has done.
    pub(super) fn alice(&self, commands: &[&str]) {
        let mut alice = self.client();
        for command in commands {
            let answer = alice.say(&format!("a {command}"));
            assert!(answer.contains("a OK"), "{command}: {answer}");
        }
    }
}

/// What the tagged line says.
fn tagged(client: &mut Client, command: &str) -> String {
    let answer = client.say(&format!("a {command}"));
    let last = answer.trim_end().rsplit("\r\n").next();
    last.unwrap_or_default()[2..].to_owned()
}

/// On the wire of a session of another account.
fn of(name: &str) -> String {
    format!("~alice/{name}")
}

const TEAM: &[&str] = &["CREATE Team", "CREATE Secret", "CREATE Team/a"];

#[test]
fn the_owner_sets_lists_and_takes_rights() {
    let site = Site::new();
    let mut alice = site.client();
    alice.expect("a CREATE Team", &["a OK ..."]);
    alice.expect(
        "a GETACL Team",
        &["* ACL Team alice lrwstipekxacd", "a OK Getacl completed"],
    );
    alice.expect("a SETACL Team Bob lrs", &["a OK Setacl completed"]);
    alice.expect("a SETACL Team bob +wd", &["a OK Setacl completed"]);
    alice.expect("a SETACL Team bob -w", &["a OK Setacl completed"]);
    alice.expect("a SETACL Team -bob e", &["a OK Setacl completed"]);
    alice.expect("a SETACL Team $staff l", &["a OK Setacl completed"]);
    alice.expect("a SETACL Team anyone@ p", &["a OK Setacl completed"]);
    alice.expect("a SETACL Team \"carol ann\" lr", &["a OK Setacl completed"]);
    alice.expect(
        "a GETACL Team",
        &[
            "* ACL Team alice lrwstipekxacd anyone@ p #staff l bob lrsted -bob ed \"carol ann\" lr",
            "a OK Getacl completed",
        ],
    );
    let file = site.dir.path().join("Maildir/.Team/dovecot-acl");
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "group=anyone@ p\ngroup=staff l\nuser=bob elrts\n-user=bob e\n\"user=carol ann\" lr\n"
    );
    alice.expect("a DELETEACL Team -bob", &["a OK Deleteacl completed"]);
    alice.expect("a DELETEACL Team nobody", &["a OK Deleteacl completed"]);
    alice.expect("a SETACL Team bob \"\"", &["a OK Setacl completed"]);
    for gone in ["#staff", "anyone@", "\"carol ann\""] {
        alice.expect(&format!("a DELETEACL Team {gone}"), &["a OK ..."]);
    }
    alice.expect(
        "a GETACL Team",
        &["* ACL Team alice lrwstipekxacd", "a OK Getacl completed"],
    );
    alice.expect("a SETACL Team bob lQ", &["a BAD ..."]);
    alice.expect("a SETACL Team a=b l", &["a NO [CANNOT] Not an identifier"]);
    alice.expect("a GETACL None", &["a NO [NONEXISTENT] No such mailbox"]);
    alice.expect(
        "a SETACL None bob l",
        &["a NO [NONEXISTENT] No such mailbox"],
    );
}

#[test]
fn rights_that_can_be_given() {
    let site = Site::new();
    let mut alice = site.client();
    for (who, rights) in [
        ("bob", "\"\" l r w s t i p e k x a c d"),
        ("\"-#x y\"", "\"\" l r w s t i p e k x a c d"),
        ("alice", "lrwstipekxacd"),
        ("-owner", "\"\" r w s t i p e k x c d"),
    ] {
        alice.expect(
            &format!("a LISTRIGHTS inbox {who}"),
            &[
                &format!("* LISTRIGHTS INBOX {who} {rights}"),
                "a OK Listrights completed",
            ],
        );
    }
}

#[test]
fn the_owner_can_restrict_himself() {
    let site = Site::new();
    let mut alice = site.client();
    alice.fill("INBOX", 2);
    alice.expect("a SETACL INBOX -owner wsti", &["a OK ..."]);
    alice.expect("a SETACL INBOX owner lr", &["a NO [CANNOT] ..."]);
    alice.expect("a SETACL INBOX -alice a", &["a NO [CANNOT] ..."]);
    alice.expect("a SETACL INBOX alice +l", &["a OK ..."]);
    alice.expect(
        "a MYRIGHTS INBOX",
        &["* MYRIGHTS INBOX lrpekxacd", "a OK Myrights completed"],
    );
    let selected = alice.say("a SELECT INBOX");
    assert!(selected.contains("[PERMANENTFLAGS ()]"), "{selected}");
    assert!(selected.contains("a OK [READ-WRITE]"), "{selected}");
    let refused = ["a NO [NOPERM] Permission denied"];
    alice.expect("a STORE 1 +FLAGS (\\Seen x)", &refused);
    alice.expect("a COPY 1 INBOX", &refused);
    alice.expect("a MOVE 1 INBOX", &refused);
    alice.expect("a EXPUNGE", &["a OK Expunge completed"]);
    let answer = alice.say("a APPEND INBOX {1+}\r\nx");
    assert!(answer.contains("a NO [NOPERM]"), "{answer}");
    // Rights come back at once, and the client is told.
    alice.expect("a DELETEACL INBOX -owner", &["a OK Deleteacl completed"]);
    alice.expect(
        "a NOOP",
        &[
            "* FLAGS ...",
            "* OK [PERMANENTFLAGS (\\Answered...",
            "a OK NOOP completed",
        ],
    );
}

#[test]
fn flags_go_by_rights() {
    let site = Site::new();
    site.alice(&["CREATE Team", "SETACL Team bob lrsi"]);
    site.client().fill("Team", 2);
    site.alice(&["SELECT Team", "STORE 1 +FLAGS (\\Flagged work)"]);
    let mut bob = site.asker("bob");
    let selected = bob.say(&format!("a SELECT {}", of("Team")));
    assert!(selected.contains("[PERMANENTFLAGS (\\Seen)]"), "{selected}");
    assert!(selected.contains("a OK [READ-WRITE]"), "{selected}");
    let flags = |bob: &mut Client| bob.say("a FETCH 1 FLAGS");
    bob.expect("a STORE 1 +FLAGS (\\Deleted new)", &["a NO [NOPERM] ..."]);
    let answer = bob.say("a STORE 1 +FLAGS.SILENT (\\Deleted \\Seen)");
    assert!(answer.contains("(FLAGS (\\Flagged \\Seen work"), "{answer}");
    let answer = bob.say("a STORE 1 FLAGS (\\Draft new)");
    assert!(answer.contains("(FLAGS (\\Flagged work"), "{answer}");
    bob.say("a FETCH 1 BODY[]");
    assert!(flags(&mut bob).contains("(\\Flagged \\Seen work"));
    bob.expect("a EXPUNGE", &["a NO [NOPERM] Permission denied"]);
    bob.expect(&format!("a MOVE 1 {}", of("Team")), &["a NO [NOPERM] ..."]);
    // What is copied or appended has the flags that bob may set.
    let answer = bob.say(&format!("a COPY 1 {}", of("Team")));
    assert!(answer.contains("a OK [COPYUID"), "{answer}");
    let answer = bob.say("a FETCH * FLAGS");
    assert!(answer.contains("FLAGS (\\Seen"), "{answer}");
    assert!(
        !answer.contains("work") && !answer.contains("Flagged"),
        "{answer}"
    );
    let append = format!("a APPEND {} (\\Seen \\Flagged x) {{1+}}\r\nx", of("Team"));
    assert!(bob.say(&append).contains("a OK [APPENDUID"));
    let answer = bob.say("a FETCH * FLAGS");
    assert!(answer.contains("FLAGS (\\Seen"), "{answer}");
    assert!(
        !answer.contains('x') && !answer.contains("Flagged"),
        "{answer}"
    );
}

#[test]
fn a_reader_changes_nothing() {
    let site = Site::new();
    site.alice(&["CREATE Team", "SETACL Team bob lr"]);
    site.client().fill("Team", 2);
    let mut bob = site.asker("bob");
    let selected = bob.say(&format!("a SELECT {}", of("Team")));
    assert!(selected.contains("[PERMANENTFLAGS ()]"), "{selected}");
    assert!(selected.contains("a OK [READ-ONLY]"), "{selected}");
    bob.say("a FETCH 1 BODY[]");
    bob.expect("a STORE 1 FLAGS ()", &["a NO [NOPERM] Permission denied"]);
    bob.expect("a CLOSE", &["a OK Close completed"]);
    let seen = site.client().say("a SELECT Team");
    assert!(seen.contains("* 2 RECENT"), "{seen}");
    assert!(seen.contains("[UNSEEN 1]"), "{seen}");
}

#[test]
fn close_expunges_only_with_the_right() {
    let site = Site::new();
    site.alice(&["CREATE Team", "SETACL Team bob lrt"]);
    site.client().fill("Team", 2);
    let mut bob = site.asker("bob");
    bob.say(&format!("a SELECT {}", of("Team")));
    bob.say("a STORE 1 +FLAGS (\\Deleted)");
    bob.expect("a CLOSE", &["a OK Close completed"]);
    let status = site.client().say("a STATUS Team (MESSAGES DELETED)");
    assert!(status.contains("(MESSAGES 2 DELETED 1)"), "{status}");
}

#[test]
fn what_may_not_be_seen_is_not_there() {
    let site = Site::new();
    site.alice(TEAM);
    site.alice(&["SETACL Team bob lrs", "SETACL Secret bob r"]);
    let mut bob = site.asker("bob");
    let mut carol = site.asker("carol");
    for command in [
        "SELECT %",
        "EXAMINE %",
        "STATUS % (MESSAGES)",
        "DELETE %",
        "GETACL %",
        "SETACL % bob l",
        "DELETEACL % bob",
        "LISTRIGHTS % bob",
        "MYRIGHTS %",
        "CREATE %/new",
        "RENAME % Other",
        "SUBSCRIBE %",
        "APPEND % {1+}\r\nx",
    ] {
        let ask =
            |client: &mut Client, name: &str| tagged(client, &command.replace('%', &of(name)));
        let missing = ask(&mut carol, "Missing");
        assert!(missing.starts_with("NO ["), "{command}: {missing}");
        for name in ["Team", "Team/a", "Secret"] {
            assert_eq!(ask(&mut carol, name), missing, "{command}");
        }
        // Without l, even r shows nothing but to who knows the name.
        let secret = ask(&mut bob, "Secret");
        let known = ["SELECT", "EXAMINE", "STATUS", "MYRIGHTS"];
        if !known.iter().any(|known| command.starts_with(known)) {
            assert_eq!(secret, missing, "{command}");
        }
        let team = ask(&mut bob, "Team");
        let refused = "NO [NOPERM] Permission denied";
        match command.split(' ').next().unwrap() {
            "SELECT" | "EXAMINE" | "STATUS" | "MYRIGHTS" | "SUBSCRIBE" => {
                assert!(team.starts_with("OK"), "{command}: {team}");
            }
            _ => assert_eq!(team, refused, "{command}"),
        }
    }
}

#[test]
fn copies_to_what_may_not_be_seen() {
    let site = Site::new();
    site.alice(&["CREATE Team", "CREATE Secret", "SETACL Team bob lr"]);
    site.client().fill("Team", 1);
    let mut bob = site.asker("bob");
    bob.say(&format!("a SELECT {}", of("Team")));
    let missing = tagged(&mut bob, &format!("COPY 1 {}", of("Missing")));
    assert_eq!(missing, "NO [TRYCREATE] No such mailbox");
    assert_eq!(
        tagged(&mut bob, &format!("COPY 1 {}", of("Secret"))),
        missing
    );
}

#[test]
fn lists_show_what_may_be_seen() {
    let site = Site::new();
    site.alice(&[
        "CREATE A/b/c",
        "CREATE A/hidden",
        "CREATE Sent (USE (\\Sent))",
        "CREATE Team",
        "CREATE Team/hidden",
        "CREATE Empty/",
        "SUBSCRIBE Team",
        "SETACL A/b/c bob lr",
        "SETACL Sent bob l",
        "SETACL Team bob lrx",
    ]);
    let mut bob = site.asker("bob");
    bob.expect(
        "a LIST \"\" \"~alice/*\"",
        &[
            &format!("* LIST (\\Noselect \\HasChildren) \"/\" {}", of("A")),
            &format!("* LIST (\\Noselect \\HasChildren) \"/\" {}", of("A/b")),
            &format!("* LIST (\\HasNoChildren) \"/\" {}", of("A/b/c")),
            &format!("* LIST (\\HasNoChildren) \"/\" {}", of("Sent")),
            &format!("* LIST (\\HasNoChildren) \"/\" {}", of("Team")),
            "a OK List completed",
        ],
    );
    let got = bob.say("a LIST (SUBSCRIBED) \"\" \"~alice/*\"");
    assert!(!got.contains("Team"), "{got}");
    bob.expect(
        "a LIST \"\" \"~alice/*\" RETURN (MYRIGHTS STATUS (MESSAGES))",
        &[
            &format!("* LIST (\\NonExistent \\HasChildren) \"/\" {}", of("A")),
            &format!("* LIST (\\NonExistent \\HasChildren) \"/\" {}", of("A/b")),
            &format!("* LIST (\\HasNoChildren) \"/\" {}", of("A/b/c")),
            &format!("* MYRIGHTS {} lr", of("A/b/c")),
            &format!("* STATUS {} (MESSAGES 0)", of("A/b/c")),
            &format!("* LIST (\\HasNoChildren \\Noselect) \"/\" {}", of("Sent")),
            &format!("* MYRIGHTS {} l", of("Sent")),
            &format!("* LIST (\\HasNoChildren) \"/\" {}", of("Team")),
            &format!("* MYRIGHTS {} lrxc", of("Team")),
            &format!("* STATUS {} (MESSAGES 0)", of("Team")),
            "a OK List completed",
        ],
    );
    site.asker("carol")
        .expect("a LIST \"\" \"~alice/*\"", &["a OK List completed"]);
}

#[test]
fn mailboxes_are_made_deleted_and_renamed_by_right() {
    let site = Site::new();
    site.alice(&["CREATE Team", "SETACL Team bob lrk"]);
    let mut bob = site.asker("bob");
    let mut may = |command: &str, name: &str| tagged(&mut bob, &format!("{command} {}", of(name)));
    assert!(may("CREATE", "Team/a/b").starts_with("OK"));
    let refused = "NO [NOPERM] Permission denied";
    assert_eq!(may("CREATE", "Top"), refused);
    assert_eq!(may("CREATE", "Nowhere/x"), refused);
    assert_eq!(may("DELETE", "Team/a/b"), refused);
    site.alice(&["SETACL Team/a/b bob +x"]);
    let to = |name: &str| format!("Team/a/b {}", of(name));
    assert_eq!(may("RENAME", &to("Top")), refused);
    assert!(may("RENAME", &to("Team/c")).starts_with("OK"));
    assert!(may("DELETE", "Team/c").starts_with("OK"));
    let used = format!("CREATE {} (USE (\\Archive))", of("Team/d"));
    assert!(tagged(&mut bob, &used).starts_with("NO [USEATTR]"));
}

#[test]
fn who_loses_the_right_is_put_out_at_once() {
    let site = Site::new();
    site.alice(&["CREATE Team", "SETACL Team bob lr"]);
    site.client().fill("Team", 1);
    let (mut idle, mut busy) = (site.asker("bob"), site.asker("bob"));
    for bob in [&mut idle, &mut busy] {
        bob.say(&format!("a SELECT {}", of("Team")));
        let doing = bob.session.activity().look();
        assert_eq!(doing.status, format!("Selected {}", of("Team")));
    }
    idle.say("a IDLE");
    let mut watch = idle.session.watch().unwrap();
    watch.mark_unchanged();
    site.alice(&["SETACL Team bob -r"]);
    assert!(watch.has_changed().unwrap());
    let closed = "* OK [CLOSED] Mailbox may not be read any more";
    compare("IDLE", &idle.wake(), &[closed]);
    let refused = "a NO [NOPERM] Mailbox may not be read any more";
    busy.expect("a FETCH 1 BODY[]", &[closed, refused]);
    // All else goes on.
    idle.expect("DONE", &["a OK Idle completed"]);
    for bob in [&mut idle, &mut busy] {
        bob.expect("a FETCH 1 UID", &["a BAD No mailbox selected"]);
        bob.expect("a NOOP", &["a OK NOOP completed"]);
        assert_eq!(bob.session.activity().look().status, "Authenticated");
    }
    // Who has left it for another one is told of that as ever.
    site.alice(&["SETACL Team bob +r", "CREATE Other", "SETACL Other bob lr"]);
    busy.say(&format!("a SELECT {}", of("Team")));
    site.alice(&["SETACL Team bob -r"]);
    let answer = busy.say(&format!("a SELECT {}", of("Other")));
    assert_eq!(answer.matches("[CLOSED]").count(), 1, "{answer}");
    assert!(answer.contains("a OK [READ-ONLY]"), "{answer}");
}

#[test]
fn a_mailbox_that_is_gone_ends_the_session() {
    let site = Site::new();
    site.alice(&["CREATE Team", "SETACL Team bob lr"]);
    let mut bob = site.asker("bob");
    bob.say(&format!("a SELECT {}", of("Team")));
    bob.say("a IDLE");
    site.alice(&["DELETE Team"]);
    assert_eq!(bob.wake(), "* BYE Selected mailbox was deleted\r\n");
    assert_eq!(bob.progress, Progress::End(End::Fatal));
}

#[test]
fn who_loses_the_right_while_reading_reads_no_further() {
    let site = Site::new();
    site.alice(&["CREATE Team", "SETACL Team bob lr"]);
    site.client().fill("Team", 3);
    let mut bob = site.asker("bob");
    bob.say(&format!("a SELECT {}", of("Team")));
    let answer = bob.say_while("a FETCH 1:* BODY.PEEK[]", || {
        site.alice(&["DELETEACL Team bob"]);
    });
    let lines = [
        "* OK [CLOSED] Mailbox may not be read any more",
        "a NO [NOPERM] Mailbox may not be read any more",
    ];
    compare("FETCH", &answer, &lines);
}

#[test]
fn a_command_that_needs_no_mailbox_goes_on_without() {
    let site = Site::new();
    site.alice(&["CREATE Team", "SETACL Team bob lr"]);
    site.alice(&["CREATE Other", "SETACL Other bob lr"]);
    let mut bob = site.asker("bob");
    bob.say(&format!("a SELECT {}", of("Team")));
    let list = format!("a LIST \"\" {}", of("Oth%"));
    let answer = bob.say_while(&list, || site.alice(&["DELETEACL Team bob"]));
    let lines = [
        "* OK [CLOSED] Mailbox may not be read any more",
        "* LIST (\\HasNoChildren) \"/\" ~alice/Other",
        "a OK List completed",
    ];
    compare("LIST", &answer, &lines);
}

#[test]
fn an_editor_can_take_rights_too() {
    let site = Site::new();
    site.alice(&["CREATE Team", "SETACL Team bob lr"]);
    site.client().fill("Team", 1);
    let mut bob = site.asker("bob");
    bob.say(&format!("a SELECT {}", of("Team")));
    let file = site.dir.path().join("Maildir/.Team/dovecot-acl");
    std::fs::write(&file, "user=bob lrs\n").unwrap();
    let answer = bob.say("a NOOP");
    assert!(answer.contains("PERMANENTFLAGS (\\Seen)"), "{answer}");
    std::fs::write(&file, "user=bob lrs\n-user=bob r\n").unwrap();
    bob.expect(
        "a STORE 1 +FLAGS (\\Seen)",
        &["* OK [CLOSED] ...", "a NO [NOPERM] ..."],
    );
}

#[test]
fn an_append_that_takes_long_needs_the_right_at_its_end() {
    let site = Site::new();
    site.alice(&["CREATE Team", "SETACL Team bob li"]);
    let mut bob = site.asker("bob");
    bob.send(format!("a APPEND {} {{3}}\r\n", of("Team")).as_bytes());
    site.alice(&["SETACL Team bob l"]);
    let answer = bob.send(b"abc\r\n");
    assert_eq!(answer, "a NO [NOPERM] Permission denied\r\n");
}

#[test]
fn the_owner_by_another_name_is_the_owner() {
    let site = Site::new();
    site.alice(&["CREATE Team"]);
    let mut alice = site.asker("alice");
    alice.expect(
        &format!("a MYRIGHTS {}", of("Team")),
        &[
            &format!("* MYRIGHTS {} lrwstipekxacd", of("Team")),
            "a OK Myrights completed",
        ],
    );
    assert!(tagged(&mut alice, &format!("CREATE {}", of("Top"))).starts_with("OK"));
}

#[test]
fn notify_tells_of_what_may_be_read() {
    let site = Site::new();
    site.alice(&["CREATE Team", "CREATE Secret", "SETACL Team bob lr"]);
    let mut bob = site.asker("bob");
    let answer = bob.say("a NOTIFY SET STATUS (personal (MessageNew MessageExpunge MailboxName))");
    assert!(answer.contains(&of("Team")), "{answer}");
    assert!(
        !answer.contains("Secret") && !answer.contains("INBOX"),
        "{answer}"
    );
    site.client().fill("Secret", 1);
    site.alice(&["CREATE Other"]);
    assert_eq!(bob.push(), "");
    site.client().fill("Team", 1);
    assert!(bob.push().contains("(MESSAGES 1"));
}

#[test]
fn who_may_see_something_is_told_to_the_registry() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let keep = Arc::clone(&told);
    let hook = SharesHook::new(move |account, all| {
        keep.lock()
            .unwrap()
            .push(format!("{account}: {}", all.join(" ")));
    });
    let site = Site::with(Settings {
        shares: Some(hook),
        ..Settings::default()
    });
    site.alice(&[
        "CREATE A",
        "CREATE B",
        "SETACL A bob lr",
        "SETACL A bob +s",
        "SETACL B #staff l",
        "SETACL B -carol l",
        "DELETEACL A bob",
        "RENAME B C",
        "DELETE C",
    ]);
    assert_eq!(
        *told.lock().unwrap(),
        [
            "alice: bob",
            "alice: #staff bob",
            "alice: #staff -carol bob",
            "alice: #staff -carol",
            "alice: "
        ]
    );
}

/// REPLACE of the selected message 1 into INBOX's neighbour; the answer.
fn replace(client: &mut Client, uid: u32) -> String {
    client.say(&format!(
        "r UID REPLACE {uid} ~alice/Team {{6+}}\r\na: b\r\n"
    ))
}

#[test]
fn replace_needs_the_rights_of_the_moment() {
    let site = Site::new();
    site.alice(&["CREATE Team", "SETACL Team bob lrswite"]);
    let mut alice = site.client();
    alice.fill("Team", 3);
    let mut bob = site.asker("bob");
    bob.say("a SELECT ~alice/Team");
    let answer = replace(&mut bob, 1);
    assert!(answer.contains("r OK "), "{answer}");
    // Taken away before one, and while the message of one is on its way.
    site.alice(&["SETACL Team bob lrswi"]);
    let answer = replace(&mut bob, 2);
    assert!(answer.contains("r NO [NOPERM] "), "{answer}");
    site.alice(&["SETACL Team bob lrswite"]);
    let answer = bob.say("r UID REPLACE 2 ~alice/Team {6}");
    assert!(answer.ends_with("+ OK\r\n"), "{answer}");
    site.alice(&["SETACL Team bob lrswi"]);
    let answer = bob.say("a: b\r\n");
    assert!(answer.contains("r NO [NOPERM] "), "{answer}");
    alice.expect(
        "a STATUS Team (MESSAGES)",
        &["* STATUS Team (MESSAGES 3)", "a OK Status completed"],
    );
    // Without `r` there is nothing selected to replace in.
    site.alice(&["SETACL Team bob li"]);
    let answer = replace(&mut bob, 2);
    assert!(answer.starts_with("* OK [CLOSED] "), "{answer}");
    assert!(answer.contains("r NO [NOPERM] "), "{answer}");
    site.alice(&["SETACL Team bob lrswite"]);
    bob.say("a SELECT ~alice/Team");
    let answer = bob.say("r UID REPLACE 2 ~alice/Team {6}");
    assert!(answer.ends_with("+ OK\r\n"), "{answer}");
    site.alice(&["SETACL Team bob li"]);
    let answer = bob.say("a: b\r\n");
    assert!(answer.contains("r NO [NOPERM] "), "{answer}");
}
