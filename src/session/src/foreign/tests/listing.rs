//! Names of other accounts' mailboxes, subscribed and listed.

use super::{World, share};

#[test]
fn names_that_begin_with_a_tilde() {
    let world = World::new();
    share(&world.bob, "Team");
    world.bob.client().say("a CREATE Secret");
    let mut client = world.client();
    client.expect(
        "a LIST \"\" \"*\"",
        &[
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "a OK List completed",
        ],
    );
    client.expect(
        "b LIST \"\" \"~%\"",
        &[
            "* LIST (\\Noselect \\HasChildren) \"/\" ~bob",
            "* LIST (\\Noselect \\HasChildren) \"/\" ~carol",
            "b OK List completed",
        ],
    );
    let below = |tag: &str, command: &str, client: &mut super::Asking<'_>| {
        let got = client.say(&format!("{tag} {command}"));
        let names = got.lines().filter(|l| l.starts_with("* LIST"));
        names
            .map(|l| l.rsplit(' ').next().unwrap().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        below("c", "LIST \"\" \"~bob/%\"", &mut client),
        ["~bob/INBOX", "~bob/Team"]
    );
    assert_eq!(
        below("d", "LIST \"~bob/\" \"T*\"", &mut client),
        ["~bob/Team"]
    );
    assert_eq!(
        below("e", "LIST \"\" \"~*\"", &mut client),
        ["~bob", "~bob/INBOX", "~bob/Team", "~carol", "~carol/INBOX"]
    );
    assert_eq!(below("f", "LIST \"\" \"~nobody/*\"", &mut client), [""; 0]);
    assert_eq!(
        below("g", "LIST \"\" (\"*\" \"~bob/T%\")", &mut client),
        ["INBOX", "~bob/Team"]
    );
    client.expect(
        "h LIST \"\" ~bob/Team RETURN (STATUS (MESSAGES))",
        &[
            "* LIST (\\HasNoChildren) \"/\" ~bob/Team",
            "* STATUS ~bob/Team (MESSAGES 0)",
            "h OK List completed",
        ],
    );
    client.expect(
        "i LIST \"~bob/\" \"\"",
        &["* LIST (\\Noselect) \"/\" ~", "i OK List completed"],
    );
    client.expect(
        "j NAMESPACE",
        &[
            "* NAMESPACE ((\"\" \"/\")) ((\"~\" \"/\")) NIL",
            "j OK Namespace completed",
        ],
    );
}

#[test]
fn subscriptions_are_the_askers() {
    let world = World::new();
    let mut client = world.client();
    client.expect("a SUBSCRIBE ~bob/Team", &["a OK Subscribe completed"]);
    client.expect(
        "b SUBSCRIBE ~nobody/Not/There",
        &["b OK Subscribe completed"],
    );
    client.expect("c SUBSCRIBE Own", &["c OK Subscribe completed"]);
    client.expect(
        "d LSUB \"\" \"*\"",
        &[
            "* LSUB () \"/\" Own",
            "* LSUB () \"/\" ~bob/Team",
            "* LSUB () \"/\" ~nobody/Not/There",
            "d OK Lsub completed",
        ],
    );
    client.expect(
        "e LIST (SUBSCRIBED) \"\" \"~bob/*\"",
        &[
            "* LIST (\\Subscribed) \"/\" ~bob/Team",
            "e OK List completed",
        ],
    );
    client.expect(
        "f UNSUBSCRIBE ~nobody/Not/There",
        &["f OK Unsubscribe completed"],
    );
    client.expect(
        "g LSUB \"\" \"~*\"",
        &["* LSUB () \"/\" ~bob/Team", "g OK Lsub completed"],
    );
    let bob = world.bob.client().say("h LSUB \"\" \"*\"");
    assert!(!bob.contains("Team"), "{bob}");
}
