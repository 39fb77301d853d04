use super::*;

fn whole(text: &str) -> Shown {
    Shown::Whole(text.to_owned())
}

#[test]
fn commands_are_shown_without_their_literals() {
    assert_eq!(command(b"1 NOOP"), whole("1 NOOP"));
    for literal in [
        &b"1 SEARCH BODY {3}\r\nfoo FROM x"[..],
        b"1 SEARCH BODY {3}\nfoo FROM x",
    ] {
        assert_eq!(command(literal), whole("1 SEARCH BODY {3}"), "{literal:?}");
    }
}

#[test]
fn nothing_is_shown_that_may_be_a_password() {
    for (text, shown) in [
        ("1 login u p", "1 LOGIN ..."),
        ("1  LOGIN u p", "1 LOGIN ..."),
        ("1 LOGIN u \"p", "1 LOGIN ..."),
        ("1 LOGIN u p q", "1 LOGIN ..."),
        ("1 AUTHENTICATE PLAIN AGEAYg==", "1 AUTHENTICATE ..."),
        ("1 AUTHENTICATE", "1 AUTHENTICATE ..."),
        ("1 SELECT secret secret", "1 SELECT ... (22 octets)"),
    ] {
        assert_eq!(command(text.as_bytes()), whole(shown), "{text}");
    }
    for text in [
        "login u p",
        " 1 login u p",
        "1\tlogin\tu p",
        "1\x0bLOGIN u p",
        "1 \"LOGIN\" u p",
        "1 X LOGIN u p",
        // After AUTHENTICATE, and after a line end within a password.
        "AHUxAFRvcFNlY3JldA==",
        "pass\"",
        "pass word\"",
    ] {
        let shown = command(text.as_bytes());
        assert_eq!(shown, Shown::Untagged("...".to_owned()), "{text}");
    }
}

#[test]
fn only_the_last_line_of_an_answer_is_shown() {
    let fetched = b"* 1 FETCH (BODY[] {6}\r\nbody\r\n)\r\n1 OK done\r\n";
    assert_eq!(last_line(fetched), Some(&b"1 OK done"[..]));
    assert_eq!(last_line(b"+ go on\r\n"), Some(&b"+ go on"[..]));
    assert_eq!(last_line(b"* 1 EXISTS\r\n"), None);
    assert_eq!(last_line(b""), None);
    assert_eq!(last_line(b"in the middle"), None);
}

#[test]
fn what_looked_like_a_tag_is_not_shown_in_the_answer() {
    assert_eq!(untagged(b"AHUx BAD no"), Some(&b"BAD no"[..]));
    assert_eq!(untagged(b"+ go on"), None);
}
