//! FETCH in whole sessions, on Maildirs of their own.

use super::binary::Binary;
use super::body::{Body, Value};
use super::plan::Need;
use super::source::Source;
use crate::{Identity, Progress, Session, Settings};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use roost_imap::Frame;
use roost_imap::command::{Partial, Section, SectionText};
use roost_message::Structure;
use roost_store::{Account, AccountOptions, Options, Store};
use roost_types::SessionId;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// A session that has INBOX selected, with the messages that were put there.
pub(crate) struct Bench {
    pub session: Session,
    account: Arc<Account>,
    _store: Arc<Store>,
    dir: TempDir,
}

impl Bench {
    /// Messages by their flags (letters of file names) and octets.
    pub fn new(messages: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for sub in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(dir.path().join(sub)).unwrap();
        }
        for (i, (flags, bytes)) in messages.iter().enumerate() {
            let name = format!("cur/{}.M{i}P1.host:2,{flags}", 1_000_000_000 + i);
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        Self::open(dir)
    }

    fn open(dir: TempDir) -> Self {
        let store = Store::new(Options::default()).unwrap();
        let account = store
            .account("alice", dir.path(), AccountOptions::default())
            .unwrap();
        let mut bench = Self {
            session: new_session(&account),
            account,
            _store: store,
            dir,
        };
        let selected = bench.run("s SELECT INBOX");
        assert!(selected.contains("s OK"), "{selected}");
        bench
    }

