//! Alerts on their way to sessions: what a new session has to show is sent
//! behind it, what is posted meanwhile to those that are there.

use super::*;
use crate::alerts::Owner;
use crate::control::answer;
use crate::names::Names;
use crate::registry::Entry;
use roost_ipc::{
    Alert, AlertKind, AlertRow, Alerted, ControlReply, PostAlert, Reader, SupervisorToWorker,
};
use roost_types::SessionId;

/// Sessions told of in one message, which has its limit.
const TOLD_AT_ONCE: usize = 4000;
/// Alerts in one message to a program of this host.
const ROWS: usize = 50;

/// None for whom it must not be lost on: only the owner of an account has
/// seen what is for it.
fn to_show(row: &AlertRow, reader: Reader) -> Option<Alert> {
    let own = row.kind == AlertKind::Account;
    (reader != Reader::Nobody).then(|| Alert {
        id: row.id,
        text: row.text.clone(),
        confirm: own && reader == Reader::Owner,
    })
}

impl Supervisor {
    pub(super) fn names(&self) -> Names {
        let config = &self.settings.config;
        Names {
            default_domain: config.server.default_domain.clone(),
            lowercase: config.auth.lowercase_names,
        }
    }

    pub(super) fn on_post_alert(&mut self, by: UserId, post: &PostAlert, asker: OwnedFd) {
        let posted = self
            .alerts
            .post(post.kind, &post.name, &post.text, &self.names());
        let row = match posted {
            Ok(row) => row,
            Err(why) => return answer(asker, ControlReply::Failed(why.to_owned())),
        };
        log::warn!("alert {} is posted by uid {by}", row.id);
        self.show_to_all(&row);
        self.keep_alerts(asker, ControlReply::AlertPosted(row.id));
    }

    pub(super) fn on_remove_alert(&mut self, by: UserId, id: u64, asker: OwnedFd) {
        if !self.alerts.remove(id) {
            return answer(asker, ControlReply::Missing);
        }
        log::warn!("alert {id} is removed by uid {by}");
        self.keep_alerts(asker, ControlReply::Done);
    }

    pub(super) fn on_list_alerts(&self, asker: OwnedFd) {
        let rows = self.alerts.all();
        let parts = rows
            .chunks(ROWS)
            .map(|part| ControlReply::Alerts(part.to_vec()));
        crate::control::answer_all(asker, parts.chain([ControlReply::Done]).collect());
    }

    /// Answers when the file is written.
    fn keep_alerts(&self, asker: OwnedFd, reply: ControlReply) {
        let alerts = self.alerts.clone();
        tokio::spawn(async move {
            let flushed = tokio::task::spawn_blocking(move || alerts.flush()).await;
            let reply = match flushed {
                Ok(Ok(())) => reply,
                Ok(Err(error)) => ControlReply::Failed(format!("it is not written down: {error}")),
                Err(_) => ControlReply::Failed("it is not written down".to_owned()),
            };
            answer(asker, reply);
        });
    }

    fn show_to_all(&mut self, row: &AlertRow) {
        let mut of: HashMap<(UserId, Reader), Vec<SessionId>> = HashMap::new();
        let names = &self.names();
        for (session, entry) in self.registry.clients() {
            let account = &entry.account;
            if (Owner { account, names }).gets(row) {
                of.entry((entry.uid, entry.reader))
                    .or_default()
                    .push(session);
            }
        }
        for ((uid, reader), sessions) in of {
            let Some(alert) = to_show(row, reader) else {
                continue;
            };
            for part in sessions.chunks(TOLD_AT_ONCE) {
                self.send_alerts(uid, part.to_vec(), vec![alert.clone()]);
            }
        }
    }

    /// To a session that is in the registry, behind itself.
    pub(super) fn show_alerts(&mut self, session: SessionId) {
        let Some(entry) = self.registry.get(session) else {
            return;
        };
        let (uid, reader) = (entry.uid, entry.reader);
        let (account, names) = (&entry.account, &self.names());
        let rows = self.alerts.of(Owner { account, names });
        let alerts: Vec<_> = rows.iter().filter_map(|row| to_show(row, reader)).collect();
        if !alerts.is_empty() {
            self.send_alerts(uid, vec![session], alerts);
        }
    }

    fn send_alerts(&mut self, uid: UserId, sessions: Vec<SessionId>, alerts: Vec<Alert>) {
        let message = SupervisorToWorker::Alerts(roost_ipc::Alerts { sessions, alerts });
        let worker = self.workers.get(&uid);
        if worker.is_some_and(|worker| !worker.send(message)) {
            self.lose_worker(uid, Some("it does not read its messages"));
        }
    }

    /// A worker says so of a session of its own.
    pub(super) fn on_alerted(&mut self, uid: UserId, told: &Alerted) {
        let of_owner = |e: &&Entry| e.uid == uid && e.reader == Reader::Owner;
        let Some(entry) = self.registry.get(told.session).filter(of_owner) else {
            return;
        };
        let (account, names) = (&entry.account, &self.names());
        let mut over = false;
        for id in &told.alerts {
            over |= self.alerts.shown(*id, Owner { account, names });
        }
        if over {
            let alerts = self.alerts.clone();
            // Logged where it fails, and tried again with the next change.
            tokio::task::spawn_blocking(move || alerts.flush());
        }
    }
}
