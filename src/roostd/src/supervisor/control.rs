//! What local programs ask for.

use super::*;
use crate::control::{Asked, ControlSocket, answer};
use roost_ipc::log::Seldom;
use roost_ipc::{ControlReply, ControlRequest, LogLevel, Maintenance, SupervisorToWorker};

impl Supervisor {
    /// Opens the control socket; there is service without it.
    pub(super) fn open_control(&mut self) {
        let Some(path) = &self.settings.config.server.control_socket else {
            return;
        };
        match ControlSocket::open(path, self.events.clone()) {
            Ok(socket) => self.control = Some(socket),
            Err(error) => log::warn!("no control socket {}: {error}", path.display()),
        }
    }

    pub(super) fn on_control(&mut self, asked: Asked) {
        match asked.request {
            ControlRequest::Maintain(maintenance) => {
                self.maintain(asked.by, maintenance, asked.connection);
            }
            ControlRequest::Who => self.on_who(asked.by, asked.admin, asked.connection),
            ControlRequest::Kick(target) => {
                self.on_kick(asked.by, asked.admin, &target, asked.connection);
            }
            ControlRequest::Test(_) if !asked.admin => {
                answer(asked.connection, ControlReply::Refused);
            }
            ControlRequest::Test(tested) => self.on_test(asked.by, tested, asked.connection),
            ControlRequest::Open(wish) => {
                self.on_open(asked.by, asked.admin, wish, asked.connection);
            }
            ControlRequest::Stats => self.on_stats(asked.by, asked.admin, asked.connection),
            ControlRequest::PostAlert(_)
            | ControlRequest::RemoveAlert(_)
            | ControlRequest::ListAlerts
            | ControlRequest::Trace(_)
            | ControlRequest::ListTraced
                if !asked.admin =>
            {
                answer(asked.connection, ControlReply::Refused);
            }
            ControlRequest::PostAlert(post) => {
                self.on_post_alert(asked.by, &post, asked.connection);
            }
            ControlRequest::RemoveAlert(id) => {
                self.on_remove_alert(asked.by, id, asked.connection);
            }
            ControlRequest::ListAlerts => self.on_list_alerts(asked.connection),
            ControlRequest::Trace(trace) => self.on_trace(asked.by, trace, asked.connection),
            ControlRequest::ListTraced => self.on_list_traced(asked.connection),
            ControlRequest::Share(said) if asked.by.is_root() => {
                self.shares.set(&said.account, &said.identifiers);
                answer(asked.connection, ControlReply::Done);
            }
            ControlRequest::Share(said) => self.on_claim(asked.by, said, asked.connection),
            ControlRequest::ForgetShares if !asked.by.is_root() => {
                answer(asked.connection, ControlReply::Refused);
            }
            ControlRequest::ForgetShares => {
                self.shares.forget();
                answer(asked.connection, ControlReply::Done);
            }
        }
    }

    /// The worker of that mail does it, where there is one.
    fn maintain(&mut self, by: UserId, maintenance: Maintenance, connection: OwnedFd) {
        let uid = maintenance.uid;
        if !may_ask(by, uid) {
            static LINES: Seldom = Seldom::new();
            let text = format_args!("uid {by} asked for the mail of uid {uid}: refused");
            LINES.log(by, LogLevel::Major, text);
            return answer(connection, ControlReply::Refused);
        }
        let message = SupervisorToWorker::Maintain(maintenance);
        match self.workers.get(&uid) {
            Some(worker) if worker.takes_messages() => {
                if !worker.send_with(message, vec![connection]) {
                    self.lose_worker(uid, Some("it does not read its messages"));
                }
            }
            _ => answer(connection, ControlReply::NotServed),
        }
    }
}

/// Root may ask for everybody's mail to be looked after, others for their own.
fn may_ask(by: UserId, owner: UserId) -> bool {
    by.is_root() || by == owner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_but_root_asks_for_others() {
        let (root, ann, bob) = (UserId(0), UserId(1001), UserId(1002));
        assert!(may_ask(root, ann));
        assert!(may_ask(ann, ann));
        assert!(!may_ask(ann, bob));
        assert!(!may_ask(ann, root));
    }
}
