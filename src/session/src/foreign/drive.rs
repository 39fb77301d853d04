//! How the driver and the links of a session meet.
//!
//! The driver does what [`Progress`](crate::Progress) says, after what was
//! appended has gone to the client:
//! - `Ask`: it asks the supervisor for what [`Session::asks`] says, and calls
//!   [`Session::linked`] or [`Session::shares`];
//! - `Relay`: as long as [`Session::link_to_write`] names a link, it sends what
//!   [`Session::link_output`] of it holds. When there is none any more it waits
//!   for [`Session::link`] to be readable, and hands over what it reads by
//!   [`Session::relayed`]; where that names none, it calls
//!   [`Session::step`];
//! - `Next` and `Idle`: it also waits for the links that [`Session::heard`]
//!   names. What is left of what one has brought earlier it has taken with no
//!   octets.
//!
//! Before any wait it sends what links have for output. A link that ends, or
//! whose socket fails, is read to its end first, and then reported by
//! [`Session::link_lost`]. What [`Session::closed_links`] names it drops.

use super::links::{Link, Watch};
use super::{ClientFrame, Event, Links, Next, Relaying, Task, Turn, Wait};
use crate::error::{Error, Fatal};
use crate::link::{Ask, LinkError, LinkId};
use crate::session::{Phase, Progress, Session, Silence, State};
use roost_imap::{CommandKind, Tag};
use std::mem;
use std::time::Instant;

impl Session {
    /// What the session asks of the supervisor, at [`Progress::Ask`].
    pub fn asks(&self) -> Option<&Ask> {
        match &self.phase {
            Phase::Foreign(relaying) => match &relaying.wait {
                Wait::Ask(ask) => Some(ask),
                _ => None,
            },
            _ => None,
        }
    }

    /// The answer to [`Ask::Link`].
    pub fn linked(&mut self, result: Result<LinkId, LinkError>, out: &mut Vec<u8>) -> Progress {
        let progress = self.answered_link(result, out);
        self.pauses();
        progress
    }

    fn answered_link(&mut self, result: Result<LinkId, LinkError>, out: &mut Vec<u8>) -> Progress {
        let (shown, ask) = match self.asks() {
            Some(ask @ Ask::Link { shown, alias }) => {
                let shown = alias.as_ref().map_or(shown, |alias| &alias.name);
                (shown.clone(), ask.clone())
            }
            _ => return self.waits(),
        };
        match result {
            Ok(id) => {
                self.links_mut().add(id, shown, ask);
                self.event(Event::Go, out)
            }
            Err(error) => self.event(Event::NoLink(error), out),
        }
    }

    /// The answer to [`Ask::Shares`]: accounts as the client would write them,
    /// `~` included, sorted.
    pub fn shares(&mut self, accounts: Vec<String>, out: &mut Vec<u8>) -> Progress {
        let progress = match self.asks() {
            Some(Ask::Shares) => self.event(Event::Shares(accounts), out),
            _ => self.waits(),
        };
        self.pauses();
        progress
    }

    /// The link that has to be heard: at [`Progress::Relay`] nothing goes on
    /// without it.
    pub fn link(&self) -> Option<LinkId> {
        match (&self.phase, &self.state) {
            (Phase::Foreign(relaying), _) => match relaying.wait {
                Wait::Link(id) => Some(id),
                Wait::Idle(id) => id,
                Wait::Step | Wait::Written | Wait::Ask(_) | Wait::Frame => None,
            },
            (Phase::Ready, State::Foreign(remote)) => remote.link,
            _ => None,
        }
    }

    /// The session waits for the client, and what it tells of others' changes
    /// stands between no two parts of a response.
    pub(super) fn listens(&self) -> bool {
        match &self.phase {
            Phase::Ready | Phase::Idle { .. } => true,
            Phase::Foreign(relaying) => matches!(relaying.wait, Wait::Idle(_)) && !relaying.partial,
            _ => false,
        }
    }

    /// A link that something is to be sent on.
    pub fn link_to_write(&self) -> Option<LinkId> {
        self.links.as_ref()?.to_write()
    }

    /// What is to be sent on a link; what has been sent is to be taken out.
    pub fn link_output(&mut self, id: LinkId) -> Option<&mut Vec<u8>> {
        Some(&mut self.links.as_mut()?.get(id)?.output)
    }

    /// Links that are of no use any more.
    pub fn closed_links(&mut self) -> Vec<LinkId> {
        match &mut self.links {
            Some(links) => links.take_closed(),
            None => Vec::new(),
        }
    }

