//! Accounts whose sessions have their protocol in the log. A session that begins
//! is told with its first message, those that are there at once. Which accounts
//! these are is forgotten with the end of the server: nobody is watched because
//! somebody forgot it.

use super::*;
use crate::alerts::is_name;
use crate::control::answer;
use roost_ipc::log::escape;
use roost_ipc::{ControlReply, SupervisorToWorker, Trace, Traced};
use roost_types::SessionId;

/// Accounts at once: their names fit one message.
const MAX_TRACED: usize = 100;
/// Sessions told of in one message, which has its limit.
const TOLD_AT_ONCE: usize = 4000;

impl Supervisor {
    pub(super) fn on_trace(&mut self, by: UserId, trace: Trace, asker: OwnedFd) {
        let Trace { account, on } = trace;
        let account = self.names().spelled(&account);
        let reply = match (on, self.is_traced(&account)) {
            (true, _) if !is_name(&account) => {
                ControlReply::Failed("that can be the name of no account".to_owned())
            }
            (true, false) if self.traced.len() >= MAX_TRACED => {
                ControlReply::Failed("too many accounts are traced: end some".to_owned())
            }
            (false, false) => ControlReply::Missing,
            // Again is no harm.
            (true, _) | (false, true) => {
                let word = if on { "begins" } else { "ends" };
                log::warn!("trace of <{}> {word}, by uid {by}", escape(&account));
                self.trace(account, on);
                ControlReply::Done
            }
        };
        answer(asker, reply);
    }

    pub(super) fn on_list_traced(&self, asker: OwnedFd) {
        let names = self.traced.iter().cloned().collect();
        answer(asker, ControlReply::Traced(names));
    }

    pub(super) fn is_traced(&self, account: &str) -> bool {
        let names = self.names();
        self.traced.iter().any(|name| names.same(name, account))
    }

    fn trace(&mut self, account: String, on: bool) {
        let names = self.names();
        let mut of: HashMap<UserId, Vec<SessionId>> = HashMap::new();
        for (session, entry) in self.registry.clients() {
            if names.same(&entry.account, &account) {
                of.entry(entry.uid).or_default().push(session);
            }
        }
        self.traced.retain(|name| !names.same(name, &account));
        if on {
            self.traced.insert(account);
        }
        for (uid, sessions) in of {
            for part in sessions.chunks(TOLD_AT_ONCE) {
                let sessions = part.to_vec();
                let message = SupervisorToWorker::Traced(Traced { sessions, on });
                let worker = self.workers.get(&uid);
                if worker.is_some_and(|worker| !worker.send(message)) {
                    self.lose_worker(uid, Some("it does not read its messages"));
                }
            }
        }
    }
}
