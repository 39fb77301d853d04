//! One connection from accept to its handover or end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::time::Duration;

use roost_imap::write::{self, Status};
use roost_imap::{ResponseCode, Tag};
use roost_ipc::{AuthTls, Bytes, Endpoints, Handover, Refusal};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::Shared;
use crate::control::ToSupervisor;
use crate::dialog::{Context, Dialog, Exit, lost};
use crate::registry::{Admitted, Event, Slot};
use crate::relay::{linger, relay};
use crate::report::{History, Reason};
use crate::settings::Settings;
use crate::tls::Tls;

/// The longest wait for a worker to take a connection.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(30);
/// For the few words to a client that is sent away.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that was accepted.
pub struct Accepted {
    pub stream: TcpStream,
    /// As a proxy says where there is one.
    pub endpoints: Endpoints,
    /// TLS from the first octet.
    pub tls: bool,
}

/// Serves a connection within the limits.
pub async fn serve(accepted: Accepted, admitted: Admitted, shared: Arc<Shared>) {
    let Accepted {
        stream,
        endpoints,
        tls,
    } = accepted;
    // Answers are small and whole; failing that they are late.
    let _ = stream.set_nodelay(true);
    let settings = shared.settings.load_full();
    let trusted = settings.is_trusted(endpoints.remote.ip());
    let mut connection = Connection {
        history: History::new(settings.log_style, admitted.slot.id(), endpoints, trusted),
        slot: admitted.slot,
        events: admitted.events,
        settings,
        shared,
    };
    let reason = if tls {
        connection.over_tls(stream, true).await
    } else {
        connection.in_clear(stream).await
    };
    connection.shared.tally.ends(&connection.history);
    match reason {
        Some(reason) => connection.history.log(&reason),
        None => connection.history.log_failures(),
    }
    connection.shared.quiet.disturb();
}

struct Connection {
    slot: Slot,
    events: mpsc::Receiver<Event>,
    history: History,
    settings: Arc<Settings>,
    shared: Arc<Shared>,
}

/// Why a connection ended here; `None` once a worker has it.
type End = Option<Reason>;

impl Connection {
    async fn in_clear(&mut self, mut stream: TcpStream) -> End {
        match self.dialog(&mut stream, None, true).await {
            Exit::Ended(reason) => {
                let_go(&mut stream).await;
                Some(reason)
            }
            Exit::StartTls => self.over_tls(stream, false).await,
            Exit::Granted { tag, leftover } => match stream.as_fd().try_clone_to_owned() {
                Ok(fd) => {
                    let refused = self.hand_over(&tag, leftover, None, fd).await;
                    self.conclude_clear(stream, &tag, refused).await
                }
                Err(error) => {
                    self.refuse(&mut stream, &tag, Refusal::Unavailable, &error)
                        .await
                }
            },
        }
    }

    async fn over_tls(&mut self, stream: TcpStream, greet: bool) -> End {
        let Some(tls) = self.settings.tls.clone() else {
            return Some(Reason::Handshake("no certificate".to_owned()));
        };
        let mut stream = match handshake(&tls, stream, self.settings.handshake_timeout()).await {
            Ok(stream) => stream,
            Err(reason) => return Some(reason),
        };
        self.history.tls = true;
        let facts = tls.for_auth(stream.get_ref().1);
        let info = facts.info.clone();
        match self.dialog(&mut stream, Some(facts), greet).await {
            // Not offered on TLS.
            Exit::StartTls => Some(Reason::Protocol("STARTTLS twice")),
            Exit::Ended(reason) => {
                let_go(&mut stream).await;
                Some(reason)
            }
            Exit::Granted { tag, leftover } => match worker_pair() {
                Ok((ours, theirs)) => {
                    let refused = self.hand_over(&tag, leftover, Some(info), theirs).await;
                    self.conclude_tls(stream, ours, &tag, refused).await
                }
                Err(error) => {
                    self.refuse(&mut stream, &tag, Refusal::Unavailable, &error)
                        .await
                }
            },
        }
    }

