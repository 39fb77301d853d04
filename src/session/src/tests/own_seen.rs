//! `shared_seen = each`: a `\Seen` of his own for everybody who reads a mailbox
//! of another account.

use super::{Client, Site};
use crate::Settings;
use roost_types::MailboxName;

/// alice's site with a mailbox of four messages, of which she has seen the
/// first; bob and carol may read it.
fn site() -> Site {
    let site = Site::with(Settings {
        own_seen: true,
        ..Settings::default()
    });
    site.alice(&[
        "CREATE Team",
        "SETACL Team bob lr",
        "SETACL Team carol lrswi",
    ]);
    site.client().fill("Team", 4);
    site.alice(&["SELECT Team", "STORE 1 +FLAGS (\\Seen)"]);
    site
}

fn selected(site: &Site, who: &str) -> Client {
    let mut client = site.asker(who);
    let answer = client.say("s SELECT ~alice/Team (CONDSTORE)");
    assert!(answer.contains("s OK [READ-WRITE]"), "{answer}");
    assert!(answer.contains("\\Seen"), "{answer}");
    client
}

/// The numbers of the messages that are seen.
fn seen(client: &mut Client) -> String {
    let answer = client.say("q SEARCH SEEN");
    let line = answer.lines().find(|l| l.starts_with("* SEARCH")).unwrap();
    let unseen = client.say("q SEARCH RETURN (COUNT) UNSEEN");
    let both = line.split_whitespace().count() - 2;
    let told = format!("COUNT {}", 4 - both);
    assert!(unseen.contains(&told), "{answer}{unseen}");
    line["* SEARCH".len()..].trim().to_owned()
}

fn modseq(line: &str) -> u64 {
    let at = line.find("MODSEQ").unwrap();
    let digits = line[at..].chars().skip_while(|c| !c.is_ascii_digit());
    let digits: String = digits.take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn each_reader_has_seen_what_it_has_seen() {
    let site = site();
    let mut alice = site.client();
    alice.say("s SELECT Team");
    let mut bob = selected(&site, "bob");
    let mut carol = selected(&site, "carol");
    assert_eq!(seen(&mut bob), "");
    let answer = bob.say("a FETCH 2 BODY[TEXT]");
    assert!(answer.contains("FLAGS (\\Seen)"), "{answer}");
    bob.say("a STORE 3:4 +FLAGS (\\Seen)");
    bob.say("a STORE 4 -FLAGS.SILENT (\\Seen)");
    carol.say("a STORE 1 FLAGS (\\Seen \\Flagged)");
    assert_eq!(seen(&mut bob), "2 3");
    assert_eq!(seen(&mut carol), "1");
    assert_eq!(seen(&mut alice), "1");
    // The other flags are for all, and take nobody's \Seen away.
    let flags = bob.say("a FETCH 1:2 FLAGS");
    assert!(flags.contains("* 1 FETCH (FLAGS (\\Flagged)"), "{flags}");
    carol.say("a STORE 1 FLAGS ()");
    assert_eq!(seen(&mut carol), "");
    assert_eq!(seen(&mut alice), "1");
    bob.say("a NOOP");
    // Without `s`, `w` and the others there is nothing else to change.
    bob.expect("a STORE 1 +FLAGS (\\Flagged)", &["a NO [NOPERM] ..."]);
    bob.expect(
        "a MYRIGHTS ~alice/Team",
        &["* MYRIGHTS ~alice/Team lr", "a OK Myrights completed"],
    );
    bob.expect(
        "a STATUS ~alice/Team (MESSAGES UNSEEN)",
        &[
            "* STATUS ~alice/Team (MESSAGES 4 UNSEEN 2)",
            "a OK Status completed",
        ],
    );
    // Nothing is changed by a look.
    let mut look = site.asker("bob");
    look.say("s EXAMINE ~alice/Team");
    look.say("a FETCH 1 BODY[]");
    look.expect("a STORE 1 +FLAGS (\\Seen)", &["a NO [READ-ONLY] ..."]);
    assert_eq!(seen(&mut look), "2 3");
}

#[test]
fn it_lasts_and_goes_with_the_right_to_read() {
    let site = site();
    selected(&site, "bob").say("a STORE 2:3 +FLAGS (\\Seen)");
    selected(&site, "carol").say("a STORE 1 +FLAGS (\\Seen)");
    let file = site.dir.path().join("Maildir/.Team/roost-seen");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(" 2:3 bob\n"), "{text}");
    assert!(text.contains(" 1 carol\n"), "{text}");
    // Another process.
    let again = site.second();
    assert_eq!(seen(&mut selected(&again, "bob")), "2 3");
    site.alice(&["RENAME Team Other", "RENAME Other Team"]);
    let mut bob = selected(&site, "bob");
    assert_eq!(seen(&mut bob), "2 3");
    drop(bob);
    site.alice(&["SETACL Team bob -r"]);
    site.alice(&["SETACL Team bob +r"]);
    assert_eq!(seen(&mut selected(&site, "bob")), "");
    assert_eq!(seen(&mut selected(&site, "carol")), "1");
    // Who is in a group may have lost it in many ways: SELECT tells.
    site.alice(&["SETACL Team #staff lr", "DELETEACL Team carol"]);
    assert_eq!(seen(&mut selected(&site, "carol")), "1");
    site.alice(&["SETACL Team -carol r"]);
    let mut carol = site.asker("carol");
    carol.expect("s SELECT ~alice/Team", &["s NO [NOPERM] ..."]);
    site.alice(&["DELETEACL Team -carol"]);
    assert_eq!(seen(&mut selected(&site, "carol")), "");
}

