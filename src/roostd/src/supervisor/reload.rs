//! SIGHUP and renewed certificates. A new configuration is taken as a whole
//! or not at all; connections stay either way.

use super::*;
use crate::{logger, settings};
use roost_config::Config;
use roost_ipc::SupervisorToWorker;

impl Supervisor {
    pub(super) fn reload(&mut self) {
        if !self.phase.is_serving() {
            return;
        }
        systemd::reloading();
        match self.load() {
            Ok((settings, listeners)) => {
                self.take_on(settings, listeners);
                log::warn!(
                    "configuration reloaded, serving {}",
                    self.listeners.describe()
                );
            }
            Err(errors) => {
                for error in errors {
                    log::error!("{error}");
                }
                log::error!("the new configuration is not used, the old one stays");
            }
        }
        systemd::ready(&format!("serving {}", self.listeners.describe()));
    }

    fn load(&self) -> Result<(Settings, Listeners), Vec<String>> {
        let config = Config::load(&self.source.config).map_err(|errors| as_lines(&errors))?;
        if let Some(fault) = settings::log_fault(&self.source.config, &config) {
            return Err(vec![fault]);
        }
        let settings = Settings::new(config, &self.source.privilege)?;
        let listeners = self
            .listeners
            .with(&settings.listeners)
            .map_err(|errors| as_lines(&errors))?;
        Ok((settings, listeners))
    }

    fn take_on(&mut self, settings: Settings, listeners: Listeners) {
        let old = std::mem::replace(&mut self.settings, settings);
        // Until auth has said it anew.
        self.settings.worker.mail.public = old.worker.mail.public;
        self.listeners = listeners;
        let config = &self.settings.config;
        let default_domain = config.server.default_domain.as_deref();
        self.shares.set_default_domain(default_domain);
        logger::set_level(settings::log_level(config));
        let target = settings::log_target(config);
        if target != settings::log_target(&old.config) {
            self.log.set_target(target);
        }
        if config.server.user != old.config.server.user
            || config.server.chroot_dir != old.config.server.chroot_dir
            || config.server.libexec_dir != old.config.server.libexec_dir
            || config.server.control_socket != old.config.server.control_socket
        {
            log::warn!(
                "[server] user, chroot_dir, libexec_dir and control_socket hold from the next \
                 start on"
            );
        }
        if let Some(control) = &self.control {
            control.look_up_admins();
        }
        if let Err(error) = self.send_gate_setup(None) {
            log::error!("the gate cannot be told its new settings: {error}");
        }
        self.send_auth(SupervisorToAuth::Setup(self.settings.auth.clone()), vec![]);
        self.set_up_workers();
    }

    fn set_up_workers(&mut self) {
        for uid in self.workers.keys().copied().collect::<Vec<_>>() {
            let setup = SupervisorToWorker::Setup(self.settings.worker.clone());
            if self
                .workers
                .get(&uid)
                .is_some_and(|worker| !worker.send(setup))
            {
                self.lose_worker(uid, Some("it does not read its messages"));
            }
        }
    }

    /// Whether there is an account `public`.
    pub(super) fn set_public(&mut self, public: bool) {
        if self.settings.worker.mail.public != public {
            self.settings.worker.mail.public = public;
            self.set_up_workers();
        }
    }

    /// A certificate file may have changed.
    pub(super) fn reload_certificates(&mut self) {
        if !self.phase.is_serving() {
            return;
        }
        match Settings::new(self.settings.config.clone(), &self.source.privilege) {
            Ok(new) if new.gate.tls == self.settings.gate.tls => {}
            Ok(mut new) => {
                new.worker.mail.public = self.settings.worker.mail.public;
                self.settings = new;
                if let Err(error) = self.send_gate_setup(None) {
                    log::error!("the gate cannot be told its new settings: {error}");
                    return;
                }
                log::warn!("certificates reloaded");
            }
            // Files of a pair change one after the other; the next change
            // brings the rest.
            Err(errors) => {
                for error in errors {
                    log::error!("{error}");
                }
                log::error!("the certificates in use stay");
            }
        }
    }
}

fn as_lines<E: std::fmt::Display>(errors: &[E]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}