    /// The file of the message that was put in `index`th.
    pub fn path(&self, index: usize) -> PathBuf {
        let mark = format!(".M{index}P1.");
        std::fs::read_dir(self.dir.path().join("cur"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_string_lossy().contains(&mark))
            .unwrap()
    }

    /// The same Maildir in a process of its own, as far as anybody can tell.
    pub fn again(self) -> Self {
        let Self {
            session,
            account,
            _store,
            dir,
        } = self;
        drop((session, account, _store));
        Self::open(dir)
    }

    /// What is kept of the messages, where there is an index.
    pub fn cache(&self) -> PathBuf {
        let index = std::fs::read_dir(self.dir.path().join("roost-index")).unwrap();
        let mut files = index.map(|entry| entry.unwrap().path());
        files
            .find(|path| path.extension().is_some_and(|e| e == "cache"))
            .unwrap()
    }

    pub fn other(&self) -> Session {
        let mut session = new_session(&self.account);
        drive(&mut session, "s SELECT INBOX", |_| {});
        session
    }

    /// How long a command may be silent.
    pub fn interval(&mut self, interval: std::time::Duration) {
        let mut settings = Settings::clone(&self.session.settings);
        settings.running_interval = Some(interval);
        self.session.settings = Arc::new(settings);
    }

    pub fn octets(&mut self, command: &str) -> Vec<u8> {
        drive(&mut self.session, command, |_| {})
    }

    pub fn run(&mut self, command: &str) -> String {
        let octets = self.octets(command);
        String::from_utf8_lossy(&octets).into_owned()
    }
}

fn new_session(account: &Arc<Account>) -> Session {
    let identity = Identity {
        session: SessionId(1),
        user: "alice".into(),
    };
    Session::new(identity, Arc::clone(account), Arc::new(Settings::default()))
}

/// Runs one command to its end; `between` sees how much each step appended.
pub(crate) fn drive(
    session: &mut Session,
    command: &str,
    mut between: impl FnMut(usize),
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut progress = session.take(Frame::Command(command.as_bytes().to_vec()), &mut out);
    loop {
        match progress {
            Progress::More => {
                let before = out.len();
                progress = session.step(&mut out);
                between(out.len() - before);
            }
            Progress::Next | Progress::End(_) => return out,
            other => panic!("{other:?}"),
        }
    }
}

const SIMPLE: &[u8] =
    b"From: Joe <joe@x.test>\nSubject: hello\nDate: Mon, 1 Jan 2024 10:00:00 +0000\n\
    X-Other: 1\n\nline one\nline two\n";

const MULTI: &[u8] = b"Subject: multi\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\n\
    first\n--x\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n\
    aGVsbG8AIHdvcmxk\n--x\nContent-Type: message/rfc822\n\nSubject: inner\n\ninner body\n\
    --x\nContent-Transfer-Encoding: x-odd\n\nodd\n--x\nContent-Transfer-Encoding: quoted-printable\n\n\
    caf=C3=A9=\n!\n--x--\n";

#[test]
fn items_that_need_no_file() {
    let mut bench = Bench::new(&[("", SIMPLE), ("FS", MULTI)]);
    let all = bench.run("a FETCH 1:2 (FLAGS UID)");
    assert!(all.contains("* 1 FETCH (FLAGS () UID 1)\r\n"), "{all}");
    assert!(
        all.contains("* 2 FETCH (FLAGS (\\Flagged \\Seen) UID 2)\r\n"),
        "{all}"
    );
    assert!(all.ends_with("a OK Fetch completed\r\n"), "{all}");
    let all = bench.run("b UID FETCH 2 FLAGS");
    assert_eq!(
        all,
        "* 2 FETCH (UID 2 FLAGS (\\Flagged \\Seen))\r\nb OK Fetch completed\r\n"
    );
    let size = String::from_utf8_lossy(SIMPLE).replace('\n', "\r\n").len();
    let fast = bench.run("c FETCH 1 FAST");
    assert!(
        fast.starts_with("* 1 FETCH (FLAGS () INTERNALDATE \""),
        "{fast}"
    );
    assert!(fast.contains(&format!("RFC822.SIZE {size})\r\n")), "{fast}");
    assert_eq!(
        bench.run("d UID FETCH 77 FLAGS"),
        "d OK Fetch completed\r\n"
    );
    assert!(bench.run("e FETCH 3 FLAGS").starts_with("e BAD "));
}

#[test]
fn envelope_and_header_fields() {
    let mut bench = Bench::new(&[("S", SIMPLE)]);
    let answer = bench.run(
        "a FETCH 1 (ENVELOPE BODY.PEEK[HEADER.FIELDS (subject X-None)] \
         BODY[HEADER.FIELDS.NOT (From Date)]<3.9> RFC822.HEADER)",
    );
    let joe = "((\"Joe\" NIL \"joe\" \"x.test\"))";
    assert_eq!(
        answer,
        format!(
            "* 1 FETCH (ENVELOPE (\"Mon, 1 Jan 2024 10:00:00 +0000\" \"hello\" {joe} {joe} {joe} \
             NIL NIL NIL NIL NIL) BODY[HEADER.FIELDS (subject X-None)] {{18}}\r\n\
             Subject: hello\r\n\r\n BODY[HEADER.FIELDS.NOT (From Date)]<3> {{9}}\r\n\
             ject: hel RFC822.HEADER {{92}}\r\nFrom: Joe <joe@x.test>\r\nSubject: hello\r\n\
             Date: Mon, 1 Jan 2024 10:00:00 +0000\r\nX-Other: 1\r\n\r\n)\r\na OK Fetch completed\r\n"
        )
    );
}

#[test]
fn bodies_and_their_parts() {
    let mut bench = Bench::new(&[("S", MULTI)]);
    let mut section = |name: &str| {
        let answer = bench.run(&format!("a FETCH 1 {name}"));
        let head = "* 1 FETCH (";
        let body = answer
            .strip_prefix(head)
            .unwrap_or_else(|| panic!("{answer}"));
        body.strip_suffix(")\r\na OK Fetch completed\r\n")
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    };
    let whole = String::from_utf8_lossy(MULTI).replace('\n', "\r\n");
    assert_eq!(
        section("BODY[]"),
        format!("BODY[] {{{}}}\r\n{whole}", whole.len())
    );
    assert_eq!(
        section("RFC822"),
        format!("RFC822 {{{}}}\r\n{whole}", whole.len())
    );
    assert_eq!(section("BODY[1]"), "BODY[1] {5}\r\nfirst");
    assert_eq!(section("BODY.PEEK[1]<1.3>"), "BODY[1]<1> {3}\r\nirs");
    assert_eq!(section("BODY[1]<5.3>"), "BODY[1]<5> \"\"");
    assert_eq!(
        section("BODY[1]<999999999999.3>"),
        "BODY[1]<999999999999> \"\""
    );
    assert_eq!(section("BODY[]<9.5>"), "BODY[]<9> {5}\r\nmulti");
    assert_eq!(section("BODY[TEXT]<0.5>"), "BODY[TEXT]<0> {5}\r\n--x\r\n");
    assert_eq!(
        section("BODY[3]"),
        "BODY[3] {28}\r\nSubject: inner\r\n\r\ninner body"
    );
    assert_eq!(
        section("BODY[3.HEADER]"),
        "BODY[3.HEADER] {18}\r\nSubject: inner\r\n\r\n"
    );
    assert_eq!(
        section("BODY[3.HEADER.FIELDS (Subject)]"),
        "BODY[3.HEADER.FIELDS (Subject)] {18}\r\nSubject: inner\r\n\r\n"
    );
    assert_eq!(section("BODY[3.TEXT]"), "BODY[3.TEXT] {10}\r\ninner body");
    assert_eq!(section("BODY[3.1]"), "BODY[3.1] {10}\r\ninner body");
    assert_eq!(section("BODY[1.MIME]"), "BODY[1.MIME] {2}\r\n\r\n");
    assert_eq!(section("BODY[9]"), "BODY[9] NIL");
    assert_eq!(section("BODY[1.TEXT]"), "BODY[1.TEXT] NIL");
    assert!(section("BODYSTRUCTURE").ends_with("\"mixed\" (\"boundary\" \"x\") NIL NIL NIL)"));
    assert!(section("BODY").ends_with("\"mixed\")"));
}

#[test]
fn binary_parts() {
    let mut bench = Bench::new(&[("S", MULTI)]);
    let answer = bench.octets("a FETCH 1 (BINARY.SIZE[2] BINARY[2] BINARY[2]<3.4> BINARY.PEEK[5])");
    let expected = "* 1 FETCH (BINARY.SIZE[2] 12 BINARY[2] ~{12}\r\nhello\0 world \
        BINARY[2]<3> ~{4}\r\nlo\0  BINARY[5] {6}\r\ncafé!)\r\na OK Fetch completed\r\n";
    assert_eq!(String::from_utf8_lossy(&answer), expected);
    let answer = bench.run("b FETCH 1 (BINARY[4] BINARY.SIZE[4] UID)");
    assert_eq!(
        answer,
        "* 1 FETCH (UID 1)\r\nb NO [UNKNOWN-CTE] Content transfer encoding not known\r\n"
    );
    let answer = bench.run("c FETCH 1 (BINARY[9] BINARY.SIZE[9] BINARY.SIZE[3] BINARY.SIZE[])");
    let size = MULTI.len() + MULTI.iter().filter(|&&b| b == b'\n').count();
    assert!(
        answer.starts_with(&format!(
            "* 1 FETCH (BINARY[9] NIL BINARY.SIZE[9] 0 BINARY.SIZE[3] 28 BINARY.SIZE[] {size})"
        )),
        "{answer}"
    );
}

#[test]
fn nul_is_served_as_0x80_except_in_binary() {
    let mut bench = Bench::new(&[("S", b"A: b\n\nx\0y\n")]);
    let answer = bench.octets("a FETCH 1 (BODY[TEXT] BINARY[1])");
    let expected: &[u8] =
        b"* 1 FETCH (BODY[TEXT] {5}\r\nx\x80y\r\n BINARY[1] ~{5}\r\nx\0y\r\n)\r\na OK Fetch completed\r\n";
    assert_eq!(answer, expected);
}

#[test]
fn reading_a_body_sets_seen_and_says_so() {
    let mut bench = Bench::new(&[("", SIMPLE), ("", SIMPLE), ("S", SIMPLE)]);
    let answer = bench.run("a FETCH 1 BODY.PEEK[TEXT]");
    assert!(!answer.contains("FLAGS"), "{answer}");
    let answer = bench.run("b FETCH 1,3 BODY[TEXT]");
    assert_eq!(
        answer,
        "* 1 FETCH (FLAGS (\\Seen) BODY[TEXT] {20}\r\nline one\r\nline two\r\n)\r\n\
         * 3 FETCH (BODY[TEXT] {20}\r\nline one\r\nline two\r\n)\r\nb OK Fetch completed\r\n"
    );
    let answer = bench.run("c FETCH 2 (FLAGS RFC822.TEXT)");
    assert!(
        answer.starts_with("* 2 FETCH (FLAGS (\\Seen) RFC822.TEXT {20}"),
        "{answer}"
    );
    assert_eq!(answer.matches("FLAGS").count(), 1, "{answer}");
    assert!(bench.path(1).to_string_lossy().ends_with(":2,S"));
}

#[test]
fn an_examined_mailbox_stays_as_it_is() {
    let mut bench = Bench::new(&[("", SIMPLE)]);
    bench.run("a EXAMINE INBOX");
    let answer = bench.run("b FETCH 1 BODY[TEXT]");
    assert!(!answer.contains("FLAGS"), "{answer}");
    assert!(bench.path(0).to_string_lossy().ends_with(":2,"));
}

#[test]
fn messages_that_are_gone() {
    let mut bench = Bench::new(&[("S", SIMPLE), ("S", SIMPLE), ("S", SIMPLE)]);
    let mut other = bench.other();
    drive(&mut other, "x STORE 2 FLAGS \\Deleted", |_| {});
    let answer = drive(&mut other, "x EXPUNGE", |_| {});
    assert!(String::from_utf8_lossy(&answer).contains("* 2 EXPUNGE"));
    let answer = bench.run("a FETCH 1:3 (UID FLAGS)");
    assert!(answer.contains("* 2 FETCH (UID 2 FLAGS ("), "{answer}");
    assert!(answer.contains("a OK"), "{answer}");
    let answer = bench.run("b FETCH 1:3 (UID BODY.PEEK[TEXT])");
    assert!(
        answer.contains("* 1 FETCH (UID 1 BODY[TEXT] {20}"),
        "{answer}"
    );
    assert!(answer.contains("* 2 FETCH (UID 2)\r\n"), "{answer}");
    assert!(
        answer.contains("* 3 FETCH (UID 3 BODY[TEXT] {20}"),
        "{answer}"
    );
    assert!(answer.contains("\r\nb NO [EXPUNGEISSUED] "), "{answer}");
    let answer = bench.run("c FETCH 2 BODY.PEEK[TEXT]");
    assert!(answer.starts_with("c NO [EXPUNGEISSUED] "), "{answer}");
}

/// The literal behind `name`, and what follows it.
fn literal<'a>(answer: &'a [u8], name: &str) -> (&'a [u8], &'a [u8]) {
    let at = memchr::memmem::find(answer, name.as_bytes()).unwrap() + name.len();
    let rest = &answer[at..];
    let open = rest.iter().position(|&b| b == b'{').unwrap();
    let close = rest.iter().position(|&b| b == b'}').unwrap();
    let len: usize = std::str::from_utf8(&rest[open + 1..close])
        .unwrap()
        .parse()
        .unwrap();
    rest[close + 3..].split_at(len)
}

