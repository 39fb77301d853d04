//! What is shown and how, and what keys do to it.

use std::cmp::Ordering;
use std::time::Instant;

use roost_ipc::{ServerStats, SessionRow};
use roost_types::SessionId;

use crate::cmd::who::{address, is_meant};

/// The state of a session in IDLE, as the server names it.
const IDLE: &str = "Idle";
/// Characters of a filter.
const MAX_FILTER: usize = 60;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    Char(char),
    Enter,
    Escape,
    Backspace,
    /// So many rows downwards.
    Move(isize),
    Leave,
    Other,
}

/// By what rows are sorted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Column {
    Id,
    Address,
    Account,
    Connected,
    Running,
    Status,
}

impl Column {
    pub const ALL: [Self; 6] = [
        Self::Id,
        Self::Address,
        Self::Account,
        Self::Connected,
        Self::Running,
        Self::Status,
    ];

    fn next(self) -> Self {
        match self {
            Self::Id => Self::Address,
            Self::Address => Self::Account,
            Self::Account => Self::Connected,
            Self::Connected => Self::Running,
            Self::Running => Self::Status,
            Self::Status => Self::Id,
        }
    }

    pub fn longest_first(self) -> bool {
        matches!(self, Self::Connected | Self::Running)
    }

    /// What has been going on for long stands first.
    fn compare(self, a: &SessionRow, b: &SessionRow) -> Ordering {
        match self {
            Self::Id => a.session.cmp(&b.session),
            Self::Address => a.address.cmp(&b.address),
            Self::Account => a.account.cmp(&b.account),
            Self::Connected => b.connected.cmp(&a.connected),
            Self::Status => a.status.cmp(&b.status),
            Self::Running => works(b).cmp(&works(a)).then(b.running.cmp(&a.running)),
        }
        .then(a.session.cmp(&b.session))
    }
}

/// IDLE runs for hours and does nothing.
fn works(row: &SessionRow) -> bool {
    row.running.is_some() && row.status != IDLE
}

/// What the keys mean now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mode {
    Watching,
    /// A filter is being typed; what it was before.
    Filtering(String),
    /// End this connection? Whose it is.
    Asking(SessionId, String),
}

/// What has been counted, and when.
pub struct Counted {
    pub stats: ServerStats,
    at: Instant,
}

/// In a second.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Rates {
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub commands: u64,
}

pub struct State {
    all: Vec<SessionRow>,
    /// Those of them that are shown, in order.
    pub rows: Vec<SessionRow>,
    pub counted: Option<Counted>,
    pub rates: Rates,
    pub sort: Column,
    pub reverse: bool,
    pub filter: String,
    pub mode: Mode,
    /// The row that keys are for.
    pub chosen: Option<SessionId>,
    /// A word to the person, until the next key.
    pub said: Option<String>,
    kick: Option<SessionId>,
}

impl State {
    pub fn new(rows: Vec<SessionRow>) -> Self {
        let mut state = Self {
            all: rows,
            rows: Vec::new(),
            counted: None,
            rates: Rates::default(),
            sort: Column::Running,
            reverse: false,
            filter: String::new(),
            mode: Mode::Watching,
            chosen: None,
            said: None,
            kick: None,
        };
        state.arrange();
        state
    }

    pub fn see(&mut self, rows: Vec<SessionRow>, stats: Option<ServerStats>) {
        self.all = rows;
        let now = stats.map(|stats| Counted {
            stats,
            at: Instant::now(),
        });
        if let (Some(before), Some(now)) = (&self.counted, &now) {
            let millis = now.at.saturating_duration_since(before.at).as_millis();
            self.rates = rates(&before.stats, &now.stats, millis);
        }
        self.counted = now;
        self.arrange();
    }

    pub fn say(&mut self, text: String) {
        self.said = Some(text);
    }

    /// The connection that is to end, once.
    pub fn take_kick(&mut self) -> Option<SessionId> {
        self.kick.take()
    }