    async fn dialog<S>(&mut self, stream: &mut S, tls: Option<AuthTls>, greet: bool) -> Exit
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let context = Context {
            settings: &self.settings,
            history: &mut self.history,
            events: &mut self.events,
            auth: &self.shared.auth,
            tls,
        };
        Dialog::new(stream, context).run(greet).await
    }

    /// Offers the connection to the supervisor; `None` when a worker has it.
    async fn hand_over(
        &mut self,
        tag: &Tag,
        leftover: Vec<u8>,
        tls: Option<roost_ipc::TlsInfo>,
        fd: OwnedFd,
    ) -> Option<Refusal> {
        let handover = Handover {
            session: self.history.session,
            tag: tag.as_str().to_owned(),
            leftover: Bytes(leftover),
            endpoints: self.history.endpoints.clone(),
            tls,
        };
        let message = ToSupervisor::Handover(Box::new(handover), fd);
        if self.shared.supervisor.send(message).await.is_err() {
            return Some(Refusal::ShuttingDown);
        }
        let answer = async {
            loop {
                match self.events.recv().await {
                    Some(Event::HandedOver) => return None,
                    Some(Event::Refused(reason)) => return Some(reason),
                    None => return Some(Refusal::ShuttingDown),
                    // Whoever serves the session now hears of these too.
                    Some(_) => {}
                }
            }
        };
        match timeout(HANDOVER_TIMEOUT, answer).await {
            Ok(answer) => answer,
            Err(_) => Some(Refusal::Unavailable),
        }
    }

    async fn conclude_clear(
        &mut self,
        mut stream: TcpStream,
        tag: &Tag,
        refused: Option<Refusal>,
    ) -> End {
        match refused {
            None => {
                self.keep_slot();
                // Closes this process's descriptor, not the connection.
                drop(stream);
                None
            }
            Some(reason) => self.refuse(&mut stream, tag, reason, &"").await,
        }
    }

    async fn conclude_tls(
        &mut self,
        mut stream: TlsStream<TcpStream>,
        worker: UnixStream,
        tag: &Tag,
        refused: Option<Refusal>,
    ) -> End {
        if let Some(reason) = refused {
            return self.refuse(&mut stream, tag, reason, &"").await;
        }
        let slot = self.take_slot();
        let stream = Box::new(stream);
        // A task of its own: this one is large, and relays may last for days.
        let (start, started) = tokio::sync::oneshot::channel::<Slot>();
        let task = tokio::spawn(async move {
            let _slot = started.await;
            // Its end is the supervisor's and the worker's to tell.
            let _ = relay(stream, worker).await;
        });
        slot.relayed_by(task.abort_handle());
        // The task waits for it, so it is there.
        let _ = start.send(slot);
        None
    }

    /// Tells the client that its login came to nothing.
    async fn refuse<S>(
        &self,
        stream: &mut S,
        tag: &Tag,
        reason: Refusal,
        detail: &(dyn std::fmt::Display + Sync),
    ) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (code, text) = match reason {
            Refusal::TooManyConnections => {
                (ResponseCode::Limit, "Too many connections of this account")
            }
            Refusal::ShuttingDown => (ResponseCode::Unavailable, "Server shutting down"),
            Refusal::NoGrant | Refusal::Unavailable | Refusal::NoMail => (
                ResponseCode::Unavailable,
                "Temporary failure, try again later",
            ),
        };
        let detail = detail.to_string();
        if !detail.is_empty() {
            log::error!("{}: handover: {detail}", self.history.session);
        }
        let mut out = Vec::new();
        write::tagged(&mut out, tag, Status::No, Some(&code), text);
        write::bye(&mut out, None, "Not logged in");
        say(stream, &out).await;
        let_go(stream).await;
        Some(match reason {
            Refusal::TooManyConnections => Reason::AccountFull,
            _ => Reason::Refused(text),
        })
    }

    fn keep_slot(&mut self) {
        self.take_slot().hand_over();
    }

    fn take_slot(&mut self) -> Slot {
        self.slot.take()
    }
}

/// Both ends of what a TLS session's worker gets.
fn worker_pair() -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = roost_os::fdpass::stream_pair()?;
    let ours = StdUnixStream::from(ours);
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, theirs))
}

async fn handshake(
    tls: &Tls,
    stream: TcpStream,
    limit: Duration,
) -> Result<TlsStream<TcpStream>, Reason> {
    let accept = TlsAcceptor::from(tls.config()).accept(stream);
    match timeout(limit, accept).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => match lost(&error) {
            Reason::Closed => Err(Reason::Handshake("connection closed".to_owned())),
            _ => Err(Reason::Handshake(error.to_string())),
        },
        Err(_) => Err(Reason::Handshake("too slow".to_owned())),
    }
}

/// Sends away a connection that is one too many. `permit` bounds how many are
/// sent away at once.
pub async fn turn_away(accepted: Accepted, settings: Arc<Settings>, permit: OwnedSemaphorePermit) {
    let mut out = Vec::new();
    let text = "too many connections, try again later";
    write::bye(&mut out, Some(&ResponseCode::Unavailable), text);
    let mut stream = accepted.stream;
    if accepted.tls {
        let Some(tls) = &settings.tls else {
            return;
        };
        let limit = settings.handshake_timeout().min(FAREWELL_TIMEOUT);
        if let Ok(mut stream) = handshake(tls, stream, limit).await {
            say(&mut stream, &out).await;
            let_go(&mut stream).await;
        }
    } else {
        say(&mut stream, &out).await;
        let_go(&mut stream).await;
    }
    drop(permit);
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), out: &[u8]) {
    let words = async {
        stream.write_all(out).await?;
        stream.flush().await
    };
    // The client may be gone, and it is its own loss.
    let _ = timeout(FAREWELL_TIMEOUT, words).await;
}

/// Closes so that the last words arrive: close_notify, then the end, then the
/// client's own end is waited for.
async fn let_go(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    if let Ok(Ok(())) = timeout(FAREWELL_TIMEOUT, stream.shutdown()).await {
        linger(stream).await;
    }
}
