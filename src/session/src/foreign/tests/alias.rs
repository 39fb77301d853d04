//! Aliases: own names for mailboxes of others, and for own ones.

use super::{World, share};

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
