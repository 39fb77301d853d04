//! Threads as THREAD writes them.

use super::*;
use proptest::prelude::*;

fn written(forest: &Forest) -> String {
    let (mut out, mut walk) = (String::new(), forest.walk());
    let mut after_number = false;
    while let Some(item) = walk.next(forest) {
        match item {
            Item::Open => out += if after_number { " (" } else { "(" },
            Item::Close => out += ")",
            Item::Message(n) => {
                let blank = if after_number { " " } else { "" };
                out += &format!("{blank}{}", n + 1);
            }
        }
        after_number = matches!(item, Item::Message(_));
    }
    out
}

/// A message: date, subject (0: none; negative: a reply), ID, references.
type Mail<'a> = (i64, i64, &'a str, &'a [&'a str]);

fn member((date, subject, ..): Mail<'_>) -> Member {
    Member {
        date,
        subject: subject.unsigned_abs(),
        is_reply: subject < 0,
    }
}

fn builder(mails: &[Mail<'_>]) -> References {
    let mut all = References::new();
    for &mail in mails {
        let (.., id, references) = mail;
        let id = (!id.is_empty()).then(|| all.hash(id.as_bytes()));
        let references: Vec<u64> = references.iter().map(|r| all.hash(r.as_bytes())).collect();
        all.add(member(mail), id, &references);
    }
    all
}

fn references(mails: &[Mail<'_>]) -> String {
    written(&builder(mails).references())
}

fn refs(mails: &[Mail<'_>]) -> String {
    written(&builder(mails).refs())
}

#[test]
fn by_subject_alone() {
    let members = |list: &[(i64, u64)]| -> Vec<Member> {
        let member = |&(date, subject)| Member {
            date,
            subject,
            is_reply: false,
        };
        list.iter().map(member).collect()
    };
    let all = members(&[(5, 1), (1, 2), (3, 1), (4, 1), (9, 2), (2, 0)]);
    assert_eq!(written(&ordered_subject(&all)), "(2 5)(6)(3 (4)(1))");
    assert_eq!(written(&ordered_subject(&[])), "");
    // The same time: in the order of the mailbox.
    let all = members(&[(1, 1), (1, 2), (1, 1), (1, 2)]);
    assert_eq!(written(&ordered_subject(&all)), "(1 3)(2 4)");
}

#[test]
fn by_references() {
    // A chain, then two answers to its middle.
    let chain: [Mail<'_>; 4] = [
        (1, 0, "a", &[]),
        (2, 0, "b", &["a"]),
        (4, 0, "d", &["a", "b"]),
        (3, 0, "c", &["a", "b"]),
    ];
    assert_eq!(references(&chain), "(1 2 (4)(3))");
    // Answers to what is not there.
    assert_eq!(
        references(&[(1, 0, "b", &["a"]), (2, 0, "c", &["a"])]),
        "((1)(2))"
    );
    assert_eq!(references(&[(1, 0, "b", &["a", "x"])]), "(1)");
    // What is not there, between others.
    assert_eq!(
        references(&[
            (1, 0, "a", &[]),
            (3, 0, "c", &["a", "b"]),
            (2, 0, "d", &["a", "b"])
        ]),
        "(1 (3)(2))"
    );
    // The answer comes first in the mailbox.
    assert_eq!(
        references(&[(2, 0, "b", &["a"]), (1, 0, "a", &[])]),
        "(2 1)"
    );
    // The same ID twice: the second is a message of its own.
    assert_eq!(
        references(&[(1, 0, "a", &[]), (2, 0, "a", &[]), (3, 0, "b", &["a"])]),
        "(1 3)(2)"
    );
    // Without an ID.
    assert_eq!(references(&[(1, 0, "", &[]), (2, 0, "", &[])]), "(1)(2)");
}

#[test]
fn circles_are_not_closed() {
    assert_eq!(
        references(&[(1, 0, "a", &["b"]), (2, 0, "b", &["a"])]),
        "(2 1)"
    );
    assert_eq!(references(&[(1, 0, "a", &["a"])]), "(1)");
    assert_eq!(references(&[(1, 0, "a", &["b", "c", "b", "a"])]), "(1)");
}

#[test]
fn a_truncated_chain_is_mended() {
    // The second message links b to x; b itself knows better.
    let mails: [Mail<'_>; 4] = [
        (1, 0, "a", &[]),
        (5, 0, "c", &["x", "b"]),
        (2, 0, "b", &["a"]),
        (3, 0, "x", &[]),
    ];
    assert_eq!(references(&mails), "(1 3 2)(4)");
}

#[test]
fn threads_of_one_subject_come_together() {
    // An answer without references under its original.
    assert_eq!(references(&[(1, 7, "a", &[]), (2, -7, "b", &[])]), "(1 2)");
    // The original comes later: it is the parent all the same.
    assert_eq!(references(&[(1, -7, "b", &[]), (2, 7, "a", &[])]), "(2 1)");
    // Two of a kind are siblings.
    assert_eq!(
        references(&[(1, 7, "a", &[]), (2, 7, "b", &[])]),
        "((1)(2))"
    );
    assert_eq!(
        references(&[(1, -7, "a", &[]), (2, -7, "b", &[]), (3, -7, "c", &[])]),
        "((1)(2)(3))"
    );
    // Siblings without a parent take in what else has their subject.
    let family: [Mail<'_>; 5] = [
        (1, -7, "b", &["a"]),
        (2, -7, "c", &["a"]),
        (3, 7, "d", &[]),
        (5, -7, "f", &["e"]),
        (4, -7, "g", &["e"]),
    ];
    assert_eq!(references(&family), "((1)(2)(3)(5)(4))");
    // No subject, nothing in common.
    assert_eq!(references(&[(1, 0, "a", &[]), (2, 0, "b", &[])]), "(1)(2)");
    // REFS does not look at subjects.
    assert_eq!(refs(&[(1, 7, "a", &[]), (2, -7, "b", &[])]), "(1)(2)");
}

#[test]
fn refs_go_by_the_latest_message() {
    let mails: [Mail<'_>; 4] = [
        (1, 0, "a", &[]),
        (2, 0, "b", &[]),
        (3, 0, "c", &["b"]),
        (9, 0, "d", &["a"]),
    ];
    assert_eq!(references(&mails), "(1 4)(2 3)");
    assert_eq!(refs(&mails), "(2 3)(1 4)");
    let siblings: [Mail<'_>; 3] = [(1, 0, "b", &["a"]), (9, 0, "c", &["a"]), (5, 0, "x", &[])];
    assert_eq!(references(&siblings), "((1)(2))(3)");
    assert_eq!(refs(&siblings), "(3)((1)(2))");
}

#[test]
fn long_threads_take_no_stack() {
    let count = 200_000u64;
    let mut all = References::new();
    for n in 0..count {
        // Backwards: each message is the answer to the one behind it.
        let (id, parent) = (n, n + 1);
        let member = Member {
            date: 0,
            subject: 0,
            is_reply: false,
        };
        all.add(member, Some(id), &[parent]);
    }
    let forest = all.references();
    let text = written(&forest);
    assert!(
        text.starts_with("(200000 199999 199998 "),
        "{}",
        &text[..40]
    );
    assert!(text.ends_with(" 2 1)") && text.matches('(').count() == 1);
}

/// Deep threads that answer one another: looking for circles must end.
#[test]
fn hostile_references_take_no_time() {
    let mut all = References::new();
    let member = Member {
        date: 0,
        subject: 0,
        is_reply: false,
    };
    let deep = 50_000u64;
    for n in 1..deep {
        all.add(member, Some(n), &[n - 1]);
    }
    for n in 0..deep {
        // A parent below the deepest, whose child is there already.
        let (child, parent) = (deep * 2 + n, deep * 4 + n);
        all.add(member, Some(child), &[parent]);
        all.add(member, Some(parent), &[deep - 1]);
    }
    let forest = all.refs();
    assert_eq!(
        written(&forest)
            .split([' ', '(', ')'])
            .filter(|w| !w.is_empty())
            .count(),
        149_999
    );
}

/// Messages with few IDs, so that all cases of step 1 occur.
fn mails() -> impl Strategy<Value = Vec<(i64, i64, u8, Vec<u8>)>> {
    prop::collection::vec(
        (
            0i64..6,
            -3i64..4,
            0u8..9,
            prop::collection::vec(0u8..9, 0..5),
        ),
        0..25,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_message_is_there_once(mails in mails()) {
        const IDS: [&str; 9] = ["", "a", "b", "c", "d", "e", "f", "g", "h"];
        let text = |list: &[u8]| -> Vec<&str> {
            list.iter().map(|&n| IDS[n as usize]).filter(|id| !id.is_empty()).collect()
        };
        let lists: Vec<Vec<&str>> = mails.iter().map(|m| text(&m.3)).collect();
        let mails: Vec<Mail<'_>> = mails.iter().zip(&lists)
            .map(|(m, list)| (m.0, m.1, IDS[m.2 as usize], list.as_slice()))
            .collect();
        let members: Vec<Member> = mails.iter().map(|&m| member(m)).collect();
        let forests = [
            builder(&mails).references(),
            builder(&mails).refs(),
            ordered_subject(&members),
        ];
        for forest in forests {
            let text = written(&forest);
            let mut found: Vec<usize> = text
                .split([' ', '(', ')'])
                .filter(|w| !w.is_empty())
                .map(|w| w.parse().unwrap())
                .collect();
            found.sort_unstable();
            prop_assert_eq!(found, (1..=mails.len()).collect::<Vec<_>>());
            // No empty parentheses, and none around a single thread.
            prop_assert!(!text.contains("()"), "{}", text);
            let (mut depth, mut alone) = (0i32, Vec::new());
            for c in text.chars() {
                match c {
                    '(' => { depth += 1; alone.push(0); }
                    ')' => {
                        depth -= 1;
                        let inner = alone.pop().unwrap();
                        prop_assert!(inner != 1, "one thread alone inside: {}", text);
                        if let Some(outer) = alone.last_mut() { *outer += 1; }
                    }
                    _ => {}
                }
            }
            prop_assert_eq!(depth, 0);
        }
    }

    /// Without subjects, and where all that is referred to comes before, a
    /// message's parent is its last reference.
    #[test]
    fn the_last_reference_is_the_parent(parents in prop::collection::vec(any::<prop::sample::Index>(), 1..30)) {
        let mut all = References::new();
        let mut expected = vec![NONE];
        let zero = Member { date: 0, subject: 0, is_reply: false };
        all.add(zero, Some(1), &[]);
        for (n, parent) in parents.iter().enumerate() {
            let parent = parent.index(n + 1) as u64 + 1;
            expected.push(parent as u32 - 1);
            all.add(Member { date: n as i64, ..zero }, Some(n as u64 + 2), &[parent]);
        }
        let forest = all.references();
        let order: Vec<u32> = (0..expected.len() as u32).collect();
        let expected = Forest::new(&order, &expected, order.len() as u32);
        prop_assert_eq!(written(&forest), written(&expected));
    }
}
