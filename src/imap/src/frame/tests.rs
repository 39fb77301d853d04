//! The framer as its callers see it.

mod append;

use super::*;
use proptest::prelude::*;

fn tag(text: &str) -> Option<Tag> {
    Tag::new(text.as_bytes())
}

fn small() -> Limits {
    Limits {
        line: 100,
        literal_total: 50,
        literals: 3,
        sasl_line: 40,
        swallow: 300,
        append_messages: 2,
    }
}

/// A caller that takes messages up to 20 octets and answers IDLE and
/// AUTHENTICATE.
struct Caller {
    framer: Framer,
    seen: Vec<Frame>,
}

impl Caller {
    fn new(limits: Limits) -> Self {
        Self {
            framer: Framer::new(limits),
            seen: Vec::new(),
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.framer.push(bytes);
        while let Some(frame) = self.framer.next_frame() {
            self.react(&frame);
            match (&frame, self.seen.last_mut()) {
                // How data is cut into pieces is no matter.
                (Frame::AppendData(more), Some(Frame::AppendData(data))) => {
                    data.extend_from_slice(more);
                }
                _ => self.seen.push(frame),
            }
        }
    }

    fn react(&mut self, frame: &Frame) {
        match frame {
            Frame::Command(c) if c.ends_with(b" IDLE") => self.framer.expect_done(),
            Frame::Command(c) if c.ends_with(b" AUTH") => self.framer.expect_line(),
            Frame::AppendStart(start) => self.decide(&start.message),
            Frame::AppendNext(message) => self.decide(message),
            _ => {}
        }
    }

    fn decide(&mut self, message: &AppendMessage) {
        if message.size <= 20 {
            self.framer.accept_append();
        } else {
            self.framer.refuse_append();
        }
    }
}

fn frames(limits: Limits, bytes: &[u8]) -> Vec<Frame> {
    let mut caller = Caller::new(limits);
    caller.feed(bytes);
    caller.seen
}

fn command(text: &str) -> Frame {
    Frame::Command(text.as_bytes().to_vec())
}

fn data(text: &str) -> Frame {
    Frame::AppendData(text.as_bytes().to_vec())
}

fn bad(t: &str, reason: &'static str) -> Frame {
    Frame::Bad {
        tag: tag(t),
        reason,
    }
}

fn too_long(t: &str) -> Frame {
    Frame::TooLong { tag: tag(t) }
}

#[test]
fn pipelined_commands_with_either_line_end() {
    assert_eq!(
        frames(small(), b"a NOOP\r\nb NOOP\nc NO"),
        [command("a NOOP"), command("b NOOP")]
    );
}

#[test]
fn literals_stay_in_place() {
    assert_eq!(
        frames(small(), b"a LOGIN {5}\r\na\r\nb {3+}\r\nx\ny\r\nb NOOP\r\n"),
        [
            Frame::NeedContinuation,
            command("a LOGIN {5}\r\na\r\nb {3+}\r\nx\ny"),
            command("b NOOP"),
        ]
    );
}

#[test]
fn a_literal_and_what_is_behind_it_announce_nothing_together() {
    assert_eq!(
        frames(small(), b"a X {2+}\r\n{9}\r\nb NOOP\r\n"),
        [command("a X {2+}\r\n{9}"), command("b NOOP")]
    );
}

#[test]
fn a_tag_without_an_end_is_none() {
    let none = Frame::TooLong { tag: None };
    let text = format!("{}\r\nb NOOP\r\n", "x".repeat(120));
    assert_eq!(frames(small(), text.as_bytes()), [none, command("b NOOP")]);
}

#[test]
fn an_empty_line_is_bad_without_a_tag() {
    let empty = Frame::Bad {
        tag: None,
        reason: "Empty command line",
    };
    assert_eq!(
        frames(small(), b"\r\na NOOP\r\n"),
        [empty, command("a NOOP")]
    );
    // An empty line behind a literal is only the end of the command.
    assert_eq!(frames(small(), b"{0+}\r\n\r\n"), [command("{0+}\r\n")]);
}

#[test]
fn lines_up_to_the_limit() {
    let line = |n: usize| format!("a {}\r\n", "x".repeat(n - 4));
    assert_eq!(
        frames(small(), line(100).as_bytes()),
        [command(line(100).trim_end())]
    );
    let text = format!("{}b NOOP\r\n", line(101));
    assert_eq!(
        frames(small(), text.as_bytes()),
        [too_long("a"), command("b NOOP")]
    );
    // Literals are not counted, the lines around them are.
    let text = format!("a {{40+}}\r\n{}{}\r\n", "l".repeat(40), "x".repeat(89));
    assert_eq!(frames(small(), text.as_bytes()).len(), 1);
    assert!(matches!(
        frames(small(), text.as_bytes())[..],
        [Frame::Command(_)]
    ));
    let text = format!("a {{40+}}\r\n{}{}\r\n", "l".repeat(40), "x".repeat(90));
    assert_eq!(frames(small(), text.as_bytes()), [too_long("a")]);
}

#[test]
fn a_long_line_that_announces_a_literal_takes_it_along() {
    let text = format!("a {} {{9+}}\r\nb NOOP\r\n\r\nc NOOP\r\n", "x".repeat(150));
    // 9 octets: "b NOOP\r\n\r"; then the line ends.
    assert_eq!(
        frames(small(), text.as_bytes()),
        [too_long("a"), command("c NOOP")]
    );
    // A literal that the client does not send unasked is not waited for.
    let text = format!("a {} {{9}}\r\nb NOOP\r\n", "x".repeat(150));
    assert_eq!(
        frames(small(), text.as_bytes()),
        [too_long("a"), command("b NOOP")]
    );
}

#[test]
fn literals_up_to_the_limits() {
    let text = |n: usize| format!("a {{{n}+}}\r\n{}\r\nb NOOP\r\n", "\n".repeat(n));
    assert_eq!(frames(small(), text(50).as_bytes()).len(), 2);
    assert_eq!(
        frames(small(), text(51).as_bytes()),
        [too_long("a"), command("b NOOP")]
    );
    // Together they count as well.
    let two = |n: usize| {
        format!(
            "a {{30+}}\r\n{} {{{n}}}\r\n{}",
            "x".repeat(30),
            "b NOOP\r\n"
        )
    };
    assert_eq!(
        frames(small(), two(20).as_bytes()),
        [Frame::NeedContinuation]
    );
    assert_eq!(
        frames(small(), two(21).as_bytes()),
        [too_long("a"), command("b NOOP")]
    );
    // And so does their number.
    let many = |n: usize| format!("a {}\r\n", "{0+}\r\n".repeat(n));
    assert!(matches!(
        frames(small(), many(3).as_bytes())[..],
        [Frame::Command(_)]
    ));
    assert_eq!(frames(small(), many(4).as_bytes()), [too_long("a")]);
}

#[test]
fn what_is_read_away_has_a_limit() {
    let fatal = |text: &str| {
        let seen = frames(small(), text.as_bytes());
        matches!(seen[..], [Frame::Fatal { .. }])
    };
    let literal = |n: usize| format!("a {{{n}+}}\r\n{}\r\nb NOOP\r\n", "x".repeat(n));
    assert!(!fatal(&literal(298)));
    assert!(fatal(&literal(299)), "the line end is too much");
    assert!(fatal(&literal(301)));
    assert!(fatal("a {99999999999999999999999999+}\r\nb NOOP\r\n"));
    let line = |n: usize| format!("a{}\nb NOOP\r\n", "x".repeat(n - 2));
    assert!(!fatal(&line(300)));
    assert!(fatal(&line(301)));
    // A client that waits has sent nothing that could be mistaken.
    assert_eq!(
        frames(small(), b"a {99999999999999999999999999}\r\nb NOOP\r\n"),
        [too_long("a"), command("b NOOP")]
    );
}

#[test]
fn nothing_comes_behind_fatal() {
    let mut framer = Framer::new(small());
    framer.push(b"a {999+}\r\n");
    assert!(matches!(framer.next_frame(), Some(Frame::Fatal { .. })));
    framer.push(b"b NOOP\r\n");
    assert_eq!(framer.next_frame(), None);
    assert_eq!(framer.buffered(), 0);
}

#[test]
fn idle_takes_done_and_what_is_behind_it() {
    assert_eq!(
        frames(small(), b"a IDLE\r\ndone\r\nb NOOP\r\n"),
        [command("a IDLE"), Frame::Done, command("b NOOP")]
    );
    assert_eq!(
        frames(small(), b"a IDLE\r\nb FETCH {6+}\r\nDONE\r\n\r\nc NOOP\r\n"),
        [
            command("a IDLE"),
            bad("b", "DONE expected"),
            command("c NOOP")
        ]
    );
    let long = format!("a IDLE\r\nb {}\r\nc NOOP\r\n", "x".repeat(100));
    assert_eq!(
        frames(small(), long.as_bytes()),
        [command("a IDLE"), too_long("b"), command("c NOOP")]
    );
}

#[test]
fn sasl_lines() {
    assert_eq!(
        frames(
            small(),
            b"a AUTH\r\nAGEAYg==\r\nb AUTH\r\n*\r\nc AUTH\r\n\r\nd NOOP\r\n"
        ),
        [
            command("a AUTH"),
            Frame::Line(b"AGEAYg==".to_vec()),
            command("b AUTH"),
            Frame::Cancel,
            command("c AUTH"),
            Frame::Line(Vec::new()),
            command("d NOOP"),
        ]
    );
    let line = |n: usize| format!("a AUTH\r\n{}\r\nb NOOP\r\n", "A".repeat(n - 2));
    assert!(matches!(
        frames(small(), line(40).as_bytes())[..],
        [_, Frame::Line(_), _]
    ));
    // No tag: what was sent there is a secret.
    let seen = frames(small(), line(41).as_bytes());
    assert_eq!(seen[1], Frame::TooLong { tag: None });
    assert_eq!(seen[2], command("b NOOP"));
}

#[test]
fn an_idle_framer_holds_no_memory() {
    let mut framer = Framer::new(Limits::AUTHENTICATED);
    assert!(framer.is_idle());
    framer.push(&b"a NOOP\r\n".repeat(1000));
    while framer.next_frame().is_some() {}
    assert!(framer.is_idle());
    assert_eq!(framer.memory(), 0);
    framer.push(&b"a NOOP\r\n".repeat(1000));
    framer.push(b"b NO");
    while framer.next_frame().is_some() {}
    assert!(!framer.is_idle());
    assert!(framer.memory() < 100);
}

#[test]
fn the_rest_is_what_no_frame_had() {
    let mut framer = Framer::new(small());
    framer.push(b"a STARTTLS\r\nb NOOP\r\nc");
    assert_eq!(framer.next_frame(), Some(command("a STARTTLS")));
    assert_eq!(framer.buffered(), 9);
    assert_eq!(framer.take_rest(), b"b NOOP\r\nc");
    assert!(framer.is_idle());
    framer.push(b"d NOOP\r\n");
    assert_eq!(framer.next_frame(), Some(command("d NOOP")));
}

/// Pieces of which streams are made that reach every state.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let fixed = prop::sample::select(vec![
        &b"a NOOP\r\n"[..],
        b"a IDLE\r\n",
        b"a AUTH\r\n",
        b"DONE\r\n",
        b"*\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"a APPEND box ",
        b"a APPEND ",
        b"{3}\r\n",
        b"{3+}\r\n",
        b"~{9+}\r\n",
        b"{30+}\r\n",
        b"{30}\r\n",
        b"{80+}\r\n",
        b"(\\Seen) ",
        b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        b"{1",
        b"+}",
        b"000000000000000000000000000000001+}\r\n",
    ])
    .prop_map(<[u8]>::to_vec);
    prop_oneof![
        8 => fixed,
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ]
}

