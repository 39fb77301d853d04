//! The commands before login, over any byte stream.
//!
//! Every wait is bounded: for commands by the login timeout, for auth by a
//! limit of its own, for the client to take an answer by another. What the
//! client sends while it waits for auth is kept, up to a limit, and goes with
//! the connection.

mod authenticate;
mod reply;

use std::io;
use std::time::Duration;

use roost_imap::command::{AuthenticateArgs, Command, State};
use roost_imap::write::{self, Status};
use roost_imap::{Frame, Framer, Limits, ResponseCode, Tag};
use roost_ipc::{AuthMethod, AuthTls, GateToAuth, Secret};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use zeroize::Zeroize;

use crate::capability::{Link, capabilities};
use crate::registry::Event;
use crate::report::{History, Reason};
use crate::settings::Settings;

/// Octets read from a client at once.
const READ: usize = 2048;
/// Octets kept of a client that sends on while it waits.
const AHEAD: usize = 16 * 1024;
/// How long a client may take to accept an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Failed logins in one connection.
const MAX_FAILURES: u32 = 10;

/// How a dialog ends.
#[derive(Debug)]
pub enum Exit {
    /// The client is to be let go, what it should hear is written.
    Ended(Reason),
    /// `OK` to STARTTLS is written: the handshake comes next.
    StartTls,
    /// Auth has granted the login of the command with this tag.
    Granted { tag: Tag, leftover: Vec<u8> },
}

/// What a dialog needs besides its stream.
pub struct Context<'a> {
    pub settings: &'a Settings,
    pub history: &'a mut History,
    pub events: &'a mut mpsc::Receiver<Event>,
    pub auth: &'a mpsc::Sender<GateToAuth>,
    /// Present on a TLS connection.
    pub tls: Option<AuthTls>,
}

/// A connection before login.
pub struct Dialog<'a, S> {
    io: &'a mut S,
    cx: Context<'a>,
    framer: Framer,
    out: Vec<u8>,
    deadline: Instant,
    bad_commands: u32,
    /// The client has closed its side.
    at_end: bool,
}

