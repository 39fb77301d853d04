//! LIST and LSUB.

use super::{Client, Site, impatient};
use crate::Settings;

/// The tree of RFC 9051 §6.3.9.8, example 8.
fn example(client: &mut Client) {
    for name in [
        "foo2",
        "foo2/bar1",
        "foo2/bar2",
        "baz2",
        "baz2/bar2",
        "baz2/bar22",
        "baz2/bar222",
        "eps2",
        "eps2/mamba",
        "qux2/bar2",
    ] {
        client.say(&format!("c CREATE {name}"));
    }
    for name in [
        "foo2/bar1",
        "foo2/bar2",
        "baz2/bar2",
        "baz2/bar22",
        "baz2/bar222",
        "eps2",
        "eps2/mamba",
        "qux2/bar2",
    ] {
        client.say(&format!("c SUBSCRIBE {name}"));
    }
}

#[test]
fn recursive_match_of_the_rfc() {
    let site = Site::new();
    let mut client = site.client();
    example(&mut client);
    client.expect(
        "a LIST (RECURSIVEMATCH SUBSCRIBED) \"\" \"*2\"",
        &[
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" baz2/bar2",
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" baz2/bar22",
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" baz2/bar222",
            "* LIST (\\HasChildren \\Subscribed) \"/\" eps2 (\"CHILDINFO\" (\"SUBSCRIBED\"))",
            "* LIST (\\HasChildren) \"/\" foo2 (\"CHILDINFO\" (\"SUBSCRIBED\"))",
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" foo2/bar2",
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" qux2/bar2",
            "a OK List completed",
        ],
    );
}

#[test]
fn levels_above() {
    let site = Site::new();
    let mut client = site.client();
    client.say("c CREATE music/rock");
    client.expect(
        "a LIST \"\" %",
        &[
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* LIST (\\Noselect \\HasChildren) \"/\" music",
            "a OK List completed",
        ],
    );
    client.expect(
        "a LIST \"\" (inbox music/%)",
        &[
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* LIST (\\HasNoChildren) \"/\" music/rock",
            "a OK List completed",
        ],
    );
    client.expect(
        "a LIST music/ %",
        &[
            "* LIST (\\HasNoChildren) \"/\" music/rock",
            "a OK List completed",
        ],
    );
    client.expect(
        "a LIST \"\" \"\"",
        &["* LIST (\\Noselect) \"/\" \"\"", "a OK List completed"],
    );
    client.expect("a LIST \"\" (\"\")", &["a OK List completed"]);
    client.expect("a LIST \"\" \"&AO\"", &["a OK List completed"]);
}

#[test]
fn subscriptions_to_what_is_not_there() {
    let site = Site::new();
    let mut client = site.client();
    client.say("c CREATE Fruit");
    client.expect("a SUBSCRIBE Fruit/Peach", &["a OK Subscribe completed"]);
    client.expect("a SUBSCRIBE gone/too", &["a OK Subscribe completed"]);
    client.expect(
        "a LIST (SUBSCRIBED) \"\" *",
        &[
            "* LIST (\\NonExistent \\Subscribed) \"/\" Fruit/Peach",
            "* LIST (\\NonExistent \\Subscribed) \"/\" gone/too",
            "a OK List completed",
        ],
    );
    client.expect(
        "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %",
        &[
            "* LIST (\\HasNoChildren) \"/\" Fruit (\"CHILDINFO\" (\"SUBSCRIBED\"))",
            "* LIST (\\NonExistent) \"/\" gone (\"CHILDINFO\" (\"SUBSCRIBED\"))",
            "a OK List completed",
        ],
    );
    client.expect(
        "a LIST \"\" * RETURN (SUBSCRIBED)",
        &[
            "* LIST (\\HasNoChildren) \"/\" Fruit",
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "a OK List completed",
        ],
    );
    client.expect("a UNSUBSCRIBE gone/too", &["a OK Unsubscribe completed"]);
    client.expect("a UNSUBSCRIBE gone/too", &["a OK Unsubscribe completed"]);
}

