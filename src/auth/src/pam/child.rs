//! The child's side: one request from descriptor 0, one conversation, and what
//! came of it.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use roost_pam::{Authenticated, Conversation, Error, Failure, Message};
use zeroize::Zeroizing;

use super::wire::{About, MAX_REQUEST, Reply, Request, Verdict};

/// The argument that makes `roost-auth` such a child.
pub const CHILD_ARGUMENT: &str = "--pam-child";

/// How long past its parent's limit a child may live.
const GRACE: Duration = Duration::from_secs(2);

/// Serves the one request.
pub fn run() -> io::Result<()> {
    // Failing that, a crash might leave a password in a core file; no reason
    // to refuse everybody.
    let _ = roost_os::identity::set_undumpable();
    let mut stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    (&mut stream).take(MAX_REQUEST).read_to_end(&mut bytes)?;
    let request = Request::decode(&bytes).ok_or(io::ErrorKind::InvalidData)?;
    drop(bytes);
    end_after(request.timeout.saturating_add(GRACE));
    let last = converse(request, |reply| {
        // Where nobody reads it, the session is closed all the same.
        let _ = stream.write_all(&reply.framed());
    });
    stream.write_all(&last.framed())?;
    stream.shutdown(Shutdown::Both)
}

/// The parent kills a child that is late; this is for one whose parent died.
fn end_after(limit: Duration) {
    thread::spawn(move || {
        thread::sleep(limit);
        std::process::abort();
    });
}

/// Says what came of the conversation; `opened` has the reply before, where a
/// session could be opened.
fn converse(request: Request, opened: impl FnOnce(Reply)) -> Reply {
    let (password, session) = match request.about {
        About::Password(password) => (Some(password), false),
        About::Account => (None, false),
        About::Session => (None, true),
    };
    let conversation = Conversation {
        // What log filters see; a site that keeps the service name of the
        // server it had keeps its filters too.
        tty: request.service.clone(),
        service: request.service,
        user: request.user,
        password,
        rhost: request.rhost,
        confdir: request.confdir,
    };
    let result = match session {
        true => conversation.session(|authenticated| opened(accepted(authenticated))),
        false => conversation.authenticate(),
    };
    match result {
        Ok(authenticated) => accepted(authenticated),
        Err(failure) => Reply {
            verdict: verdict(&failure),
            reason: reason(&told(&failure), &failure.messages),
            delay: failure.delay,
        },
    }
}

fn accepted(authenticated: Authenticated) -> Reply {
    Reply {
        reason: reason("", &authenticated.messages),
        verdict: Verdict::Accepted(authenticated.user),
        delay: Duration::ZERO,
    }
}

/// Before the password is known to be right, only that may be told.
fn verdict(failure: &Failure) -> Verdict {
    match &failure.error {
        error if !error.is_verdict() => Verdict::Broken,
        Error::PasswordExpired if failure.authenticated => Verdict::Expired,
        _ if failure.authenticated => Verdict::Denied,
        _ => Verdict::Refused,
    }
}

/// Behind a right password, `PAM_AUTH_ERR` is what stacks make of any denial.
fn told(failure: &Failure) -> String {
    match failure.error {
        Error::AuthFailed if failure.authenticated => "not allowed".to_owned(),
        ref error => error.to_string(),
    }
}

fn reason(error: &str, messages: &[Message]) -> String {
    let mut text = error.to_owned();
    for message in messages {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(message.text.trim());
    }
    text
}