#[test]
fn a_logout_is_seen_before_it_is_due() {
    let next = |bytes: &[u8]| {
        let mut framer = Framer::new(small());
        framer.push(bytes);
        framer.logout_is_next()
    };
    assert!(next(b"a LOGOUT\r\n"));
    assert!(next(b"a logout\n"));
    for other in [
        &b"a LOGOUT"[..],
        b"LOGOUT\r\n",
        b" LOGOUT\r\n",
        b"a LOGOUT now\r\n",
        b"a NOOP\r\nb LOGOUT\r\n",
        b"",
    ] {
        assert!(!next(other), "{other:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6000))]

    #[test]
    fn how_octets_arrive_is_no_matter(
        pieces in prop::collection::vec(piece(), 0..30),
        cuts in prop::collection::vec(1usize..40, 1..20),
    ) {
        let stream = pieces.concat();
        let at_once = frames(small(), &stream);
        let mut single = Caller::new(small());
        for b in &stream {
            single.feed(std::slice::from_ref(b));
        }
        prop_assert_eq!(&single.seen, &at_once);
        let mut cut = Caller::new(small());
        let mut rest = &stream[..];
        for n in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*n).min(rest.len()));
            cut.feed(now);
            rest = later;
        }
        prop_assert_eq!(&cut.seen, &at_once);
    }

    #[test]
    fn what_is_held_is_bounded(pieces in prop::collection::vec(piece(), 0..60)) {
        let limits = small();
        let mut caller = Caller::new(limits.clone());
        for b in pieces.concat() {
            caller.feed(&[b]);
            prop_assert!(caller.framer.buffered() <= limits.line + limits.literal_total);
        }
    }
}