/// 3 MB with a large attachment, line ends mixed.
fn large() -> Vec<u8> {
    let mut text = b"Subject: large\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nsmall\n\
        --x\nContent-Transfer-Encoding: base64\n\n"
        .to_vec();
    for i in 0..40_000 {
        text.extend(b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg==");
        text.extend(if i % 3 == 0 { &b"\r\n"[..] } else { b"\n" });
    }
    text.extend(b"--x--\n");
    text
}

#[test]
fn large_messages_leave_in_pieces_of_the_right_length() {
    let large = large();
    let mut crlf = Vec::new();
    roost_message::crlf::append(&large, roost_message::crlf::Nul::Keep, &mut crlf);
    let mut bench = Bench::new(&[("", &large)]);
    let mut most = 0;
    let command = "a FETCH 1 (BODY[] BODY.PEEK[2]<5.2000000> BODY.PEEK[]<100000.70000> \
        BODY.PEEK[1] BINARY.PEEK[2] BINARY.SIZE[2] RFC822.SIZE BODY.PEEK[HEADER.FIELDS (Subject)])";
    let answer = drive(&mut bench.session, command, |n| most = most.max(n));
    assert!(most < 300_000, "a step appended {most}");
    let (whole, rest) = literal(&answer, "BODY[] ");
    assert!(whole == crlf, "the message differs");
    let (part, rest) = literal(rest, " BODY[2]<5> ");
    assert_eq!(part.len(), 2_000_000);
    assert!(part.starts_with(b"EVGR0hJSktMTU5PUFFSU1RVVldY"));
    let (piece, rest) = literal(rest, " BODY[]<100000> ");
    assert!(piece == &crlf[100_000..170_000]);
    let (small, rest) = literal(rest, " BODY[1] ");
    assert_eq!(small, b"small");
    let (binary, rest) = literal(rest, " BINARY[2] ");
    assert_eq!(binary.len(), 40_000 * 52);
    assert!(binary.ends_with(b"XYZabcdefghijklmnopqrstuvwxyz"));
    let rest = String::from_utf8_lossy(rest);
    assert_eq!(
        rest,
        format!(
            " BINARY.SIZE[2] 2080000 RFC822.SIZE {} BODY[HEADER.FIELDS (Subject)] {{18}}\r\n\
             Subject: large\r\n\r\n)\r\na OK Fetch completed\r\n",
            crlf.len()
        )
    );
    let piece = bench.octets("b FETCH 1 BODY.PEEK[]<100000.70000>");
    assert!(literal(&piece, "BODY[]<100000> ").0 == &crlf[100_000..170_000]);
    let both = bench.octets("c FETCH 1 (BODY.PEEK[]<9.5> BODY.PEEK[HEADER]<9.5> ENVELOPE)");
    let expected =
        "* 1 FETCH (BODY[]<9> {5}\r\nlarge BODY[HEADER]<9> {5}\r\nlarge ENVELOPE (NIL \"large\" ";
    assert!(String::from_utf8_lossy(&both).starts_with(expected));
}

/// Every section of every message, from memory and from the disk.
#[test]
fn what_is_held_in_memory_makes_no_difference() {
    let line = prop_oneof![prop::sample::select(vec![
        "",
        "--x",
        "--x--",
        "text\0",
        "\r",
        "From: a@b",
        "Subject: s",
        " folded",
        "Content-Type: multipart/mixed; boundary=x",
        "Content-Type: message/rfc822",
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: quoted-printable",
    ]),];
    let end = prop::sample::select(vec!["\n", "\r\n", "\n\n"]);
    let mail = prop::collection::vec((line, end), 0..20);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mails: Vec<Vec<u8>> = (0..200)
        .map(|_| {
            let lines = mail.new_tree(&mut runner).unwrap().current();
            lines
                .into_iter()
                .flat_map(|(l, e)| [l, e].concat().into_bytes())
                .collect()
        })
        .collect();
    let messages: Vec<(&str, &[u8])> = mails.iter().map(|m| ("S", &m[..])).collect();
    let bench = Bench::new(&messages);
    let selected = bench.session.selected().unwrap();
    let texts = [
        None,
        Some(SectionText::Header),
        Some(SectionText::Text),
        Some(SectionText::Mime),
        Some(SectionText::HeaderFields {
            not: false,
            names: vec![b"From".to_vec()],
        }),
        Some(SectionText::HeaderFields {
            not: true,
            names: vec![b"From".to_vec()],
        }),
    ];
    let mut compared = 0;
    for (_, row) in selected.view().snapshot().iter() {
        let load = |small| {
            let mut source =
                Source::load_up_to(selected.mailbox(), row.uid, Need::Structure, small).unwrap();
            let structure = Structure::clone(source.structure().unwrap());
            source.set_places(structure.into());
            source
        };
        let (memory, disk) = (load(1000), load(0));
        for (path, text, partial) in sections(&texts) {
            let part = path
                .iter()
                .filter_map(|&n| NonZeroU32::new(n))
                .collect::<Vec<_>>();
            let section = Section {
                part: part.clone(),
                text,
            };
            let body = Body::new(None, &section, partial);
            let (a, b) = (body.value(&memory).unwrap(), body.value(&disk).unwrap());
            assert_eq!(
                octets_of(a),
                octets_of(b),
                "{body:?} of UID {}",
                row.uid.get()
            );
            let binary = Binary::new(part, partial);
            let (a, b) = (binary.value(&memory).unwrap(), binary.value(&disk).unwrap());
            assert_eq!(a.map(octets_of), b.map(octets_of), "{binary:?}");
            compared += 1;
        }
    }
    assert!(compared > 10_000);
}

fn sections(texts: &[Option<SectionText>]) -> Vec<(&[u32], Option<SectionText>, Option<Partial>)> {
    let paths: [&[u32]; 5] = [&[], &[1], &[2], &[1, 1], &[2, 1]];
    let partials = [
        None,
        Some(Partial {
            offset: 3,
            length: 7,
        }),
    ];
    let mut all = Vec::new();
    for path in paths {
        for text in texts {
            for partial in partials {
                all.push((path, text.clone(), partial));
            }
        }
    }
    all
}

/// `None` for NIL; the length that was announced must be true.
fn octets_of(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::Nil => None,
        Value::Bytes(bytes) => Some(bytes),
        Value::Stream {
            mut reader,
            len,
            has_nul,
        } => {
            let mut bytes = Vec::new();
            reader
                .append(&mut bytes, usize::try_from(len).unwrap())
                .unwrap();
            assert_eq!(bytes.len() as u64, len);
            assert!(has_nul || !bytes.contains(&0));
            Some(bytes)
        }
    }
}