#[test]
fn other_sessions_of_the_reader_are_told_and_others_are_not() {
    let site = site();
    let mut bob = selected(&site, "bob");
    let mut other = selected(&site, "bob");
    let mut carol = selected(&site, "carol");
    for client in [&mut other, &mut carol] {
        client.say("i IDLE");
    }
    let wakes = other.session.watch().unwrap();
    let answer = bob.say("a STORE 2 +FLAGS (\\Seen)");
    let told = modseq(&answer);
    assert!(wakes.has_changed().unwrap());
    let pushed = other.wake();
    assert!(
        pushed.contains("* 2 FETCH (UID 2 FLAGS (\\Seen)"),
        "{pushed}"
    );
    assert_eq!(modseq(&pushed), told);
    assert_eq!(carol.wake(), "");
    // A change of the owner's comes later, and everybody sees that.
    let mut alice = site.client();
    alice.say("s SELECT Team (CONDSTORE)");
    let later = modseq(&alice.say("a STORE 3 +FLAGS (\\Answered)"));
    assert!(later > told);
    assert!(other.wake().contains("* 3 FETCH (UID 3 FLAGS (\\Answered)"));
    assert!(carol.wake().contains("* 3 FETCH (UID 3 FLAGS (\\Answered)"));
    let status = bob.say("a STATUS ~alice/Team (HIGHESTMODSEQ)");
    assert!(
        status.contains(&format!("HIGHESTMODSEQ {later}")),
        "{status}"
    );
}

#[test]
fn own_changes_have_modseqs() {
    let site = site();
    let mut bob = selected(&site, "bob");
    let first = modseq(&bob.say("a STORE 2 +FLAGS (\\Seen)"));
    let second = modseq(&bob.say("a STORE 3 +FLAGS (\\Seen)"));
    assert!(second > first);
    bob.expect(
        &format!("a FETCH 1:* (FLAGS) (CHANGEDSINCE {first})"),
        &["* 3 FETCH (FLAGS (\\Seen) ...", "a OK ..."],
    );
    // Another session of bob's has been there.
    let mut other = selected(&site, "bob");
    let third = modseq(&other.say("a STORE 2 -FLAGS (\\Seen)"));
    let store = format!("a STORE 2,3 (UNCHANGEDSINCE {second}) +FLAGS (\\Seen)");
    let answer = bob.say(&store);
    assert!(answer.contains("a OK [MODIFIED 2]"), "{answer}");
    assert_eq!(seen(&mut bob), "3");
    // What alice does to other flags is no matter.
    site.alice(&["SELECT Team", "STORE 2 +FLAGS (work)"]);
    let store = format!("a STORE 2 (UNCHANGEDSINCE {third}) +FLAGS (\\Seen)");
    let answer = other.say(&store);
    assert!(answer.contains("a OK Store completed"), "{answer}");
    assert_eq!(seen(&mut other), "2 3");
    // A process that comes later knows the last number only: nobody misses
    // anything, and who has heard of all is told nothing.
    let last = modseq(&other.say("a FETCH 2 (MODSEQ)"));
    drop((bob, other));
    let again = site.again();
    let mut bob = again.asker("bob");
    bob.say("e ENABLE QRESYNC");
    bob.say("s SELECT ~alice/Team");
    bob.expect(
        &format!("a FETCH 1:* (FLAGS) (CHANGEDSINCE {last})"),
        &["a OK ..."],
    );
    let all = bob.say(&format!("a FETCH 1:* (FLAGS) (CHANGEDSINCE {second})"));
    assert!(all.contains("* 2 FETCH (FLAGS (\\Seen work)"), "{all}");
    let next = modseq(&bob.say("a STORE 4 +FLAGS (\\Seen)"));
    assert!(next > last);
}

