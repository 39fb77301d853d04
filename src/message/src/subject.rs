//! Base subjects (RFC 5256 §2.1): what is left of a subject without the marks
//! of replies, forwards and mailing lists.

/// A subject without its marks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BaseSubject {
    pub text: String,
    /// A mark of a reply or forward was taken away (RFC 5256 §3, REFERENCES,
    /// step 5).
    pub is_reply: bool,
}

/// Takes the marks off a subject that has been decoded.
pub fn base_subject(decoded: &str) -> BaseSubject {
    let text = with_single_blanks(decoded);
    let mut rest = text.as_str();
    let mut is_reply = false;
    loop {
        rest = trim_trailers(rest, &mut is_reply);
        rest = trim_leaders(rest, &mut is_reply);
        match forwarded(rest) {
            Some(inner) => (rest, is_reply) = (inner, true),
            None => break,
        }
    }
    BaseSubject {
        text: rest.to_owned(),
        is_reply,
    }
}

/// Tabs and runs of blanks become one blank (step 1).
fn with_single_blanks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' ' | '\t' | '\r' | '\n' if out.ends_with(' ') => {}
            ' ' | '\t' | '\r' | '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// `subj-trailer = "(fwd)" / WSP` (step 2).
fn trim_trailers<'a>(text: &'a str, is_reply: &mut bool) -> &'a str {
    let mut rest = text.trim_end_matches(' ');
    while let Some((before, mark)) = rest.split_at_checked(rest.len().wrapping_sub(5))
        && mark.eq_ignore_ascii_case("(fwd)")
    {
        *is_reply = true;
        rest = before.trim_end_matches(' ');
    }
    rest
}

/// Steps 3 to 5.
fn trim_leaders<'a>(text: &'a str, is_reply: &mut bool) -> &'a str {
    let mut rest = text;
    loop {
        if let Some(after) = leader(rest) {
            *is_reply = true;
            rest = after;
        } else if let Some(after) = rest.strip_prefix(' ') {
            rest = after;
        } else {
            break;
        }
    }
    // No mark follows these, however many there are: looking for one behind
    // each would take quadratic time.
    while let Some(after) = blob(rest)
        && !after.is_empty()
    {
        rest = after;
    }
    rest
}

/// Behind `*subj-blob subj-refwd`.
fn leader(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(after) = blob(rest) {
        rest = after;
    }
    let rest = ["re", "fwd", "fw"]
        .into_iter()
        .find_map(|mark| strip_word(rest, mark))?;
    let rest = rest.trim_start_matches(' ');
    blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// Behind `subj-blob = "[" *BLOBCHAR "]" *WSP`.
fn blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    let rest = inner.get(end..)?.strip_prefix(']')?;
    Some(rest.trim_start_matches(' '))
}

/// What stands in `[fwd: … ]` (step 6).
fn forwarded(text: &str) -> Option<&str> {
    strip_word(text, "[fwd:")?.strip_suffix(']')
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn marks_go() {
        for (subject, base, is_reply) in [
            ("hello", "hello", false),
            ("Re: hello", "hello", true),
            ("RE:re :\tFW:  hello  (fwd) (FWD)", "hello", true),
            ("[list] Re: [list] hello", "hello", true),
            ("[list] hello", "hello", false),
            ("Re [3]: hello", "hello", true),
            ("[list]", "[list]", false),
            ("Re: [list]", "[list]", true),
            ("[Fwd: Re: hello (fwd)]", "hello", true),
            ("[fwd: [fwd: x]]", "x", true),
            ("[a][b] c", "c", false),
            ("[a [b] c", "[a [b] c", false),
            ("Regards", "Regards", false),
            ("Re", "Re", false),
            ("Re:", "", true),
            ("", "", false),
            ("  a\r\n\t b  ", "a b", false),
            ("Réponse: é", "Réponse: é", false),
        ] {
            let found = base_subject(subject);
            assert_eq!(
                (&*found.text, found.is_reply),
                (base, is_reply),
                "{subject:?}"
            );
        }
    }

    #[test]
    fn many_brackets_take_no_time() {
        let many = "[x]".repeat(500_000);
        assert_eq!(base_subject(&many).text, "[x]");
        assert_eq!(base_subject(&format!("{many} re: {many}a")).text, "a");
    }

    proptest! {
        #[test]
        fn a_base_subject_is_its_own(subject in "(re|fwd|fw|[\\[\\]:() é]|a|\\(fwd\\)|\\[fwd:){0,12}") {
            let once = base_subject(&subject).text;
            prop_assert_eq!(&base_subject(&once).text, &once);
        }
    }
}
