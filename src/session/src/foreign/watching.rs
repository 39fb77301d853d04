//! NOTIFY (RFC 5465) where it concerns mailboxes of other accounts.
//!
//! Each account, and each alias, has a link of its own for this: the session
//! there gets a NOTIFY for the mailboxes that the client has asked for, and what
//! it says of them is passed on between commands and in IDLE. That of the
//! account whose mailbox is selected gets, on the link that has it, what the
//! client wants of the selected mailbox.
//!
//! What must stay true: a client that has been told OK is told of changes, or
//! that it is told of none any more (`NOTIFICATIONOVERFLOW`).

use super::links::Watch;
use super::targets::{Target, Targets};
use super::{Event, Next, Task, Turn, alias, lost, no_link};
use crate::cmd;
use crate::error::Error;
use crate::job::{Job, Step};
use crate::link::{LinkError, LinkId};
use crate::names::FOREIGN;
use crate::session::{Session, State};
use roost_imap::command::NotifyArgs;
use roost_imap::write::{self, Status};
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

pub(super) struct Watching {
    args: NotifyArgs,
    left: VecDeque<Target>,
    /// More than can be watched.
    unwatched: Vec<String>,
    stage: Stage,
}

enum Stage {
    /// A link is asked for, or the session there sets itself up.
    Account(Target),
    /// That of the selected mailbox is told.
    Selected,
    /// Own mailboxes.
    Own(Option<Box<dyn Job>>),
}

impl Watching {
    pub fn new(args: NotifyArgs, targets: Targets) -> Self {
        Self {
            args,
            left: targets.targets.into(),
            unwatched: targets.unwatched,
            stage: Stage::Own(None),
        }
    }

    /// On with the next account.
    fn next(&mut self, turn: &mut Turn<'_>) -> Result<Next, Error> {
        if let Some(target) = self.left.pop_front() {
            let ask = alias::ask(turn.session, &target.shown);
            self.stage = Stage::Account(target);
            return Ok(Next::Ask(ask));
        }
        let link = match &turn.session.state {
            State::Foreign(remote) => remote.link,
            _ => None,
        };
        let Some(id) = link else {
            return self.own(turn);
        };
        // What is sent to the others when they get a mailbox to select.
        let wish = cmd::notify::for_selected(&self.args);
        turn.prepare(id)?;
        self.stage = Stage::Selected;
        let command = [turn.tag.as_str().as_bytes(), b" ", &wish].concat();
        let link = turn.session.links_mut().get(id).ok_or_else(lost)?;
        link.notified = Some(Arc::clone(&wish));
        let tag = turn.tag.as_str();
        link.send(tag, &command);
        Ok(Next::Read(id))
    }

    /// The link that was asked for is there.
    fn linked(&mut self, turn: &mut Turn<'_>) -> Result<Next, Error> {
        let Stage::Account(target) = &self.stage else {
            return Err(lost());
        };
        let status = match &self.args {
            NotifyArgs::Set(set) if set.status => " STATUS",
            _ => "",
        };
        let tag = turn.tag.as_str();
        let mut command = format!("{tag} NOTIFY SET{status}").into_bytes();
        command.extend_from_slice(&target.groups);
        let enabled = turn.session.enabled;
        let link = turn.session.links_mut().newest().ok_or_else(lost)?;
        link.watch = Watch::Begins;
        link.enable(enabled);
        link.send(tag, &command);
        Ok(Next::Read(link.id))
    }

    fn own(&mut self, turn: &mut Turn<'_>) -> Result<Next, Error> {
        for name in mem::take(&mut self.unwatched) {
            let text = format!("Too many mailboxes of others to tell of changes of {name:?}");
            write::untagged(turn.out, Status::No, None, &text);
        }
        self.stage = match cmd::notify::start(turn.session, self.args.clone())? {
            cmd::Started::Done(reply) => return Ok(Next::Done(reply)),
            cmd::Started::Job(job) => Stage::Own(Some(job)),
            cmd::Started::Idle => return Err(lost()),
        };
        Ok(Next::Step)
    }

