//! Aliases: own names for mailboxes of others, and for own ones.

use super::{World, share};
use crate::Settings;

fn world() -> World {
    let world = World::new();
    share(&world.bob, "Team");
    let mut bob = world.bob.client();
    bob.fill("Team", 3);
    world
}

const SET: &str = "a SETMETADATA Ours (/private/vendor/roost/alias \"~bob/Team\")";

#[test]
fn an_alias_goes_by_its_own_name_everywhere() {
    let world = world();
    let mut client = world.client();
    client.expect(SET, &["a OK Setmetadata completed"]);
    client.expect(
        "a LIST \"\" *",
        &[
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* LIST (\\HasNoChildren) \"/\" Ours",
            "a OK List completed",
        ],
    );
    client.expect(
        "a STATUS Ours (MESSAGES)",
        &["* STATUS Ours (MESSAGES 3)", "a OK Status completed"],
    );
    client.expect(
        "a MYRIGHTS Ours",
        &["* MYRIGHTS Ours lrwstipekxacd", "a OK Myrights completed"],
    );
    let selected = client.say("a SELECT Ours");
    assert!(selected.contains("* 3 EXISTS\r\n"), "{selected}");
    client.expect(
        "a UID FETCH 2 FLAGS",
        &["* 2 FETCH (UID 2 FLAGS (...", "a OK Fetch completed"],
    );
    let copied = client.say("a COPY 1 INBOX");
    assert!(copied.contains("a OK [COPYUID "), "{copied}");
    client.say("a SELECT INBOX");
    let copied = client.say("a COPY 1 Ours");
    assert!(copied.contains("a OK [COPYUID "), "{copied}");
    client.expect(
        "a STATUS ~bob/Team (MESSAGES)",
        &["* STATUS ~bob/Team (MESSAGES 4)", "a OK Status completed"],
    );
    client.expect("a APPEND Ours {6+}\r\na: b\r\n", &["a OK [APPENDUID ..."]);
}

#[test]
fn an_alias_is_deleted_and_renamed_by_itself() {
    let world = world();
    let mut client = world.client();
    client.say(SET);
    client.expect("a CREATE Ours", &["a NO [ALREADYEXISTS] ..."]);
    client.expect("a RENAME Ours Theirs", &["a OK Rename completed"]);
    client.expect(
        "a GETMETADATA Theirs /private/vendor/roost/alias",
        &[
            "* METADATA Theirs (/private/vendor/roost/alias \"~bob/Team\")",
            "a OK Getmetadata completed",
        ],
    );
    client.expect(
        "a SETMETADATA More (/private/vendor/roost/alias \"Theirs\")",
        &["a NO [CANNOT] ..."],
    );
    client.expect(
        "a SETMETADATA INBOX (/private/vendor/roost/alias \"~bob/Team\")",
        &["a NO [ALREADYEXISTS] ..."],
    );
    client.expect("a DELETE Theirs", &["a OK Delete completed"]);
    client.expect(
        "a STATUS Theirs (MESSAGES)",
        &["a NO [NONEXISTENT] No such mailbox"],
    );
    client.expect(
        "a STATUS ~bob/Team (MESSAGES)",
        &["* STATUS ~bob/Team (MESSAGES 3)", "a OK Status completed"],
    );
}

#[test]
fn an_alias_for_an_own_mailbox_and_for_what_may_not_be_seen() {
    let world = world();
    let mut client = world.client();
    client.say("a CREATE Mine");
    client.expect(
        "a SETMETADATA Same (/private/vendor/roost/alias Mine)",
        &["a BAD ..."],
    );
    client.say("a SETMETADATA Same (/private/vendor/roost/alias \"Mine\")");
    client.expect("a APPEND Same {6+}\r\na: b\r\n", &["a OK [APPENDUID ..."]);
    client.expect(
        "a STATUS Mine (MESSAGES)",
        &["* STATUS Mine (MESSAGES 1)", "a OK Status completed"],
    );
    client.say("a SETMETADATA Secret (/private/vendor/roost/alias \"~bob/Secret\")");
    client.say("a SETMETADATA Nobody (/private/vendor/roost/alias \"~dave/Secret\")");
    for name in ["Secret", "Nobody"] {
        client.expect(
            &format!("a SELECT {name}"),
            &["a NO [NONEXISTENT] No such mailbox"],
        );
    }
}