    /// False when it is over.
    pub fn press(&mut self, key: Key) -> bool {
        if key == Key::Leave {
            return false;
        }
        self.said = None;
        match (&mut self.mode, key) {
            (Mode::Asking(session, _), Key::Char('y' | 'Y')) => {
                self.kick = Some(*session);
                self.mode = Mode::Watching;
            }
            (Mode::Asking(..), Key::Other) => {}
            (Mode::Asking(..), _) | (Mode::Filtering(_), Key::Enter) => self.mode = Mode::Watching,
            (Mode::Filtering(before), Key::Escape) => {
                self.filter = std::mem::take(before);
                self.mode = Mode::Watching;
            }
            (Mode::Filtering(_), Key::Backspace) => drop(self.filter.pop()),
            (Mode::Filtering(_), Key::Char(c))
                if !c.is_control() && self.filter.chars().count() < MAX_FILTER =>
            {
                self.filter.push(c);
            }
            (_, Key::Move(by)) => self.go(by),
            (Mode::Watching, Key::Char(c)) => return self.command(c),
            (Mode::Watching, Key::Escape) => self.filter.clear(),
            _ => {}
        }
        self.arrange();
        true
    }

    fn command(&mut self, c: char) -> bool {
        match c {
            'q' => return false,
            'j' => self.go(1),
            's' => self.sort = self.sort.next(),
            'r' => self.reverse = !self.reverse,
            '/' => self.mode = Mode::Filtering(self.filter.clone()),
            'k' => {
                let row = self.at().and_then(|at| self.rows.get(at));
                if let Some(row) = row {
                    let whose = row.account.clone().unwrap_or_else(|| address(row));
                    self.mode = Mode::Asking(row.session, whose);
                }
            }
            _ => {}
        }
        self.arrange();
        true
    }

    /// Where the chosen row is.
    pub fn at(&self) -> Option<usize> {
        let chosen = self.chosen?;
        self.rows.iter().position(|row| row.session == chosen)
    }

    fn go(&mut self, by: isize) {
        let last = self.rows.len().saturating_sub(1);
        let at = match self.at() {
            Some(at) => at.saturating_add_signed(by).min(last),
            None => 0,
        };
        self.chosen = self.rows.get(at).map(|row| row.session);
    }

    fn arrange(&mut self) {
        let before = self.at();
        let meant = |row: &&SessionRow| self.filter.is_empty() || is_meant(row, &self.filter);
        self.rows = self.all.iter().filter(meant).cloned().collect();
        let (sort, reverse) = (self.sort, self.reverse);
        self.rows.sort_by(|a, b| {
            let order = sort.compare(a, b);
            if reverse { order.reverse() } else { order }
        });
        if self.at().is_none() {
            let at = before.unwrap_or(0).min(self.rows.len().saturating_sub(1));
            self.chosen = self.rows.get(at).map(|row| row.session);
        }
    }
}

