//! Telling systemd how far the service is. Without systemd
//! (`NOTIFY_SOCKET` unset) every call does nothing, and a manager that cannot
//! be reached is no reason to fail.

use sd_notify::NotifyState;

pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// To be followed by [`ready`].
pub fn reloading() {
    // `Type=notify-reload` wants the time along.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(_) => send(&[NotifyState::Reloading]),
    }
}

pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::debug!("systemd cannot be told: {error}");
    }
}