/// Whether the dialog goes on.
type Next = Result<(), Exit>;

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Dialog<'a, S> {
    pub fn new(io: &'a mut S, cx: Context<'a>) -> Self {
        let deadline = Instant::now() + cx.settings.limits.login_timeout;
        Self {
            io,
            cx,
            framer: Framer::new(Limits::BEFORE_LOGIN),
            out: Vec::new(),
            deadline,
            bad_commands: 0,
            at_end: false,
        }
    }

    /// Runs to its end; with a greeting unless it goes on after STARTTLS.
    pub async fn run(mut self, greet: bool) -> Exit {
        if greet {
            self.greet();
        }
        match self.commands().await {
            Ok(never) => match never {},
            Err(exit) => exit,
        }
    }

    fn link(&self) -> Link {
        Link {
            tls: self.cx.tls.is_some(),
            trusted: self.cx.history.trusted,
        }
    }

    async fn commands(&mut self) -> Result<std::convert::Infallible, Exit> {
        loop {
            while let Some(frame) = self.framer.next_frame() {
                self.frame(frame).await?;
            }
            self.flush().await?;
            self.read().await?;
        }
    }

    async fn frame(&mut self, frame: Frame) -> Next {
        match frame {
            Frame::NeedContinuation => {
                write::continuation(&mut self.out, "OK");
                Ok(())
            }
            Frame::Command(mut bytes) => {
                let parsed = roost_imap::parse(&bytes);
                // It may hold a password.
                bytes.zeroize();
                match parsed {
                    Ok(request) => self.command(request.tag, request.command).await,
                    Err(error) => {
                        let early = error
                            .kind
                            .is_some_and(|k| !k.allowed_in(State::NotAuthenticated));
                        let text = if early { LOG_IN_FIRST } else { error.text };
                        self.bad(error.tag.as_ref(), text).await
                    }
                }
            }
            Frame::TooLong { tag } => self.bad(tag.as_ref(), "Command too long").await,
            Frame::Bad { tag, reason } => self.bad(tag.as_ref(), reason).await,
            Frame::Fatal { reason } => self.bye(None, reason, Reason::Protocol(reason)).await,
            // None of these comes without having been asked for.
            Frame::AppendStart(_)
            | Frame::AppendData(_)
            | Frame::AppendNext(_)
            | Frame::AppendEnd
            | Frame::Done
            | Frame::Line(_)
            | Frame::Cancel => self.bad(None, "Unexpected input").await,
        }
    }

    async fn command(&mut self, tag: Tag, command: Command) -> Next {
        if !command.kind().allowed_in(State::NotAuthenticated) {
            return self.bad(Some(&tag), LOG_IN_FIRST).await;
        }
        match command {
            Command::Capability => {
                let names = capabilities(self.cx.settings, self.link());
                write::capability(&mut self.out, names);
                self.ok(&tag, "CAPABILITY completed")
            }
            Command::Noop => self.ok(&tag, "NOOP completed"),
            Command::Id(_) => {
                self.id();
                self.ok(&tag, "ID completed")
            }
            Command::Logout => {
                write::bye(&mut self.out, None, "Logging out");
                self.ok(&tag, "LOGOUT completed")?;
                self.flush().await?;
                Err(Exit::Ended(Reason::Logout))
            }
            Command::Starttls => self.starttls(&tag).await,
            Command::Login { user, password } => {
                let method = AuthMethod::Login {
                    user: Secret::new(user),
                    password: Secret::from(password.as_bytes()),
                };
                self.login(tag, method).await
            }
            Command::Authenticate(args) => self.authenticate(tag, args).await,
            _ => self.bad(Some(&tag), LOG_IN_FIRST).await,
        }
    }

    async fn starttls(&mut self, tag: &Tag) -> Next {
        if self.cx.tls.is_some() {
            return self.bad(Some(tag), "TLS is already active").await;
        }
        if self.cx.settings.tls.is_none() {
            return self.bad(Some(tag), "TLS is not available").await;
        }
        if self.framer.buffered() > 0 {
            // Sent in clear, it would seem to have come through TLS.
            let text = "Nothing may be sent behind STARTTLS before the handshake";
            write::tagged(&mut self.out, tag, Status::Bad, None, text);
            return self.bye(None, "Command injection", Reason::Injection).await;
        }
        self.ok(tag, "Begin TLS negotiation now")?;
        self.flush().await?;
        Err(Exit::StartTls)
    }

    /// Answers BAD; too many of them end the connection.
    async fn bad(&mut self, tag: Option<&Tag>, text: &str) -> Next {
        let dialect = write::Dialect::Ascii;
        write::status_line(&mut self.out, tag, Status::Bad, None, text, dialect);
        self.bad_commands += 1;
        if self.bad_commands < self.cx.settings.limits.max_bad_commands.max(1) {
            return Ok(());
        }
        self.bye(None, "Too many invalid commands", Reason::BadCommands)
            .await
    }

    /// Says BYE and ends.
    async fn bye(&mut self, code: Option<ResponseCode>, text: &str, reason: Reason) -> Next {
        write::bye(&mut self.out, code.as_ref(), text);
        self.flush().await?;
        Err(Exit::Ended(reason))
    }

    fn ok(&mut self, tag: &Tag, text: &str) -> Next {
        write::tagged(&mut self.out, tag, Status::Ok, None, text);
        Ok(())
    }

    async fn flush(&mut self) -> Next {
        if self.out.is_empty() {
            return Ok(());
        }
        let out = std::mem::take(&mut self.out);
        self.cx.history.bytes_out += out.len() as u64;
        let written = timeout(WRITE_TIMEOUT, async {
            self.io.write_all(&out).await?;
            self.io.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Exit::Ended(lost(&error))),
            Err(_) => Err(Exit::Ended(Reason::Timeout)),
        }
    }

    /// Waits for the client's next octets, or for what ends the connection.
    async fn read(&mut self) -> Next {
        // One that never stops sending would keep the timer from firing.
        if Instant::now() >= self.deadline {
            return self.late().await;
        }
        let mut buffer = [0; READ];
        let event = tokio::select! {
            biased;
            event = self.cx.events.recv() => Some(event),
            read = timeout_at(self.deadline, self.io.read(&mut buffer)) => match read {
                Err(_) => return self.late().await,
                Ok(Err(error)) => return Err(Exit::Ended(lost(&error))),
                Ok(Ok(0)) => return Err(Exit::Ended(Reason::Closed)),
                Ok(Ok(n)) => {
                    self.cx.history.bytes_in += n as u64;
                    self.framer.push(buffer.get(..n).unwrap_or_default());
                    None
                }
            },
        };
        buffer.zeroize();
        match event {
            None => Ok(()),
            Some(event) => self.ending(event).await,
        }
    }

    async fn late(&mut self) -> Next {
        let text = "Too long without a login";
        self.bye(None, text, Reason::Timeout).await
    }

    /// An event outside a login attempt.
    async fn ending(&mut self, event: Option<Event>) -> Next {
        match event {
            Some(Event::Kick) => {
                let text = "Connection ended by the administrator";
                self.bye(None, text, Reason::Kicked).await
            }
            None | Some(Event::Shutdown) => {
                self.bye(
                    Some(ResponseCode::Unavailable),
                    "server shutting down",
                    Reason::Shutdown,
                )
                .await
            }
            // Late news of an attempt that is over.
            Some(_) => Ok(()),
        }
    }
}

const LOG_IN_FIRST: &str = "Log in first";

pub(crate) fn lost(error: &io::Error) -> Reason {
    match error.kind() {
        // TLS clients often close without saying so.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Reason::Closed,
        _ => Reason::Io(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
