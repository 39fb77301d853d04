//! What a client counts from the untagged responses is what the server has.

use super::{Client, Site};
use proptest::prelude::*;
use roost_types::{ModSeq, SeqNum};

/// What a client knows of one message.
#[derive(Clone, Default)]
struct Known {
    uid: Option<u32>,
    flags: Option<String>,
    modseq: Option<u64>,
}

/// A client that believes what it is told: messages by number.
#[derive(Default)]
struct Model {
    messages: Vec<Known>,
    /// MODSEQ is told with every change.
    condstore: bool,
    /// VANISHED is told instead of EXPUNGE.
    qresync: bool,
}

impl Model {
    /// Replays an answer; the numbers of EXPUNGE and FETCH must exist.
    fn hear(&mut self, answer: &str, expunge_allowed: bool) {
        for line in answer.split_terminator("\r\n") {
            if let Some(uids) = line.strip_prefix("* VANISHED ") {
                assert!(expunge_allowed && self.qresync, "out of place: {answer}");
                self.vanished(uids);
                continue;
            }
            let mut words = line.splitn(4, ' ');
            let (Some("*"), Some(number), Some(word)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let Ok(number) = number.parse::<usize>() else {
                continue;
            };
            match word {
                "EXISTS" => {
                    assert!(number >= self.messages.len(), "EXISTS went back: {answer}");
                    self.messages.resize(number, Known::default());
                }
                "EXPUNGE" => {
                    assert!(expunge_allowed && !self.qresync, "out of place: {answer}");
                    self.messages.remove(number - 1);
                }
                "FETCH" => self.fetch(number, words.next().unwrap()),
                _ => {}
            }
        }
    }

    fn vanished(&mut self, uids: &str) {
        for range in uids.split(',') {
            let (first, last) = range.split_once(':').unwrap_or((range, range));
            for uid in first.parse::<u32>().unwrap()..=last.parse().unwrap() {
                let of = |known| self.messages.iter().position(|m| m.uid == known);
                // It may be one that it has only counted so far.
                let at = of(Some(uid)).or_else(|| of(None));
                self.messages.remove(at.expect("UID is there"));
            }
        }
    }

    fn fetch(&mut self, number: usize, items: &str) {
        let known = &mut self.messages[number - 1];
        let value = |name: &str, end: char| {
            let (_, value) = items.split_once(name)?;
            value.split(end).next()
        };
        if let Some(flags) = value("FLAGS (", ')') {
            known.flags = Some(flags.to_string());
        }
        if let Some(modseq) = value("MODSEQ (", ')') {
            known.modseq = Some(modseq.parse().unwrap());
        }
        let digits = |text: &str| text.trim_end_matches(')').parse().unwrap();
        if let Some(uid) = value("UID ", ' ').map(digits) {
            assert!(known.uid.is_none_or(|known| known == uid), "{items}");
            known.uid = Some(uid);
        }
        if self.condstore {
            assert!(known.uid.is_some() && known.modseq.is_some(), "{items}");
        }
    }

    /// The view of the session holds the same.
    fn check(&self, client: &Client) {
        let selected = client.session.selected().unwrap();
        let view = selected.view();
        assert_eq!(view.len() as usize, self.messages.len());
        let rows: Vec<_> = view.rows(SeqNum::MIN).collect();
        assert_eq!(rows.len(), self.messages.len());
        for (i, (row, known)) in rows.iter().zip(&self.messages).enumerate() {
            let seq = SeqNum::new(i as u32 + 1).unwrap();
            assert_eq!(row.seq, seq);
            assert_eq!(view.at(seq), Some(*row));
            assert_eq!(view.by_uid(row.row.uid), Some(*row));
            let from_here: Vec<_> = view.rows(seq).collect();
            assert_eq!(from_here, rows[i..]);
            assert!(known.uid.is_none_or(|uid| uid == row.row.uid.get()));
            if let Some(modseq) = known.modseq {
                assert_eq!(row.row.modseq, ModSeq(modseq), "{}", row.row.uid);
            }
            if let Some(known) = &known.flags {
                let mut flags = Vec::new();
                let style = client.session.style(false);
                selected.write_flags(&mut flags, &row.row, style);
                assert_eq!(String::from_utf8(flags).unwrap(), format!("({known})"));
            }
        }
        let uids: Vec<_> = rows.iter().map(|r| r.row.uid).collect();
        assert!(uids.is_sorted());
        for (i, row) in rows.iter().enumerate() {
            let since = row.row.modseq;
            let changed = view.changed_since(since);
            let later = rows.iter().filter(|r| r.row.modseq > since);
            assert!(changed.iter().eq(later.map(|r| r.seq)), "since {i}");
        }
    }

    /// Asks for what it has not been told of new messages.
    fn complete(&mut self, client: &mut Client) {
        if self.condstore && self.messages.last().is_some_and(|m| m.uid.is_none()) {
            let first = self.messages.iter().position(|m| m.uid.is_none()).unwrap() + 1;
            let answer = client.say(&format!("c FETCH {first}:* (UID FLAGS MODSEQ)"));
            self.hear(&answer, false);
        }
    }
}

#[derive(Clone, Debug)]
enum Action {
    Append,
    Flag {
        at: usize,
        add: bool,
        flag: usize,
    },
    Silent {
        at: usize,
        flag: usize,
    },
    Conditional {
        at: usize,
        flag: usize,
        silent: bool,
    },
    Delete {
        at: usize,
    },
    Expunge,
    Copy {
        at: usize,
    },
    Noop,
    UidNothing,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => Just(Action::Append),
        3 => (0usize..9, any::<bool>(), 0usize..5)
            .prop_map(|(at, add, flag)| Action::Flag { at, add, flag }),
        2 => (0usize..9, 0usize..5).prop_map(|(at, flag)| Action::Silent { at, flag }),
        2 => (0usize..9, 0usize..5, any::<bool>())
            .prop_map(|(at, flag, silent)| Action::Conditional { at, flag, silent }),
        2 => (0usize..9).prop_map(|at| Action::Delete { at }),
        1 => Just(Action::Expunge),
        1 => (0usize..9).prop_map(|at| Action::Copy { at }),
        1 => Just(Action::Noop),
        1 => Just(Action::UidNothing),
    ]
}

