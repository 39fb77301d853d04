//! What a session is told from outside: that it is to end and why, alerts for
//! its client, and whether its protocol is logged. There are as many of these as sessions, so each is small.

use roost_ipc::{Alert, EndReason};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::Notify;

/// Alerts that wait; more are not kept.
const MOST: usize = 1000;

/// Shared by a session and whoever may end it.
#[derive(Clone, Default)]
pub struct Ending(Arc<Shared>);

#[derive(Default)]
struct Shared {
    reason: OnceLock<EndReason>,
    /// Most sessions never have any.
    alerts: Mutex<Option<Box<Alerts>>>,
    /// Its protocol is logged.
    traced: AtomicBool,
    told: Notify,
}

#[derive(Default)]
struct Alerts {
    waiting: Vec<Alert>,
    /// Have been shown and are to be confirmed.
    shown: Vec<u64>,
}

/// What a session that waits has to see to.
pub enum News {
    End(EndReason),
    Alerts,
}

impl Ending {
    /// The first reason is the one that counts.
    pub fn tell(&self, reason: EndReason) {
        if self.0.reason.set(reason).is_ok() {
            self.0.told.notify_waiters();
        }
    }

    /// `None` while the session may go on.
    pub fn reason(&self) -> Option<EndReason> {
        self.0.reason.get().copied()
    }

    /// Waits until the session is to end.
    pub async fn told(&self) -> EndReason {
        loop {
            // Before the look, so that no word between the two is missed.
            let told = self.0.told.notified();
            if let Some(reason) = self.reason() {
                return reason;
            }
            told.await;
        }
    }

    /// The same, or until there is an alert for its client, if it can be shown
    /// one now: one that cannot would be news for ever.
    pub async fn news(&self, alerts: bool) -> News {
        loop {
            let told = self.0.told.notified();
            if let Some(reason) = self.reason() {
                return News::End(reason);
            }
            if alerts && self.has_alerts() {
                return News::Alerts;
            }
            told.await;
        }
    }

    /// From its next command on.
    pub fn trace(&self, on: bool) {
        self.0.traced.store(on, Ordering::Relaxed);
    }

    pub fn is_traced(&self) -> bool {
        self.0.traced.load(Ordering::Relaxed)
    }

    /// Has the client shown that.
    pub fn alert(&self, alert: Alert) {
        let mut alerts = self.lock();
        let waiting = &mut alerts.get_or_insert_default().waiting;
        if waiting.len() < MOST {
            waiting.push(alert);
        }
        drop(alerts);
        self.0.told.notify_waiters();
    }

    pub fn has_alerts(&self) -> bool {
        let alerts = self.lock();
        alerts.as_ref().is_some_and(|a| !a.waiting.is_empty())
    }

    /// The alerts that wait: they will be shown now.
    pub fn take_alerts(&self) -> Vec<Alert> {
        let mut alerts = self.lock();
        let Some(alerts) = alerts.as_mut() else {
            return Vec::new();
        };
        let taken = std::mem::take(&mut alerts.waiting);
        let confirmed = taken.iter().filter(|alert| alert.confirm);
        alerts.shown.extend(confirmed.map(|alert| alert.id));
        taken
    }

    /// Those that are to be confirmed, once.
    pub fn shown(&self) -> Vec<u64> {
        let mut held = self.lock();
        match held.as_mut() {
            None => Vec::new(),
            Some(alerts) => {
                let shown = std::mem::take(&mut alerts.shown);
                if alerts.waiting.is_empty() {
                    *held = None;
                }
                shown
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Alerts>>> {
        self.0.alerts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_wait_hear_the_first_reason() {
        let ending = Ending::default();
        assert!(ending.reason().is_none());
        let waiting =
            [ending.clone(), ending.clone()].map(|e| tokio::spawn(async move { e.told().await }));
        tokio::task::yield_now().await;
        ending.tell(EndReason::Kicked);
        ending.tell(EndReason::Shutdown);
        for one in waiting {
            assert_eq!(one.await.unwrap(), EndReason::Kicked);
        }
        assert_eq!(ending.told().await, EndReason::Kicked);
    }

    #[tokio::test]
    async fn alerts_are_taken_once_and_confirmed_once() {
        let ending = Ending::default();
        let alert = |id| Alert {
            id,
            text: "lunch".into(),
            confirm: id == 2,
        };
        let waiting = ending.clone();
        let waiting = tokio::spawn(async move { waiting.news(true).await });
        tokio::task::yield_now().await;
        assert!(ending.shown().is_empty());
        ending.alert(alert(1));
        ending.alert(alert(2));
        assert!(matches!(waiting.await.unwrap(), News::Alerts));
        assert!(ending.shown().is_empty(), "not yet");
        assert_eq!(ending.take_alerts(), [alert(1), alert(2)]);
        assert!(ending.take_alerts().is_empty() && !ending.has_alerts());
        assert_eq!(ending.shown(), [2]);
        assert!(ending.shown().is_empty());
        ending.tell(EndReason::Kicked);
        assert!(matches!(
            ending.news(true).await,
            News::End(EndReason::Kicked)
        ));
    }
}