#[test]
fn what_is_added_has_been_seen_by_who_adds_it() {
    let site = site();
    let mut carol = selected(&site, "carol");
    carol.say("a STORE 2 +FLAGS (\\Seen)");
    let answer = carol.say("a COPY 1:2 ~alice/Team");
    assert!(answer.contains("a OK [COPYUID"), "{answer}");
    carol.say("a NOOP");
    let flags = carol.say("a FETCH 5:6 FLAGS");
    assert!(flags.contains("* 5 FETCH (FLAGS (\\Recent)"), "{flags}");
    assert!(
        flags.contains("* 6 FETCH (FLAGS (\\Seen \\Recent)"),
        "{flags}"
    );
    let append = "a APPEND ~alice/Team () {1+}\r\nx (\\Seen) {1+}\r\nx";
    assert!(carol.say(append).contains("a OK [APPENDUID"));
    let flags = carol.say("a FETCH 7:8 FLAGS");
    assert!(flags.contains("* 7 FETCH (FLAGS (\\Recent)"), "{flags}");
    assert!(
        flags.contains("* 8 FETCH (FLAGS (\\Seen \\Recent)"),
        "{flags}"
    );
    // alice had seen the first, and so its copy; she has seen nothing of what
    // carol has put there.
    let mut alice = site.client();
    alice.say("s SELECT Team");
    alice.expect("a SEARCH SEEN", &["* SEARCH 1 5", "a OK ..."]);
}

#[test]
fn what_is_locked_stays_and_the_owner_is_no_reader() {
    let site = site();
    let mut self_by_name = site.asker("alice");
    self_by_name.say("s SELECT ~alice/Team");
    self_by_name.say("a STORE 2 +FLAGS (\\Seen)");
    assert_eq!(seen(&mut self_by_name), "1 2");
    assert!(!site.dir.path().join("Maildir/.Team/roost-seen").exists());
    let team = MailboxName::parse("Team", '/').unwrap();
    site.account.set_locked(&team, true).unwrap();
    let mut bob = site.asker("bob");
    let answer = bob.say("s SELECT ~alice/Team");
    assert!(answer.contains("s OK [READ-ONLY]"), "{answer}");
    bob.expect("a STORE 2 +FLAGS (\\Seen)", &["a NO [NOPERM] ..."]);
}

#[test]
fn what_it_makes_no_difference_to_is_told_without_a_look_at_it() {
    let site = site();
    let file = site.dir.path().join("Maildir/.Team/roost-seen");
    std::fs::create_dir(file).unwrap();
    let mut bob = site.asker("bob");
    bob.expect(
        "a STATUS ~alice/Team (MESSAGES UIDNEXT SIZE)",
        &["* STATUS ~alice/Team (MESSAGES 4 ...", "a OK ..."],
    );
    bob.expect("a STATUS ~alice/Team (MESSAGES UNSEEN)", &["a NO ..."]);
}

/// Of two who know the same of a message one changes it, and the other hears so.
#[test]
fn a_condition_holds_for_two_at_once() {
    let site = site();
    let mut both = [selected(&site, "bob"), selected(&site, "bob")];
    for _ in 0..100 {
        let since = both.each_mut().map(|client| {
            client.say("n NOOP");
            modseq(&client.say("m FETCH 2 (MODSEQ)"))
        });
        assert_eq!(since[0], since[1]);
        let seen = both[0].say("f FETCH 2 (FLAGS)").contains("\\Seen");
        let sign = if seen { '-' } else { '+' };
        let store = format!(
            "s STORE 2 (UNCHANGEDSINCE {}) {sign}FLAGS (\\Seen)",
            since[0]
        );
        let start = std::sync::Barrier::new(2);
        let modified = std::thread::scope(|scope| {
            let threads = both.each_mut().map(|client| {
                scope.spawn(|| {
                    start.wait();
                    client.say(&store).contains("[MODIFIED 2]")
                })
            });
            threads.map(|thread| thread.join().unwrap())
        });
        assert_ne!(modified[0], modified[1]);
    }
}

#[test]
fn messages_that_go_take_their_marks_with_them() {
    let site = site();
    let mut bob = selected(&site, "bob");
    bob.say("a STORE 1:3 +FLAGS (\\Seen)");
    site.alice(&["SELECT Team", "STORE 2 +FLAGS (\\Deleted)", "EXPUNGE"]);
    let answer = bob.say("a NOOP");
    assert!(answer.contains("* 2 EXPUNGE"), "{answer}");
    bob.expect(
        "a STATUS ~alice/Team (MESSAGES UNSEEN)",
        &[
            "* STATUS ~alice/Team (MESSAGES 3 UNSEEN 1)",
            "a OK Status completed",
        ],
    );
}