/// With the last one a message leaves the views of most.
const FLAGS: [&str; 5] = ["\\Seen", "\\Flagged", "$a", "$b", "$Service"];

/// Messages may come back by it, or go.
fn of_service(action: &Action) -> bool {
    match *action {
        Action::Flag { flag, .. }
        | Action::Silent { flag, .. }
        | Action::Conditional { flag, .. } => FLAGS[flag] == "$Service",
        _ => false,
    }
}

/// Carries an action out in one session and replays what it heard.
fn act(client: &mut Client, model: &mut Model, action: &Action) {
    let number = |at: usize| (at < model.messages.len()).then_some(at + 1);
    let (command, expunge) = match *action {
        Action::Append => ("a APPEND INBOX {3+}\r\nx:y".to_string(), true),
        Action::Flag { at, add, flag } => {
            let Some(n) = number(at) else { return };
            let sign = if add { '+' } else { '-' };
            (format!("a STORE {n} {sign}FLAGS ({})", FLAGS[flag]), false)
        }
        Action::Silent { at, flag } => {
            let Some(n) = number(at) else { return };
            let command = format!("a STORE {n}:* +FLAGS.SILENT ({})", FLAGS[flag]);
            return silent(client, model, &command, at);
        }
        Action::Conditional {
            at,
            flag,
            silent: in_silence,
        } => {
            let Some(n) = number(at) else { return };
            // The command itself would enable CONDSTORE.
            if !model.condstore {
                return;
            }
            let known = model.messages[at].modseq.unwrap_or_default();
            let dot = if in_silence { ".SILENT" } else { "" };
            let flag = FLAGS[flag];
            let command = format!("a STORE {n}:* (UNCHANGEDSINCE {known}) -FLAGS{dot} ({flag})");
            return silent(client, model, &command, at);
        }
        Action::Delete { at } => {
            let Some(n) = number(at) else { return };
            (format!("a STORE {n} +FLAGS (\\Deleted)"), false)
        }
        Action::Expunge => ("a EXPUNGE".to_string(), true),
        Action::Copy { at } => {
            let Some(n) = number(at) else { return };
            (format!("a COPY {n} INBOX"), true)
        }
        Action::Noop => ("a NOOP".to_string(), true),
        Action::UidNothing => ("a UID STORE 4000000000 +FLAGS (x)".to_string(), true),
    };
    let answer = client.say(&command);
    assert!(!answer.contains("a BAD"), "{command}: {answer}");
    model.hear(&answer, expunge);
}

/// What a client computes itself; numbers of ghosts were not changed, and it
/// cannot know those anyway.
fn silent(client: &mut Client, model: &mut Model, command: &str, at: usize) {
    let answer = client.say(command);
    assert!(!answer.contains("a BAD"), "{command}: {answer}");
    for known in model.messages.iter_mut().skip(at) {
        known.flags = None;
    }
    model.hear(&answer, false);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn replayed_views_equal_the_servers(
        actions in prop::collection::vec((0usize..4, action()), 1..40)
    ) {
        let site = Site::new();
        let mut clients = [site.client(), site.client(), site.client(), site.client()];
        let mut models = [(); 4].map(|()| Model::default());
        clients[0].fill("INBOX", 4);
        for (n, name) in [(1, "CONDSTORE"), (2, "QRESYNC")] {
            clients[n].say(&format!("e ENABLE {name}"));
            models[n].condstore = true;
            models[n].qresync = n == 2;
        }
        clients[3].say("e ENABLE X-ROOST-SHOWALL");
        for (client, model) in clients.iter_mut().zip(&mut models) {
            model.hear(&client.say("s SELECT INBOX"), false);
            model.complete(client);
        }
        for (at, action) in &actions {
            act(&mut clients[*at], &mut models[*at], action);
            models[*at].complete(&mut clients[*at]);
            for (client, model) in clients.iter().zip(&models) {
                model.check(client);
            }
        }
        for (client, model) in clients.iter_mut().zip(&mut models) {
            model.hear(&client.say("n NOOP"), true);
            model.check(client);
            let view = client.session.selected().unwrap().view();
            prop_assert!(!view.has_ghosts());
        }
        let uids = |c: &Client| -> Vec<_> {
            let view = c.session.selected().unwrap().view();
            view.rows(SeqNum::MIN).map(|m| m.row.uid).collect()
        };
        // What was away for a while is there again for those who come now.
        let (mut usual, mut all) = (site.client(), site.client());
        all.say("e ENABLE X-ROOST-SHOWALL");
        for client in [&mut usual, &mut all] {
            client.say("s EXAMINE INBOX");
        }
        prop_assert_eq!(uids(&clients[3]), uids(&all));
        let usual_uids = uids(&usual);
        for client in &clients[..3] {
            let shown = uids(client);
            prop_assert!(shown.iter().all(|uid| usual_uids.contains(uid)));
            if !actions.iter().any(|(_, action)| of_service(action)) {
                prop_assert_eq!(shown, usual_uids.clone());
            }
        }
    }
}
