//! LIST of names that begin with `~`: each account tells its own, and which
//! accounts there are the supervisor knows.

use super::{Event, Next, Task, Turn, lost, no_link};
use crate::error::Error;
use crate::job::{Job, Reply, Step};
use crate::link::{Ask, LinkError, LinkId};
use crate::names::FOREIGN;
use crate::pattern::Pattern;
use roost_imap::write::{self, ListLine, MailboxAttribute, Status};

pub(super) struct Listing {
    /// What the client has sent; each account sees to its own names.
    command: Vec<u8>,
    /// Own mailboxes, which other patterns ask for.
    own: Option<Box<dyn Job>>,
    /// For the names of accounts.
    patterns: Vec<Pattern>,
    /// Mailboxes of all accounts may match.
    deep: bool,
    /// Which accounts share something has to be asked.
    shares: bool,
    left: std::collections::VecDeque<Account>,
    now: Option<Account>,
}

struct Account {
    shown: String,
    /// The client has named it.
    named: bool,
    /// There was no link to it.
    opened: bool,
}

impl Listing {
    /// `patterns` are those that begin with `~`.
    pub fn new(command: Vec<u8>, own: Box<dyn Job>, patterns: &[String], separator: char) -> Self {
        let mut listing = Self {
            command,
            own: Some(own),
            patterns: Vec::new(),
            deep: false,
            shares: false,
            left: std::collections::VecDeque::new(),
            now: None,
        };
        for pattern in patterns {
            let (head, below) = pattern
                .split_once(separator)
                .map_or((pattern.as_str(), None), |(head, below)| {
                    (head, Some(below))
                });
            if head.contains(['*', '%']) {
                listing.shares = true;
                listing.deep |= below.is_some() || head.contains('*');
                listing.patterns.extend(Pattern::new(pattern, separator));
            } else if !listing.left.iter().any(|account| account.shown == head) {
                listing.left.push_back(Account {
                    shown: head.to_owned(),
                    named: true,
                    opened: false,
                });
            }
        }
        listing
    }

    /// The accounts that share something are known.
    fn found(&mut self, turn: &mut Turn<'_>, accounts: Vec<String>) -> Result<Next, Error> {
        for account in accounts {
            let shown = match account.starts_with(FOREIGN) {
                true => account,
                false => format!("{FOREIGN}{account}"),
            };
            // What holds the separator cannot be named.
            let known = self.left.iter().any(|account| account.shown == shown);
            if known || shown.contains(turn.session.names.separator()) {
                continue;
            }
            if self.deep {
                self.left.push_back(Account {
                    shown,
                    named: false,
                    opened: false,
                });
            } else if self.patterns.iter_mut().any(|p| p.matches(&shown)) {
                tell(turn, &shown);
            }
        }
        self.next(turn)
    }

    /// On with the next account.
    fn next(&mut self, turn: &mut Turn<'_>) -> Result<Next, Error> {
        if self.now.is_none() {
            self.now = self.left.pop_front();
        }
        let Some(account) = &mut self.now else {
            return Ok(Next::Done(Reply::ok("List completed")));
        };
        match turn.link(&account.shown) {
            Ok(id) => turn.send(id, &self.command),
            Err(ask) => {
                account.opened = true;
                Ok(ask)
            }
        }
    }

    /// One account has told all; links that were opened for a look only go.
    fn told(&mut self, turn: &mut Turn<'_>, id: LinkId) -> Result<Next, Error> {
        if let Some(account) = self.now.take()
            && account.opened
            && !account.named
        {
            turn.session.links_mut().close(id);
        }
        self.next(turn)
    }

    /// There is nothing to be had of an account. That is an answer where the
    /// client has not named it, or there is none.
    fn missing(&mut self, turn: &mut Turn<'_>, error: Option<LinkError>) -> Result<Next, Error> {
        let named = self.now.take().is_some_and(|account| account.named);
        match error {
            Some(LinkError::NoSuchAccount) => self.next(turn),
            Some(error) if named => Err(no_link(turn.kind, error)),
            None if named => Err(lost()),
            _ => self.next(turn),
        }
    }
}

/// An account is no mailbox.
fn tell(turn: &mut Turn<'_>, shown: &str) {
    let line = ListLine {
        lsub: false,
        attributes: &[MailboxAttribute::NoSelect, MailboxAttribute::HasChildren],
        separator: Some(turn.session.names.separator()),
        name: shown,
        child_info: &[],
        old_name: None,
        told: write::ListTold::default(),
    };
    write::list(turn.out, &line, turn.session.dialect());
}

impl Task for Listing {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error> {
        match event {
            Event::Go => {
                if let Some(job) = &mut self.own {
                    if let Step::Done(_) = job.step(turn.session, turn.out)? {
                        self.own = None;
                    }
                    return Ok(Next::Step);
                }
                match std::mem::take(&mut self.shares) {
                    true => Ok(Next::Ask(Ask::Shares)),
                    false => self.next(turn),
                }
            }
            Event::Shares(accounts) => self.found(turn, accounts),
            Event::Tagged(id, Status::Ok | Status::No, _) => self.told(turn, id),
            Event::NoLink(error) => self.missing(turn, Some(error)),
            Event::Lost(_) => self.missing(turn, None),
            other => turn.usual(&other),
        }
    }
}
