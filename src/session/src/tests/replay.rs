//! What a client counts from the untagged responses is what the server has.

use super::{Client, Site};
use proptest::prelude::*;
use roost_types::SeqNum;

/// A client that believes what it is told: flags by number, `None` where it
/// has not heard of them.
#[derive(Default)]
struct Model {
    messages: Vec<Option<String>>,
}

impl Model {
    /// Replays an answer; the numbers of EXPUNGE and FETCH must exist.
    fn hear(&mut self, answer: &str, expunge_allowed: bool) {
        for line in answer.split_terminator("\r\n") {
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
                    self.messages.resize(number, None);
                }
                "EXPUNGE" => {
                    assert!(expunge_allowed, "EXPUNGE out of place: {answer}");
                    self.messages.remove(number - 1);
                }
                "FETCH" => {
                    let flags = words
                        .next()
                        .and_then(|w| w.split_once("FLAGS ("))
                        .unwrap()
                        .1;
                    let flags = flags.split_once(')').unwrap().0.to_string();
                    self.messages[number - 1] = Some(flags);
                }
                _ => {}
            }
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
            if let Some(known) = known {
                let mut flags = Vec::new();
                let style = client.session.style(false);
                selected.write_flags(&mut flags, &row.row, style);
                assert_eq!(String::from_utf8(flags).unwrap(), format!("({known})"));
            }
        }
        let uids: Vec<_> = rows.iter().map(|r| r.row.uid).collect();
        assert!(uids.is_sorted());
    }
}

#[derive(Clone, Debug)]
enum Action {
    Append,
    Flag { at: usize, add: bool, flag: usize },
    Silent { at: usize, flag: usize },
    Delete { at: usize },
    Expunge,
    Copy { at: usize },
    Noop,
    UidNothing,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => Just(Action::Append),
        3 => (0usize..9, any::<bool>(), 0usize..4)
            .prop_map(|(at, add, flag)| Action::Flag { at, add, flag }),
        2 => (0usize..9, 0usize..4).prop_map(|(at, flag)| Action::Silent { at, flag }),
        2 => (0usize..9).prop_map(|at| Action::Delete { at }),
        1 => Just(Action::Expunge),
        1 => (0usize..9).prop_map(|at| Action::Copy { at }),
        1 => Just(Action::Noop),
        1 => Just(Action::UidNothing),
    ]
}

const FLAGS: [&str; 4] = ["\\Seen", "\\Flagged", "$a", "$b"];

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
            let answer = client.say(&command);
            // What a client computes itself; numbers of ghosts were not
            // changed, and it cannot know those anyway.
            if answer.contains("a OK") {
                for known in model.messages.iter_mut().skip(at) {
                    *known = None;
                }
            }
            model.hear(&answer, false);
            return;
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn replayed_views_equal_the_servers(
        actions in prop::collection::vec((any::<bool>(), action()), 1..40)
    ) {
        let site = Site::new();
        let mut clients = [site.client(), site.client()];
        let mut models = [Model::default(), Model::default()];
        clients[0].fill("INBOX", 4);
        for (client, model) in clients.iter_mut().zip(&mut models) {
            model.hear(&client.say("s SELECT INBOX"), false);
        }
        for (second, action) in &actions {
            let at = usize::from(*second);
            act(&mut clients[at], &mut models[at], action);
            models[at].check(&clients[at]);
            models[1 - at].check(&clients[1 - at]);
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
        prop_assert_eq!(uids(&clients[0]), uids(&clients[1]));
    }
}
