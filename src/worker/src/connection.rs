//! What a session waits for between its turns: the client, changes of its
//! mailbox, the clock, and the supervisor.
//!
//! Nothing here touches the disk. While it waits, a session has no thread, and
//! after a short while no buffer and no compressor either.

use crate::changes::Changes;
use crate::client::{Client, Pause, Stop, Welcome};
use crate::control::{Report, Reports, Wish};
use crate::ending::{Ending, News};
use crate::links::Links;
use crate::stream::Stream;
use crate::turns::{Key, Turns};
use roost_imap::ResponseCode;
use roost_imap::write::{self, Status};
use roost_ipc::{EndReason, LogLevel, SessionEnd, slog};
use roost_session::{Activity, LinkId, Session};
use roost_types::SessionId;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::{sleep_until, timeout};

/// Between two signs of life in IDLE, for clients and for NAT boxes.
const KEEP_ALIVE: Duration = Duration::from_secs(120);
/// For a last word to a client that may no longer listen.
const LAST_WORD: Duration = Duration::from_secs(1);
/// A session that waits for so long gives its memory back; one whose client
/// only thinks about its next command keeps what it will need at once.
const REST: Duration = Duration::from_secs(2);

pub struct Connection {
    /// `None` only during a turn.
    client: Option<Box<Client>>,
    id: SessionId,
    key: Key,
    turns: Arc<Turns>,
    /// The way to the supervisor.
    reports: Reports,
    ending: Ending,
    idle_timeout: Duration,
}

impl Connection {
    pub fn new(
        stream: Stream,
        session: Session,
        leftover: &[u8],
        ending: Ending,
        (turns, reports): (Arc<Turns>, Reports),
        idle_timeout: Duration,
    ) -> Self {
        let key = Arc::as_ptr(session.account()).addr();
        let client = Client::new(stream, session, leftover, ending.clone());
        Self {
            id: client.id,
            client: Some(Box::new(client)),
            key,
            turns,
            reports,
            ending,
            idle_timeout,
        }
    }

    /// None during a turn.
    pub fn activity(&self) -> Option<Arc<Activity>> {
        let session = self.client.as_ref()?.session.as_ref()?;
        Some(Arc::clone(session.activity()))
    }

    /// Says the first word, if there is one to say, and serves the client to
    /// the end.
    pub async fn run(mut self, welcome: Option<&Welcome>) -> SessionEnd {
        let first = match (&mut self.client, welcome) {
            (Some(client), Some(welcome)) => client.greet(welcome),
            (Some(_), None) => Pause::Input,
            (None, _) => Pause::End(Stop::Panic),
        };
        let stop = self.serve(first).await;
        let reason = match &stop {
            Stop::Reason(reason) => *reason,
            Stop::Io(e) => {
                slog!(self.id, LogLevel::LowLevel, "connection: {e}");
                EndReason::Disconnected
            }
            Stop::Panic => EndReason::ServerError,
        };
        self.last_word(&stop, reason).await;
        let client = self.client.take();
        let counts = client.as_ref().map(|client| client.counts());
        // The last one who lets go of a mailbox writes its index.
        let _ = tokio::task::spawn_blocking(move || drop(client)).await;
        SessionEnd {
            session: self.id,
            reason,
            counts: counts.unwrap_or_default(),
        }
    }

    /// Goes on behind `pause`.
    async fn serve(&mut self, mut pause: Pause) -> Stop {
        loop {
            let waited = match pause {
                Pause::Turn => match self.ending.reason() {
                    Some(reason) => Err(Stop::Reason(reason)),
                    None => Ok(()),
                },
                Pause::Output => self.flush().await,
                Pause::Input => self.wait(false).await,
                Pause::Idle => self.wait(true).await,
                // What few sessions wait for is not kept room for in all.
                Pause::Relay(id) => Box::pin(self.wait_for_link(id)).await,
                Pause::LinkOutput(id) => Box::pin(self.flush_link(id)).await,
                Pause::Ask(wish) => Box::pin(self.ask(wish)).await,
                Pause::End(stop) => return stop,
            };
            if let Err(stop) = waited {
                return stop;
            }
            pause = self.turn().await;
        }
    }

    /// Waits for a thread and works on it.
    async fn turn(&mut self) -> Pause {
        let turn = self.turns.take(self.key).await;
        let Some(mut client) = self.client.take() else {
            return Pause::End(Stop::Panic);
        };
        let done = tokio::task::spawn_blocking(move || {
            let pause = client.turn();
            drop(turn);
            (client, pause)
        });
        match done.await {
            Ok((client, pause)) => {
                let sent = client.has_sent_all();
                self.client = Some(client);
                if sent {
                    self.confirm_alerts().await;
                }
                pause
            }
            // The runtime ends.
            Err(_) => Pause::End(Stop::Panic),
        }
    }