#[test]
fn a_header_too_large_for_memory_is_served_whole() {
    let mut text = Vec::new();
    for i in 0..20_000 {
        text.extend(format!("X-{i}: some value that fills the line\n").bytes());
    }
    text.extend(b"Subject: last\n\nbody\n");
    let header = text.len() - 5 + 20_002;
    let mut bench = Bench::new(&[("S", &text)]);
    let answer = bench.octets(
        "a FETCH 1 (BODY[HEADER] BODY[HEADER.FIELDS (Subject X-7)] BODY[HEADER.FIELDS.NOT (X-7)])",
    );
    let (whole, rest) = literal(&answer, "BODY[HEADER] ");
    assert_eq!(whole.len(), header);
    let (fields, rest) = literal(rest, "X-7)] ");
    assert_eq!(
        fields,
        b"X-7: some value that fills the line\r\nSubject: last\r\n\r\n"
    );
    let (others, rest) = literal(rest, "X-7)] ");
    assert_eq!(
        others.len(),
        header - "X-7: some value that fills the line\r\n".len()
    );
    assert_eq!(rest, b")\r\na OK Fetch completed\r\n");
}

#[test]
fn a_file_that_shrinks_ends_the_connection_without_a_wrong_literal() {
    let large = large();
    let mut bench = Bench::new(&[("S", &large)]);
    let path = bench.path(0);
    let mut out = Vec::new();
    let command = b"a FETCH 1 BODY.PEEK[]".to_vec();
    let mut progress = bench.session.take(Frame::Command(command), &mut out);
    let mut steps = 0;
    while progress == Progress::More {
        progress = bench.session.step(&mut out);
        steps += 1;
        if steps == 4 {
            assert!(!bench.session.can_say_bye(), "within a literal");
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(1000).unwrap();
        }
    }
    assert!(matches!(progress, Progress::End(_)), "{progress:?}");
    assert!(!String::from_utf8_lossy(&out).contains("BYE"));
    assert!(out.len() < large.len());
}