    /// The session has nothing to do for a while: links that have not been
    /// used for long are closed. Tells when to call it again, if nothing comes
    /// before.
    pub fn rest(&mut self, now: Instant) -> Option<Instant> {
        let keep = match &self.state {
            State::Foreign(remote) => remote.link,
            _ => None,
        };
        self.links.as_mut()?.close_idle(keep, now)
    }

    pub(crate) fn links_mut(&mut self) -> &mut Links {
        self.links.get_or_insert_default()
    }

    /// Takes octets that came over a link: at most 64 KiB at once, and only
    /// while the client takes what is appended.
    pub fn relayed(&mut self, id: LinkId, bytes: &[u8], out: &mut Vec<u8>) -> Progress {
        let progress = self.hear(id, bytes, out);
        self.pauses();
        progress
    }

    fn hear(&mut self, id: LinkId, bytes: &[u8], out: &mut Vec<u8>) -> Progress {
        let Some(link) = self.links_mut().get(id) else {
            return self.waits();
        };
        let mut reader = mem::take(&mut link.reader);
        let mut all = mem::take(&mut link.stash);
        let mut input = match all.is_empty() {
            true => bytes,
            false => {
                all.extend_from_slice(bytes);
                all.as_slice()
            }
        };
        let mut progress = None;
        while (self.link() == Some(id) || self.watches(id))
            && let Some(piece) = reader.next(&mut input)
        {
            progress = self.piece(id, piece, out).or(progress);
        }
        if let Some(link) = self.links_mut().get(id) {
            link.reader = reader;
            link.stash = input.to_vec();
        }
        match progress {
            Some(progress) if progress != Progress::Relay => progress,
            _ => self.waits(),
        }
    }

    /// A link has ended. What had come before has been handed over.
    pub fn link_lost(&mut self, id: LinkId, out: &mut Vec<u8>) -> Progress {
        let progress = match self.links_mut().remove(id) {
            Some(link) => self.lose(&link, out),
            None => self.waits(),
        };
        self.pauses();
        progress
    }

    /// There is no more to be had of a link that is not there any more.
    pub(super) fn lose(&mut self, link: &Link, out: &mut Vec<u8>) -> Progress {
        self.forget_closed();
        if link.watch == Watch::Lasts {
            self.overflow(out);
            return self.waits();
        }
        match &self.phase {
            Phase::Foreign(relaying) if relaying.partial => self.fatal(Fatal::Truncated, out),
            Phase::Foreign(_) => self.event(Event::Lost(link.id), out),
            _ if link.reader.within() && !link.swallows => self.fatal(Fatal::Truncated, out),
            _ => self.waits(),
        }
    }

    /// Begins a command that is relayed.
    pub(crate) fn relay(
        &mut self,
        tag: Tag,
        kind: CommandKind,
        task: Box<dyn Task>,
        out: &mut Vec<u8>,
    ) -> Progress {
        self.phase = Phase::Foreign(Box::new(Relaying {
            tag,
            kind,
            task,
            wait: Wait::Step,
            partial: false,
            woken: false,
            silence: Silence::begins(self.settings.running_interval),
        }));
        self.event(Event::Go, out)
    }

    /// Goes on with the command that is relayed.
    pub(crate) fn relay_step(&mut self, out: &mut Vec<u8>) -> Progress {
        let Phase::Foreign(relaying) = &self.phase else {
            return self.waits();
        };
        let tells = relaying.tells();
        match relaying.wait {
            Wait::Idle(_) if tells => {
                let more = self.tell_others(out);
                if let Phase::Foreign(relaying) = &mut self.phase {
                    relaying.woken = more;
                }
                self.waits()
            }
            Wait::Step => self.event(Event::Go, out),
            Wait::Written if self.link_to_write().is_none() => self.event(Event::Go, out),
            Wait::Link(id) => self.hear(id, &[], out),
            _ => self.waits(),
        }
    }

    /// The client has sent a part of the command that is relayed.
    pub(crate) fn relay_frame(&mut self, frame: ClientFrame, out: &mut Vec<u8>) -> Progress {
        self.event(Event::Frame(frame), out)
    }

    /// The command that is relayed is given up.
    pub(crate) fn relay_ends(&mut self) {
        if let Some(links) = &mut self.links {
            links.close_busy();
        }
        self.forget_closed();
        self.hush_selected();
    }

    pub(super) fn forget_closed(&mut self) {
        if let (State::Foreign(remote), Some(links)) = (&mut self.state, &mut self.links)
            && let Some(id) = remote.link
            && links.get(id).is_none()
        {
            remote.link = None;
        }
    }