    /// Alerts that the client has been sent; others it gets in its next session.
    async fn confirm_alerts(&mut self) {
        let shown = self.ending.shown();
        if !shown.is_empty() {
            let report = Report::Alerted(self.id, shown);
            let _ = Box::pin(self.reports.send(report)).await;
        }
    }

    async fn flush(&mut self) -> Result<(), Stop> {
        let client = self.client.as_mut().ok_or(Stop::Panic)?;
        tokio::select! {
            flushed = client.stream.flush() => Ok(flushed?),
            reason = self.ending.told() => Err(Stop::Reason(reason)),
        }
    }

    /// Waits until a link brings something, and looks for the client, which may
    /// be gone.
    async fn wait_for_link(&mut self, id: LinkId) -> Result<(), Stop> {
        let client = self.client.as_ref().ok_or(Stop::Panic)?;
        let looks = client.reads_ahead();
        let patience = client.patience();
        let ids = [id];
        tokio::select! {
            () = link_ready(client.links.as_deref(), &ids) => Ok(()),
            ready = client.stream.readable(), if looks => Ok(ready?),
            () = sleep(patience) => Ok(()),
            reason = self.ending.told() => Err(Stop::Reason(reason)),
        }
    }

    async fn flush_link(&mut self, id: LinkId) -> Result<(), Stop> {
        let client = self.client.as_mut().ok_or(Stop::Panic)?;
        if let Some(links) = &mut client.links {
            tokio::select! {
                () = links.flush(id) => {}
                reason = self.ending.told() => return Err(Stop::Reason(reason)),
            }
        }
        Ok(())
    }

    /// Asks the supervisor and waits for the answer.
    async fn ask(&mut self, wish: Wish) -> Result<(), Stop> {
        let client = self.client.as_mut().ok_or(Stop::Panic)?;
        let (sender, answer) = oneshot::channel();
        let report = Report::Asks(self.id, wish, sender);
        let answered = async {
            let sent = self.reports.send(report).await;
            sent.ok()?;
            answer.await.ok()
        };
        tokio::select! {
            // Without an answer the worker ends.
            answer = answered => client.answer = answer.map(Box::new),
            reason = self.ending.told() => return Err(Stop::Reason(reason)),
        }
        Ok(())
    }

    /// Waits for the client and for changes, if there are any to be told.
    async fn wait(&mut self, idle: bool) -> Result<(), Stop> {
        let client = self.client.as_mut().ok_or(Stop::Panic)?;
        // The asker's own session keeps the time, and its client company.
        let (late, idle) = match client.link {
            true => (None, false),
            false => (Some(client.heard + self.idle_timeout), idle),
        };
        let alerts = client.takes_alerts();
        let mut rest = Some(Instant::now() + REST);
        let mut keep_alive = idle.then(|| Instant::now() + KEEP_ALIVE);
        loop {
            let wake = [late, rest, keep_alive].into_iter().flatten().min();
            let links = client.heard_links().into_boxed_slice();
            tokio::select! {
                ready = client.stream.readable() => return Ok(ready?),
                () = link_ready(client.links.as_deref(), &links) => return Ok(()),
                () = changed(&mut client.changes) => {
                    client.woken = true;
                    return Ok(());
                }
                news = self.ending.news(alerts) => return match news {
                    News::End(reason) => Err(Stop::Reason(reason)),
                    News::Alerts => Ok(()),
                },
                () = sleep(wake) => {}
            }
            let now = Instant::now();
            if late.is_some_and(|at| now >= at) {
                return Err(Stop::Reason(EndReason::Timeout));
            }
            if rest.is_some_and(|at| now >= at) {
                rest = client.rest(now);
            }
            if keep_alive.is_some_and(|at| now >= at) {
                client.say(|_, out| {
                    write::untagged(out, Status::Ok, None, "Still here");
                })?;
                tokio::select! {
                    flushed = client.stream.flush() => flushed?,
                    reason = self.ending.told() => return Err(Stop::Reason(reason)),
                }
                rest = client.rest(now);
                keep_alive = Some(now + KEEP_ALIVE);
            }
        }
    }

    /// BYE where one is due and can still be understood, and what is left.
    async fn last_word(&mut self, stop: &Stop, reason: EndReason) {
        let Some(client) = &mut self.client else {
            return;
        };
        let text = match (stop, reason) {
            (Stop::Panic, _) => Some("Internal error"),
            (_, EndReason::Timeout) => Some("Autologout; idle for too long"),
            (_, EndReason::Kicked) => Some("Disconnected by the administrator"),
            (_, EndReason::Shutdown) => Some("Server shutting down"),
            (
                _,
                EndReason::Logout
                | EndReason::Disconnected
                | EndReason::ProtocolError
                | EndReason::ServerError,
            ) => None,
        };
        // On a link the end says all.
        let text = text.filter(|_| !client.link && client.can_say_bye());
        let said = client.say(|_, out| {
            if let Some(text) = text {
                let code = (reason == EndReason::Shutdown).then_some(ResponseCode::Unavailable);
                write::bye(out, code.as_ref(), text);
            }
        });
        if said.is_ok() && reason != EndReason::Disconnected {
            let _ = timeout(LAST_WORD, client.stream.flush()).await;
        }
    }
}

