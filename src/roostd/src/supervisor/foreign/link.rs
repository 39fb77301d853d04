//! A link from its delivery to its end. What must stay true: the asker's worker
//! hears of each of its wishes once, whichever process dies meanwhile.

use std::sync::Arc;

use super::super::workers::Wanted;
use super::super::*;
use super::{Link, PATIENCE};
use crate::registry::{Entry, LinkOf};
use roost_ipc::log::escape;
use roost_ipc::{Asker, Bytes, ForeignResult, Refusal, Session, slog};
use roost_types::{LogLevel, SessionId};

/// Octets that either side may be ahead of the other.
const AHEAD: usize = 512 << 10;

impl Supervisor {
    /// To the owner's running worker.
    pub(in super::super) fn deliver_link(&mut self, link: Link) {
        let (owner, wish) = (&link.owner, &link.wish);
        // Meanwhile it may have ended; its worker waits for an answer still.
        let Some(entry) = self.own_session(wish.uid, wish.asked.session) else {
            return self.refuse_link(wish, ForeignResult::Unavailable);
        };
        let (asker, tls) = (entry.account.clone(), entry.tls.clone());
        let endpoints = entry.endpoints.clone();
        let place = match self.settings.place_of(owner) {
            Ok(place) => place,
            Err(error) => {
                log::error!("no Maildir for <{}>: {error}", escape(&owner.account));
                return self.refuse_link(&link.wish, ForeignResult::Unavailable);
            }
        };
        let (ours, theirs) = match roost_os::fdpass::wide_stream_pair(AHEAD) {
            Ok(pair) => pair,
            Err(error) => {
                log::error!("no sockets for a link: {error}");
                return self.refuse_link(&link.wish, ForeignResult::Unavailable);
            }
        };
        let session = Session {
            session: owner.session,
            account: owner.account.clone(),
            home: owner.home.clone(),
            maildir: place.maildir,
            index_dir: place.index_dir,
            tag: String::new(),
            leftover: Bytes(vec![]),
            endpoints: endpoints.clone(),
            tls: tls.clone(),
            method: owner.method.clone(),
            max_message_size: place.max_message_size,
            sees_non_mail: place.sees_non_mail,
            quota: place.quota,
            asker: Some(Asker {
                account: asker.clone(),
                groups: link.groups.clone(),
                shown: wish.asked.shown.clone(),
                alias: wish.asked.alias.clone(),
            }),
            // Its asker is, if anyone.
            traced: false,
        };
        let entry = Entry {
            account: owner.account.clone(),
            uid: owner.credentials.uid,
            endpoints,
            tls,
            method: owner.method.clone(),
            since: Instant::now(),
            started: false,
            link: Some(LinkOf::new(
                asker,
                wish.asked.session,
                Arc::clone(&wish.permit),
            )),
            local: false,
            reader: owner.reader,
        };
        let (uid, id) = (owner.credentials.uid, owner.session);
        self.registry.insert(id, entry);
        let until = Instant::now() + PATIENCE;
        self.foreign.opening.insert(id, (link, ours, until));
        self.give_session(uid, session, theirs);
    }

    /// The owner's worker serves the link.
    pub(in super::super) fn on_link_started(&mut self, link: SessionId) {
        let Some((Link { wish, .. }, end, _)) = self.foreign.opening.remove(&link) else {
            return;
        };
        if let Some(entry) = self.registry.get(link)
            && let Some(of) = &entry.link
        {
            slog!(
                link,
                LogLevel::LowLevel,
                "link of <{}> to <{}> opened, for session=<{}>",
                escape(&of.account),
                escape(&entry.account),
                of.session
            );
        }
        let (opened, request) = (ForeignResult::Opened, wish.asked.request);
        self.answer(wish.uid, wish.generation, request, opened, Some(end));
    }

    /// A link has ended, or has never begun, for this reason.
    pub(in super::super) fn on_link_ended(
        &mut self,
        link: SessionId,
        entry: &Entry,
        reason: Refusal,
    ) {
        if let Some((Link { wish, .. }, ..)) = self.foreign.opening.remove(&link) {
            let result = match reason {
                Refusal::NoMail => ForeignResult::NoSuchAccount,
                _ => ForeignResult::Unavailable,
            };
            return self.refuse_link(&wish, result);
        }
        if let Some(of) = &entry.link {
            slog!(
                link,
                LogLevel::LowLevel,
                "link of <{}> to <{}> closed after {:.1}s, for session=<{}>",
                escape(&of.account),
                escape(&entry.account),
                entry.since.elapsed().as_secs_f64(),
                of.session
            );
        }
    }

    /// The owner's worker has died. A link that it had not taken yet was sent
    /// to a dead one, and gets its successor, once.
    pub(in super::super) fn on_link_orphaned(
        &mut self,
        uid: UserId,
        link: SessionId,
        entry: &Entry,
    ) {
        match self.foreign.opening.remove(&link) {
            Some((mut link, ..)) if !link.again && self.phase.is_serving() => {
                link.again = true;
                self.keep_for_later(uid, Wanted::Link(Box::new(link)));
            }
            Some((link, ..)) => self.drop_link(&link),
            None => self.on_link_ended(link, entry, Refusal::Unavailable),
        }
    }

    pub(in super::super) fn drop_link(&mut self, link: &Link) {
        self.refuse_link(&link.wish, ForeignResult::Unavailable);
    }
}