    /// Selects nothing: the mailbox is closed there as soon as may be.
    pub(crate) fn leave_remote(&mut self, link: Option<LinkId>) {
        self.state = State::Authenticated;
        if let Some(link) = link.and_then(|id| self.links_mut().get(id)) {
            link.selected = false;
            link.send_silently(b"UNSELECT");
        }
    }

    /// What the driver has to wait for.
    pub(crate) fn waits(&mut self) -> Progress {
        match &self.phase {
            Phase::Ready => match self.pushing() {
                true => Progress::Relay,
                false => Progress::Next,
            },
            Phase::Idle { .. } => Progress::Idle,
            Phase::Append(_) => Progress::Next,
            Phase::Ended(end) => Progress::End(*end),
            Phase::Foreign(relaying) => match relaying.wait {
                Wait::Step => Progress::More,
                Wait::Written => Progress::Relay,
                Wait::Link(id) => match self.links_mut().get(id) {
                    Some(link) if !link.stash.is_empty() => Progress::More,
                    _ => Progress::Relay,
                },
                Wait::Ask(_) => Progress::Ask,
                Wait::Frame => Progress::Next,
                Wait::Idle(_) if relaying.tells() => Progress::More,
                Wait::Idle(_) => Progress::Idle,
            },
            Phase::Before(_)
            | Phase::Running { .. }
            | Phase::After { .. }
            | Phase::IdleTelling { .. }
            | Phase::Pushing(_) => Progress::More,
        }
    }

    /// The client has got a part of what the other account tells it between
    /// commands.
    pub(crate) fn pushing(&mut self) -> bool {
        let Some(id) = self.link() else {
            return false;
        };
        let link = self.links_mut().get(id);
        link.is_some_and(|link| link.reader.within() && !link.swallows)
    }

    pub(super) fn event(&mut self, event: Event<'_>, out: &mut Vec<u8>) -> Progress {
        let relaying = match mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Foreign(relaying) => relaying,
            other => {
                self.phase = other;
                return self.waits();
            }
        };
        let mut relaying = relaying;
        let before = out.len();
        let mut turn = Turn {
            session: self,
            tag: &relaying.tag,
            kind: relaying.kind,
            out,
            partial: &mut relaying.partial,
        };
        let next = relaying.task.on(&mut turn, event);
        if out.len() > before {
            relaying.silence.ends();
        }
        self.goes_on(relaying, next, out)
    }

    fn goes_on(
        &mut self,
        mut relaying: Box<Relaying>,
        next: Result<Next, Error>,
        out: &mut Vec<u8>,
    ) -> Progress {
        let mut progress = None;
        relaying.wait = match next {
            Ok(Next::Step) => Wait::Step,
            Ok(Next::Write) => Wait::Written,
            Ok(Next::Read(id)) => Wait::Link(id),
            Ok(Next::Ask(ask)) => {
                self.make_room(&ask);
                Wait::Ask(ask)
            }
            Ok(Next::Frame) => Wait::Frame,
            Ok(Next::Accept) => {
                progress = Some(Progress::AcceptAppend);
                Wait::Frame
            }
            Ok(Next::Refuse) => {
                progress = Some(Progress::RefuseAppend);
                Wait::Frame
            }
            Ok(Next::Idle(link)) => Wait::Idle(link),
            Ok(Next::Done(reply)) => {
                let Relaying { tag, kind, .. } = *relaying;
                self.relay_ends();
                return self.finish(tag, kind, reply, out);
            }
            Ok(Next::Passed) => {
                self.relay_ends();
                self.phase = Phase::Ready;
                return Progress::Next;
            }
            Err(error) => {
                let Relaying {
                    tag,
                    kind,
                    partial,
                    task,
                    ..
                } = *relaying;
                drop(task);
                self.relay_ends();
                if partial {
                    return self.fatal(Fatal::Truncated, out);
                }
                return self.failed(tag, kind, &error, out);
            }
        };
        if !relaying.partial && !matches!(relaying.wait, Wait::Idle(_)) {
            let Relaying {
                tag, task, silence, ..
            } = &mut *relaying;
            silence.lasts(tag, || task.progress(), out);
        }
        self.phase = Phase::Foreign(relaying);
        progress.unwrap_or_else(|| self.waits())
    }

    /// A link more than there may be takes the place of another one.
    fn make_room(&mut self, ask: &Ask) {
        let selected = match &self.state {
            State::Foreign(remote) => remote.link,
            _ => None,
        };
        if let (Ask::Link { .. }, Some(links)) = (ask, &mut self.links)
            && links.full()
        {
            links.close_oldest(selected);
        }
    }
}