#[test]
fn broken_mail_has_an_answer_to_everything() {
    let broken: [&[u8]; 5] = [
        b"",
        b"\n",
        b"Content-Type: multipart/mixed\n\nno parts",
        b"From: <\xff\nSubject: \0\nContent-Type: ;;\"\n",
        b"\xff\xfe\0\0",
    ];
    let messages: Vec<(&str, &[u8])> = broken.iter().map(|&b| ("S", b)).collect();
    let mut bench = Bench::new(&messages);
    let answer = bench.octets(
        "a FETCH 1:* (UID RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE BODY[] BODY[1] BODY[1.MIME] \
         BODY[HEADER] BODY[TEXT] BINARY[1] BINARY.SIZE[1] BODY[HEADER.FIELDS (From)])",
    );
    let text = String::from_utf8_lossy(&answer);
    assert!(text.ends_with("a OK Fetch completed\r\n"), "{text}");
    for n in 1..=5 {
        assert!(
            text.contains(&format!("* {n} FETCH (UID {n} RFC822.SIZE ")),
            "{text}"
        );
    }
    assert!(
        text.contains("BODY[1] \"\" BODY[1.MIME] \"\" BODY[HEADER] {33}"),
        "{text}"
    );
}

#[test]
fn many_messages_take_many_small_steps() {
    let messages = vec![("S", SIMPLE); 3000];
    let mut bench = Bench::new(&messages);
    let (mut most, mut steps) = (0, 0);
    let answer = drive(
        &mut bench.session,
        "a FETCH 1:* (UID FLAGS ENVELOPE)",
        |n| {
            most = most.max(n);
            steps += 1;
        },
    );
    assert!(most < 80_000 && steps > 5, "{steps} steps of up to {most}");
    let text = String::from_utf8(answer).unwrap();
    assert_eq!(text.matches(" FETCH (UID ").count(), 3000);
}

