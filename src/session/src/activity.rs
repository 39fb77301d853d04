//! What a session is doing, to be looked at from outside while it works.
//!
//! What must stay true: a command costs a look at the clock and a store when it
//! begins, and a store when it ends. One that changes what is selected also
//! puts the name behind a lock, which whoever looks holds for no longer than a
//! copy of it takes.

use roost_imap::CommandKind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The octet of no command; those of commands count from 1.
const NONE: u64 = 0;
const OCTET: u64 = 0xff;

/// Shared by a session and who watches it.
#[derive(Debug)]
pub struct Activity {
    since: Instant,
    /// The command, and above its octet, when it began: microseconds of the
    /// session.
    doing: AtomicU64,
    show_all: AtomicBool,
    selected: AtomicBool,
    /// The selected mailbox.
    mailbox: Mutex<Option<Box<str>>>,
}

/// As it was when somebody looked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Doing {
    pub status: String,
    /// How long the command under way has been running.
    pub running: Option<Duration>,
    /// The client sees mailboxes of all classes.
    pub show_all: bool,
}

impl Activity {
    pub(crate) fn new(show_all: bool) -> Self {
        Self {
            since: Instant::now(),
            doing: AtomicU64::new(NONE),
            show_all: AtomicBool::new(show_all),
            selected: AtomicBool::new(false),
            mailbox: Mutex::new(None),
        }
    }

    pub(crate) fn begins(&self, kind: CommandKind) {
        let micros = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(0);
        let value = (micros << OCTET.count_ones()) | (kind as u64 + 1);
        self.doing.store(value, Ordering::Relaxed);
    }

    /// The command that has ended, if one was under way, and how long it took.
    pub(crate) fn ends(&self) -> Option<(CommandKind, Duration)> {
        let (kind, began) = parts(self.doing.load(Ordering::Relaxed))?;
        self.doing.store(NONE, Ordering::Relaxed);
        Some((kind, self.since.elapsed().saturating_sub(began)))
    }

    /// A command is under way; IDLE is none, for nothing is done for it.
    pub fn works(&self) -> bool {
        let doing = parts(self.doing.load(Ordering::Relaxed));
        doing.is_some_and(|(kind, _)| kind != CommandKind::Idle)
    }

    pub(crate) fn sees_all(&self) {
        self.show_all.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_selected(&self) -> bool {
        self.selected.load(Ordering::Relaxed)
    }

    pub(crate) fn selects(&self, mailbox: Option<&str>) {
        self.selected.store(mailbox.is_some(), Ordering::Relaxed);
        let mut selected = self.mailbox.lock().unwrap_or_else(PoisonError::into_inner);
        *selected = mailbox.map(Box::from);
    }

    /// For the watcher.
    pub fn look(&self) -> Doing {
        let doing = parts(self.doing.load(Ordering::Relaxed));
        let status = match doing {
            Some((kind, _)) => kind.doing().to_owned(),
            None => match &*self.mailbox.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(mailbox) => format!("Selected {mailbox}"),
                None => "Authenticated".to_owned(),
            },
        };
        Doing {
            status,
            running: doing.map(|(_, began)| self.since.elapsed().saturating_sub(began)),
            show_all: self.show_all.load(Ordering::Relaxed),
        }
    }
}

/// The command and when it began, by the session's clock.
fn parts(doing: u64) -> Option<(CommandKind, Duration)> {
    let at = usize::try_from((doing & OCTET).checked_sub(1)?).ok()?;
    let began = Duration::from_micros(doing >> OCTET.count_ones());
    Some((*CommandKind::ALL.get(at)?, began))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_told_from_the_others() {
        let activity = Activity::new(false);
        for &kind in CommandKind::ALL {
            activity.begins(kind);
            let doing = activity.look();
            assert_eq!(doing.status, kind.doing());
            assert!(doing.running.is_some());
            assert_eq!(activity.works(), kind != CommandKind::Idle);
            assert_eq!(activity.ends().map(|(kind, _)| kind), Some(kind));
            assert!(!activity.works());
        }
        activity.selects(Some("Work/2024"));
        activity.sees_all();
        let wanted = Doing {
            status: "Selected Work/2024".into(),
            running: None,
            show_all: true,
        };
        assert_eq!(activity.look(), wanted);
        activity.selects(None);
        assert_eq!(activity.look().status, "Authenticated");
    }
}