#[test]
fn lsub_shows_levels_only_for_percent() {
    let site = Site::new();
    let mut client = site.client();
    client.say("c SUBSCRIBE foo/bar");
    client.say("c SUBSCRIBE INBOX");
    client.expect(
        "a LSUB \"\" *",
        &[
            "* LSUB () \"/\" INBOX",
            "* LSUB () \"/\" foo/bar",
            "a OK Lsub completed",
        ],
    );
    client.expect(
        "a LSUB \"\" %",
        &[
            "* LSUB () \"/\" INBOX",
            "* LSUB (\\Noselect) \"/\" foo",
            "a OK Lsub completed",
        ],
    );
    client.expect("a LSUB \"\" foo", &["a OK Lsub completed"]);
    client.expect(
        "a LSUB foo/ %",
        &["* LSUB () \"/\" foo/bar", "a OK Lsub completed"],
    );
}

#[test]
fn status_comes_behind_its_mailbox() {
    let site = Site::new();
    let mut client = site.client();
    client.fill("INBOX", 1);
    client.say("c CREATE dir/");
    client.expect(
        "a LIST \"\" % RETURN (STATUS (MESSAGES UIDNEXT))",
        &[
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* STATUS INBOX (MESSAGES 1 UIDNEXT 2)",
            "* LIST (\\Noselect \\HasNoChildren) \"/\" dir",
            "a OK List completed",
        ],
    );
}

#[test]
fn a_prefix_of_its_own_is_a_level() {
    let site = Site::with(Settings {
        prefix: "Mail/".into(),
        ..Settings::default()
    });
    let mut client = site.client();
    client.expect("a CREATE Mail/x", &["a OK [MAILBOXID (..."]);
    client.expect(
        "a LIST \"\" %",
        &[
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* LIST (\\Noselect \\HasChildren) \"/\" Mail",
            "a OK List completed",
        ],
    );
    client.expect(
        "a LIST \"\" % RETURN (CHILDREN)",
        &[
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* LIST (\\NonExistent \\HasChildren) \"/\" Mail",
            "a OK List completed",
        ],
    );
    client.expect(
        "a LIST Mail/ \"\"",
        &["* LIST (\\Noselect) \"/\" Mail/", "a OK List completed"],
    );
    client.expect(
        "a NAMESPACE",
        &[
            "* NAMESPACE ((\"Mail/\" \"/\")) ((\"~\" \"/\")) NIL",
            "a OK Namespace completed",
        ],
    );
}

/// Files whose names tell no size are read for it, once; others have their
/// turn meanwhile, and who leaves does not wait for it.
#[test]
fn sizes_that_nobody_knows_are_found_out_in_steps() {
    for (command, told) in [
        ("STATUS Old (SIZE OLDEST)", "[INPROGRESS (\"a\" "),
        ("LIST \"\" Old RETURN (STATUS (SIZE OLDEST))", "[INPROGRESS"),
    ] {
        let site = Site::with(impatient());
        let mut client = site.client();
        client.say("a CREATE Old");
        let cur = site.dir.path().join("Maildir/.Old/cur");
        for n in 0..2000 {
            let path = cur.join(format!("{n}.M1P1.host:2,S"));
            std::fs::write(path, "Subject: x\n\n").unwrap();
        }
        let (got, steps) = in_steps(&mut client, command);
        assert!(steps >= 8, "{command}: {steps}");
        assert!(got.contains(told), "{got}");
        let status = "* STATUS Old (SIZE 28000 OLDEST \"";
        assert!(got.contains(status), "{got}");
        // All of it is known now.
        let (got, steps) = in_steps(&mut client, command);
        assert!(steps < 8, "{command}: {steps}");
        assert!(got.contains(status), "{got}");
    }
}

/// What is said, and in how many steps.
fn in_steps(client: &mut Client, command: &str) -> (String, usize) {
    let mut out = Vec::new();
    client.framer.push(format!("a {command}\r\n").as_bytes());
    let frame = client.framer.next_frame().unwrap();
    client.progress = client.session.take(frame, &mut out);
    let mut steps = 0;
    while client.progress == crate::Progress::More {
        client.progress = client.session.step(&mut out);
        steps += 1;
    }
    (String::from_utf8(out).unwrap(), steps)
}