/// Waits until something has come over one of these links, or its end; for ever
/// without one.
async fn link_ready(links: Option<&Links>, ids: &[LinkId]) {
    match links {
        Some(links) if !ids.is_empty() => Box::pin(any_ready(links, ids)).await,
        _ => std::future::pending().await,
    }
}

async fn any_ready(links: &Links, ids: &[LinkId]) {
    let streams = ids.iter().filter_map(|&id| links.stream(id));
    let mut all: Vec<_> = streams.map(|stream| Box::pin(stream.readable())).collect();
    poll_fn(|context| {
        // What is wrong shows when it is read.
        let ready = all
            .iter_mut()
            .any(|one| one.as_mut().poll(context).is_ready());
        if ready {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// For ever without a time.
async fn sleep(until: Option<Instant>) {
    match until {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Never returns where nothing is waited for.
async fn changed(changes: &mut Option<Changes>) {
    match changes {
        Some(changes) => changes.changed().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_ipc::Alert;
    use roost_session::{Identity, Settings};
    use roost_store::{AccountOptions, Options, Store};
    use std::os::fd::OwnedFd;
    use tokio::sync::mpsc;

    fn future_size<A, B, F: Future>(_: impl Fn(A, B) -> F) -> usize {
        size_of::<F>()
    }

    /// The connection of a client that has sent `said`, and the client's end.
    fn connection(
        said: &[u8],
        dir: &std::path::Path,
    ) -> (Connection, OwnedFd, mpsc::Receiver<Report>) {
        let (ours, theirs) = roost_os::fdpass::stream_pair().unwrap();
        let store = Store::new(Options::default()).unwrap();
        let account = store
            .account("alice", &dir.join("Maildir"), AccountOptions::default())
            .unwrap();
        let identity = Identity {
            session: SessionId(1),
            user: "alice".into(),
            asker: None,
        };
        let session = Session::new(identity, account, Arc::new(Settings::default()));
        let (reports, reported) = mpsc::channel(1);
        let connection = Connection::new(
            Stream::new(ours).unwrap(),
            session,
            said,
            Ending::default(),
            (Turns::new(4), reports),
            Duration::from_secs(60),
        );
        (connection, theirs, reported)
    }

    /// Turns until the client is waited for.
    async fn settle(connection: &mut Connection) {
        for _ in 0..1000 {
            match connection.turn().await {
                Pause::Input => return,
                Pause::Output => assert!(connection.flush().await.is_ok()),
                pause => assert!(matches!(pause, Pause::Turn)),
            }
        }
        panic!("no end of turns");
    }

    fn lunch() -> Alert {
        Alert {
            id: 1,
            text: "lunch".into(),
            confirm: true,
        }
    }

    #[tokio::test]
    async fn an_alert_is_confirmed_when_it_has_gone_out() {
        let dir = tempfile::tempdir().unwrap();
        let (mut connected, client, mut reported) = connection(b"", dir.path());
        connected.ending.alert(lunch());
        settle(&mut connected).await;
        let report = reported.try_recv();
        assert!(matches!(report, Ok(Report::Alerted(_, ids)) if ids == [1]));
        drop(client);
        connected.ending.alert(lunch());
        connected.turn().await;
        assert!(reported.try_recv().is_err(), "nobody has got it");
    }

    /// Whether a wait has anything to return for when an alert is there.
    async fn alert_is_news(said: &[u8]) -> bool {
        let dir = tempfile::tempdir().unwrap();
        let (mut connection, _client, _reported) = connection(said, dir.path());
        settle(&mut connection).await;
        connection.ending.alert(lunch());
        let mut wait = Box::pin(connection.wait(false));
        poll_fn(|context| Poll::Ready(wait.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn an_alert_that_cannot_be_shown_yet_wakes_nobody() {
        assert!(alert_is_news(b"").await);
        assert!(alert_is_news(b"a NOOP\r\n").await);
        for half in [
            "a NO",
            "a APPEND INBOX {9}\r\nx: y",
            "a APPEND INBOX {9}\r\n",
        ] {
            assert!(!alert_is_news(half.as_bytes()).await, "{half}");
        }
    }

    /// What a session holds besides its mailbox, however long it idles.
    #[test]
    fn an_idle_session_is_small() {
        let task = future_size(|connection: Connection, welcome| connection.run(welcome));
        assert!(task <= 1344, "{task}");
        let client = size_of::<Client>();
        assert!(client <= 1024, "{client}");
    }
}
