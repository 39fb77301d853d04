//! `$MDN` and `$MDNSent` are one flag.

use super::Site;

#[test]
fn a_flag_is_told_by_the_name_that_its_session_used_last() {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 2);
    a.say("a SELECT INBOX");
    b.say("b SELECT INBOX");
    let flags = a.say("a STORE 1 +FLAGS ($MDN)");
    assert!(flags.contains("\\Draft $MDN)\r\n"), "{flags}");
    assert!(flags.contains("FETCH (FLAGS ($MDN"), "{flags}");
    let told = b.say("b NOOP");
    assert!(told.contains("\\Draft $MDNSent)\r\n"), "{told}");
    assert!(
        told.contains(
            "[PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $MDNSent \\*)]"
        ),
        "{told}"
    );
    assert!(told.contains("FETCH (FLAGS ($MDNSent"), "{told}");
    b.expect(
        "b SEARCH KEYWORD $mdn",
        &["* SEARCH 1", "b OK Search completed"],
    );
    b.expect(
        "b FETCH 1 FLAGS",
        &["* 1 FETCH (FLAGS ($MDN))", "b OK Fetch completed"],
    );
    b.expect(
        "b SEARCH UNKEYWORD $MDNSent",
        &["* SEARCH 2", "b OK Search completed"],
    );
    b.expect(
        "b FETCH 1 FLAGS",
        &["* 1 FETCH (FLAGS ($MDNSent))", "b OK Fetch completed"],
    );
    let names = std::fs::read_to_string(site.dir.path().join("Maildir/dovecot-keywords"));
    assert_eq!(names.unwrap(), "0 $MDNSent\n");
    b.say("b APPEND INBOX ($MDN) {2+}\r\nx\n");
    let both = b.say("b FETCH 1:* FLAGS");
    assert!(both.contains("* 3 FETCH (FLAGS ($MDN \\Recent))"), "{both}");
    b.say("b STORE 1:3 -FLAGS.SILENT ($MDNSent)");
    b.expect(
        "b SEARCH KEYWORD $MDN",
        &["* SEARCH", "b OK Search completed"],
    );
}

#[test]
fn messages_that_others_gave_the_short_name_have_the_same_flag() {
    let site = Site::new();
    let mut a = site.client();
    a.fill("INBOX", 1);
    let maildir = site.dir.path().join("Maildir");
    std::fs::write(maildir.join("dovecot-keywords"), "0 $MDN\n").unwrap();
    a.say("a SELECT INBOX");
    let file = std::fs::read_dir(maildir.join("cur")).unwrap().next();
    let path = file.unwrap().unwrap().path();
    let named = format!("{}a", path.display());
    std::fs::rename(&path, named).unwrap();
    a.say("a NOOP");
    a.expect(
        "a FETCH 1 FLAGS",
        &[
            "* 1 FETCH (FLAGS ($MDNSent \\Recent))",
            "a OK Fetch completed",
        ],
    );
    a.expect(
        "a SEARCH KEYWORD $MDNSent",
        &["* SEARCH 1", "a OK Search completed"],
    );
    a.say("a STORE 1 +FLAGS ($MDNSent)");
    a.expect(
        "a STORE 1 -FLAGS ($MDNSent)",
        &["* 1 FETCH (FLAGS (\\Recent))", "a OK Store completed"],
    );
}