#[test]
fn an_alias_that_stands_for_something_else_is_not_followed_to_what_it_was() {
    let world = world();
    share(&world.carol, "News");
    world.carol.client().fill("News", 1);
    let mut client = world.client();
    client.say(SET);
    let status = |n| format!("* STATUS Ours (MESSAGES {n})");
    let ok = "a OK Status completed";
    client.expect("a STATUS Ours (MESSAGES)", &[&status(3), ok]);
    // In another session.
    let mut other = world.client();
    other.say("a SETMETADATA Ours (/private/vendor/roost/alias \"~carol/News\")");
    client.expect("a STATUS Ours (MESSAGES)", &[&status(1), ok]);
    client.expect("a APPEND Ours {6+}\r\na: b\r\n", &["a OK [APPENDUID ..."]);
    client.expect("a STATUS Ours (MESSAGES)", &[&status(2), ok]);
    // While it is selected.
    client.say("a SELECT Ours");
    other.say(SET);
    client.expect(
        "a FETCH 1 FLAGS",
        &[
            "* OK [CLOSED] Name stands for another mailbox now",
            "a NO [UNAVAILABLE] Mailbox has to be selected again",
        ],
    );
    client.expect("a FETCH 1 FLAGS", &["a BAD No mailbox selected"]);
    let selected = client.say("a SELECT Ours");
    assert!(selected.contains("* 3 EXISTS\r\n"), "{selected}");
    other.say("a DELETE Ours");
    let answer = client.say("a STORE 1 +FLAGS (\\Deleted)");
    assert!(answer.contains("a NO [UNAVAILABLE] "), "{answer}");
}

#[test]
fn the_owner_has_his_own_annotations_by_an_alias_too() {
    let world = World::new();
    let mut client = world.client();
    client.say("a CREATE Mine");
    client.say("a SETMETADATA Same (/private/vendor/roost/alias \"Mine\")");
    client.expect(
        "a SETMETADATA Mine (/private/comment \"one\")",
        &["a OK ..."],
    );
    client.expect(
        "a GETMETADATA Same /private/comment",
        &[
            "* METADATA Same (/private/comment \"one\")",
            "a OK Getmetadata completed",
        ],
    );
}

#[test]
fn an_alias_behind_the_prefix_inbox_is_the_same_in_any_case() {
    let mut world = world();
    let courier = || Settings {
        separator: '.',
        prefix: "INBOX.".into(),
        ..Settings::default()
    };
    world.alice = crate::tests::Site::with(courier());
    world.bob.settings = std::sync::Arc::new(courier());
    let mut client = world.client();
    client.expect(
        "a SETMETADATA INBOX.Ours (/private/vendor/roost/alias \"~bob/Team\")",
        &["a OK Setmetadata completed"],
    );
    for name in ["INBOX.Ours", "inbox.Ours"] {
        client.expect(
            &format!("a STATUS {name} (MESSAGES)"),
            &["* STATUS INBOX.Ours (MESSAGES 3)", "a OK Status completed"],
        );
    }
    client.expect(
        "a STATUS inbox.ours (MESSAGES)",
        &["a NO [NONEXISTENT] ..."],
    );
}

#[test]
fn an_account_with_a_domain_is_reached_by_an_alias_where_dots_separate() {
    let mut world = world();
    let dots = || Settings {
        separator: '.',
        ..Settings::default()
    };
    world.alice = crate::tests::Site::with(dots());
    world.bob.settings = std::sync::Arc::new(dots());
    let mut client = world.client();
    for command in [
        "STATUS ~bob@example.org.Team (MESSAGES)",
        "SELECT ~bob@example.org",
        "APPEND ~bob@example.org.Team {6+}\r\na: b\r\n",
        "SUBSCRIBE ~bob@example.org.Team",
        "GETQUOTA ~bob@example.org",
    ] {
        let answer = client.say(&format!("a {command}"));
        assert!(answer.contains("a NO [CANNOT] With . as "), "{answer}");
    }
    client.expect(
        "a SETMETADATA Ours (/private/vendor/roost/alias \"~bob@example.org/Team\")",
        &["a OK Setmetadata completed"],
    );
    client.expect(
        "a STATUS Ours (MESSAGES)",
        &["* STATUS Ours (MESSAGES 3)", "a OK Status completed"],
    );
}