#[test]
fn windows_of_messages() {
    let small: &[u8] = b"A: b\n\n";
    let mut bench = Bench::new(&[("", small); 7]);
    let mut uids = |command: &str| {
        let answer = bench.run(command);
        assert!(answer.contains("a OK "), "{answer}");
        let lines = answer.lines().filter(|l| l.contains(" FETCH "));
        lines
            .map(|l| l.split(' ').nth(1).unwrap().parse().unwrap())
            .collect::<Vec<u32>>()
    };
    assert_eq!(uids("a UID FETCH 2:6 (UID) (PARTIAL -1:-3)"), [4, 5, 6]);
    assert_eq!(uids("a UID FETCH 2:* FLAGS (PARTIAL 2:1)"), [2, 3]);
    assert_eq!(uids("a UID FETCH 1:* UID (PARTIAL 8:9)"), [0u32; 0]);
    let all: Vec<u32> = (0..4)
        .flat_map(|n| {
            uids(&format!(
                "a UID FETCH 1:* UID (PARTIAL {}:{})",
                n * 2 + 1,
                n * 2 + 2
            ))
        })
        .collect();
    assert_eq!(all, [1, 2, 3, 4, 5, 6, 7]);
    // The window is of the set, and what has changed is asked of the window.
    bench.run("b STORE 1,7 +FLAGS.SILENT (x)");
    let answer = bench.run("c FETCH 7 MODSEQ");
    let modseq: u64 = answer
        .split(['(', ')'])
        .nth(2)
        .and_then(|n| n.parse().ok())
        .unwrap();
    let command = format!(
        "a UID FETCH 1:* UID (PARTIAL -1:-2 CHANGEDSINCE {})",
        modseq - 1
    );
    let mut uids = |command: &str| bench.run(command).matches(" FETCH ").count();
    assert_eq!(uids(&command), 1);
}