fn rates(before: &ServerStats, now: &ServerStats, millis: u128) -> Rates {
    // Another server has begun to count.
    let same = now.uptime >= before.uptime;
    let rate = |value: fn(&ServerStats) -> u64| {
        let more = value(now).saturating_sub(value(before));
        let rate = (u128::from(more) * 1000).checked_div(millis).unwrap_or(0);
        u64::try_from(rate).unwrap_or(u64::MAX)
    };
    if !same {
        return Rates::default();
    }
    Rates {
        bytes_in: rate(|stats| stats.bytes_in),
        bytes_out: rate(|stats| stats.bytes_out),
        commands: rate(|stats| {
            let classes = stats.commands.iter().flat_map(|c| &c.classes);
            classes.fold(0, |sum, n| sum.saturating_add(*n))
        }),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::cmd::stats::tests::sample;
    use std::time::Duration;

    pub fn row(n: u64, account: &str, running: Option<u64>) -> SessionRow {
        SessionRow {
            session: SessionId(n),
            address: [192, 0, 2, 7].into(),
            tls: Some(true),
            account: Some(account.into()),
            connected: Duration::from_secs(100 * n),
            status: "Authenticated".into(),
            running: running.map(Duration::from_secs),
            show_all: n == 2,
        }
    }

    /// By ID.
    fn three() -> State {
        let mut state = State::new(vec![
            row(1, "carol", None),
            row(2, "alice", Some(3)),
            row(3, "bob", Some(90)),
        ]);
        state.sort = Column::Id;
        state.arrange();
        state.chosen = Some(SessionId(1));
        state
    }

    #[test]
    fn what_works_for_long_stands_first() {
        let idle = SessionRow {
            status: IDLE.into(),
            ..row(4, "dora", Some(9999))
        };
        let mut rows = three().all;
        rows.insert(0, idle);
        let mut state = State::new(rows);
        assert_eq!(
            (state.sort, shown(&state)),
            (Column::Running, vec![3, 2, 4, 1])
        );
        state.press(Key::Char('r'));
        assert_eq!(shown(&state), [1, 4, 2, 3]);
    }

    fn shown(state: &State) -> Vec<u64> {
        state.rows.iter().map(|row| row.session.0).collect()
    }

    #[test]
    fn rows_are_sorted_by_any_column() {
        let mut state = three();
        assert_eq!(shown(&state), [1, 2, 3]);
        let mut orders = Vec::new();
        for column in Column::ALL {
            assert_eq!(state.sort, column);
            orders.push(shown(&state));
            assert!(state.press(Key::Char('s')));
        }
        assert_eq!(state.sort, Column::Id, "round and round");
        assert_eq!(orders[2], [2, 3, 1], "account");
        assert_eq!(orders[3], [3, 2, 1], "the longest first");
        assert_eq!(orders[4], [3, 2, 1], "running");
        state.press(Key::Char('r'));
        assert_eq!(shown(&state), [3, 2, 1]);
    }

    #[test]
    fn a_filter_is_typed_and_taken_back() {
        let mut state = three();
        state.press(Key::Char('/'));
        for c in "boq".chars() {
            assert!(state.press(Key::Char(c)), "{c} is no command now");
        }
        assert!(shown(&state).is_empty());
        state.press(Key::Backspace);
        assert_eq!(shown(&state), [3]);
        state.press(Key::Enter);
        assert_eq!(state.mode, Mode::Watching);
        state.press(Key::Char('/'));
        state.press(Key::Char('x'));
        state.press(Key::Escape);
        assert_eq!((state.filter.as_str(), shown(&state)), ("bo", vec![3]));
        state.press(Key::Escape);
        assert_eq!(shown(&state).len(), 3);
        assert!(!state.press(Key::Char('q')));
    }

    #[test]
    fn the_chosen_row_stays_chosen() {
        let mut state = three();
        assert_eq!(state.at(), Some(0));
        state.press(Key::Move(1));
        state.press(Key::Char('s'));
        state.press(Key::Char('s'));
        assert_eq!((state.at(), state.chosen), (Some(0), Some(SessionId(2))));
        state.see(vec![row(1, "carol", None), row(3, "bob", None)], None);
        assert_eq!(state.chosen, Some(SessionId(3)), "the next in its place");
        state.press(Key::Move(isize::MAX));
        assert_eq!(state.at(), Some(1));
        state.press(Key::Move(isize::MIN));
        assert_eq!(state.at(), Some(0));
        state.see(Vec::new(), None);
        assert_eq!(state.at(), None);
        state.press(Key::Char('k'));
        assert_eq!(state.mode, Mode::Watching, "there is nobody");
    }

    #[test]
    fn nobody_is_ended_unasked() {
        let mut state = three();
        for no in [
            Key::Char('n'),
            Key::Escape,
            Key::Enter,
            Key::Move(1),
            Key::Char('q'),
        ] {
            state.press(Key::Char('k'));
            assert!(matches!(state.mode, Mode::Asking(..)));
            assert!(state.press(no));
            assert_eq!(
                (state.take_kick(), &state.mode),
                (None, &Mode::Watching),
                "{no:?}"
            );
        }
        state.press(Key::Char('k'));
        let chosen = state.chosen;
        state.press(Key::Char('y'));
        assert_eq!(state.take_kick(), chosen);
        assert_eq!(state.take_kick(), None);
        assert!(!state.press(Key::Leave));
    }

    #[test]
    fn rates_are_of_the_time_between() {
        let before = sample();
        let mut now = sample();
        now.bytes_in += 3000;
        now.commands[0].classes[0] += 7;
        let seen = rates(&before, &now, 2000);
        assert_eq!((seen.bytes_in, seen.bytes_out, seen.commands), (1500, 0, 3));
        assert_eq!(rates(&before, &now, 0), Rates::default());
        now.uptime = Duration::ZERO;
        assert_eq!(rates(&before, &now, 2000), Rates::default());
    }
}