    /// There is no link: where nobody is, nothing will change.
    fn missing(&mut self, turn: &mut Turn<'_>, error: LinkError) -> Result<Next, Error> {
        match error {
            LinkError::NoSuchAccount => self.next(turn),
            error => Err(no_link(turn.kind, error)),
        }
    }
}

impl Task for Watching {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error> {
        match event {
            Event::Go => match &mut self.stage {
                Stage::Account(_) => self.linked(turn),
                Stage::Own(Some(job)) => Ok(match job.step(turn.session, turn.out)? {
                    Step::More => Next::Step,
                    Step::Done(reply) => Next::Done(reply),
                }),
                Stage::Own(None) | Stage::Selected => self.next(turn),
            },
            Event::Text(id, text) if matches!(self.stage, Stage::Account(_)) => {
                if text.ends && !about_selected(turn.session, text.bytes) {
                    turn.pass(text);
                }
                Ok(Next::Read(id))
            }
            Event::Literal(id, _) if matches!(self.stage, Stage::Account(_)) => Ok(Next::Read(id)),
            Event::Tagged(_, Status::Ok, _) => match self.stage {
                Stage::Account(_) => self.next(turn),
                Stage::Selected | Stage::Own(_) => self.own(turn),
            },
            Event::NoLink(error) => self.missing(turn, error),
            other => turn.usual(&other),
        }
    }
}

/// Whether a line is a STATUS of the selected mailbox, which has other ways.
fn about_selected(session: &Session, line: &[u8]) -> bool {
    let State::Foreign(remote) = &session.state else {
        return false;
    };
    let mut status = b"* STATUS ".to_vec();
    write::mailbox(&mut status, &remote.name, session.dialect());
    status.extend_from_slice(b" (");
    line.starts_with(&status)
}

impl Session {
    /// The links that have to be heard between commands and in IDLE. What those
    /// that tell of changes say while it cannot be told stays in their sockets.
    pub fn heard(&self) -> Vec<LinkId> {
        let links = self.links.iter().filter(|_| self.listens());
        let watches = links.flat_map(|links| links.watches());
        self.link().into_iter().chain(watches).collect()
    }

    /// Whether a link is one of those that tell of changes, and may now.
    pub(super) fn watches(&self, id: LinkId) -> bool {
        let listens = self.listens();
        listens && (self.links.as_ref()).is_some_and(|links| links.watches().any(|w| w == id))
    }

    /// Takes an untagged line of a session that tells of changes.
    pub(super) fn told_of_changes(&mut self, id: LinkId, line: &[u8], out: &mut Vec<u8>) {
        let Some(link) = self.links_mut().get(id) else {
            return;
        };
        let (shown, ask) = (link.shown.clone(), link.ask.clone());
        let repointed = !shown.starts_with(FOREIGN) && alias::ask(self, &shown) != ask;
        let over = [&b"* OK [NOTIFICATIONOVERFLOW]"[..], b"* BYE"];
        if repointed || over.iter().any(|start| line.starts_with(start)) {
            return self.overflow(out);
        }
        let news = line.starts_with(b"* STATUS ") || line.starts_with(b"* LIST ");
        if news && !about_selected(self, line) {
            out.extend_from_slice(line);
        }
    }

    /// What has been enabled since is enabled there, too.
    pub(crate) fn enable_for_watches(&mut self) {
        let enabled = self.enabled;
        if let Some(links) = &mut self.links {
            links.enable_for_watches(enabled);
        }
    }

    /// Where the client has been told that nothing comes any more, the session
    /// that has the selected mailbox hears of it as soon as no command is under way
    /// there. The answer to NOTIFY NONE tells no expunges, so that numbers in the
    /// next command mean what they did.
    pub(crate) fn hush_selected(&mut self) {
        let nothing = cmd::notify::for_selected(&NotifyArgs::None);
        let (State::Foreign(remote), Some(wish)) = (&self.state, self.wants_of_selected()) else {
            return;
        };
        if wish == nothing
            && let Some(id) = remote.link
            && let Some(link) = self.links_mut().get(id)
            && link.expects.is_none()
            && link.notified.as_ref().is_some_and(|told| *told != nothing)
        {
            link.send_silently(&nothing);
            link.notified = Some(nothing);
        }
    }
}
