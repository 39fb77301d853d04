//! LOGIN and AUTHENTICATE: the exchange between client and auth, passed on in
//! both directions.

use std::time::Duration;

use roost_imap::parse::base64_line;
use roost_imap::write::{self, Status};
use roost_ipc::{
    AuthFailure, AuthMethod, AuthResponse, AuthResult, AuthStart, GateToAuth, Mechanism,
};

use super::*;

/// The longest that auth may take for an answer, its delays included.
const AUTH_TIMEOUT: Duration = Duration::from_secs(180);

/// The longest wait for a place among those who ask auth; there is one at once
/// unless auth is away.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

/// What ends an exchange without auth's outcome.
enum Answer {
    Challenge(Vec<u8>),
    Outcome(AuthResult),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialog<'_, S> {
    pub(super) async fn authenticate(&mut self, tag: Tag, args: AuthenticateArgs) -> Next {
        let known =
            Mechanism::by_name(&args.mechanism).filter(|&m| self.link().knows(m, self.cx.settings));
        let Some(mechanism) = known else {
            let text = "Unsupported authentication mechanism";
            write::tagged(&mut self.out, &tag, Status::No, None, text);
            return Ok(());
        };
        let initial = args.initial.map(|i| Secret::from(i.as_bytes()));
        self.login(tag, AuthMethod::Sasl { mechanism, initial })
            .await
    }

    /// One attempt, from its start to its outcome.
    pub(super) async fn login(&mut self, tag: Tag, method: AuthMethod) -> Next {
        let (clear, mechanism) = match &method {
            AuthMethod::Login { .. } => (true, None),
            AuthMethod::Sasl { mechanism, .. } => (mechanism.is_clear_text(), Some(*mechanism)),
        };
        self.cx.history.method = method.name();
        if clear && !self.link().allows_cleartext(self.cx.settings) {
            self.cx.history.disallowed = true;
            self.refuse_cleartext(&tag);
            return Ok(());
        }
        // Of what comes later nothing is a name.
        let mut names = matches!(&method, AuthMethod::Sasl { initial: None, .. });
        self.remember_first(&method);
        let plus_offered = self.link().offers_plus(self.cx.settings);
        let start = GateToAuth::Start(AuthStart {
            session: self.cx.history.session,
            method,
            endpoints: self.cx.history.endpoints.clone(),
            tls: self.cx.tls.clone(),
            plus_offered,
        });
        // The answer to what came before must not wait for this one.
        self.flush().await?;
        if !self.tell_auth(start).await {
            return self.outcome(tag, failed(AuthFailure::Unavailable)).await;
        }
        self.cx.history.unfinished = true;
        loop {
            match self.auth_answer().await? {
                Answer::Outcome(result) => return self.outcome(tag, result).await,
                Answer::Challenge(data) => {
                    write::continuation_base64(&mut self.out, &data);
                    let Some(response) = self.client_response(&tag).await? else {
                        return Ok(());
                    };
                    if let (true, Some(mechanism)) = (names, mechanism) {
                        self.remember(mechanism, response.expose());
                    }
                    names = false;
                    let message = GateToAuth::Response(AuthResponse {
                        session: self.cx.history.session,
                        data: response,
                    });
                    if !self.tell_auth(message).await {
                        return self.outcome(tag, failed(AuthFailure::Unavailable)).await;
                    }
                }
            }
        }
    }

    async fn outcome(&mut self, tag: Tag, result: AuthResult) -> Next {
        self.cx.history.unfinished = false;
        let reason = match result {
            AuthResult::Granted {} => {
                self.flush().await?;
                let leftover = self.framer.take_rest();
                return Err(Exit::Granted { tag, leftover });
            }
            // Its password was not looked at, so that nothing has failed.
            AuthResult::Elsewhere { user, host } => {
                self.refer(&tag, &user, &host);
                return Ok(());
            }
            AuthResult::Failed { reason } => reason,
        };
        self.failed(&tag, reason);
        self.deadline = Instant::now() + self.cx.settings.limits.login_timeout;
        match reason {
            // A fault of ours is nobody's failed login.
            AuthFailure::Unavailable => Ok(()),
            AuthFailure::Malformed => {
                // It was something else than it seemed, perhaps a password.
                self.cx.history.user.clear();
                self.count_bad().await
            }
            AuthFailure::Credentials
            | AuthFailure::NotAllowed
            | AuthFailure::OtherIdentity
            | AuthFailure::Expired
            | AuthFailure::TooMany => {
                self.cx.history.failed();
                if self.cx.history.failures < MAX_FAILURES {
                    return Ok(());
                }
                let text = "Too many failed logins";
                self.bye(None, text, Reason::TooManyFailures).await
            }
        }
    }

    /// Auth's next word. Meanwhile the client may send on.
    async fn auth_answer(&mut self) -> Result<Answer, Exit> {
        let limit = Instant::now() + AUTH_TIMEOUT;
        loop {
            let mut buffer = [0; READ];
            let reading = !self.at_end && self.framer.buffered() < AHEAD;
            let event = tokio::select! {
                biased;
                event = self.cx.events.recv() => event,
                read = self.io.read(&mut buffer), if reading => {
                    match read {
                        Ok(n @ 1..) => {
                            self.cx.history.bytes_in += n as u64;
                            self.framer.push(buffer.get(..n).unwrap_or_default());
                            continue;
                        }
                        // It may have sent all it has to say and still listen.
                        Ok(_) => {
                            self.at_end = true;
                            continue;
                        }
                        Err(error) => {
                            self.cancel().await;
                            return Err(Exit::Ended(lost(&error)));
                        }
                    }
                }
                () = tokio::time::sleep_until(limit) => {
                    self.cancel().await;
                    return Ok(Answer::Outcome(failed(AuthFailure::Unavailable)));
                }
            };
            match event {
                Some(Event::Challenge(data)) => return Ok(Answer::Challenge(data.0)),
                Some(Event::Outcome(result)) => return Ok(Answer::Outcome(result)),
                Some(Event::AuthLost) => {
                    // Should the request be on its way to the next one.
                    self.cancel().await;
                    return Ok(Answer::Outcome(failed(AuthFailure::Unavailable)));
                }
                ending => {
                    self.cancel().await;
                    self.ending(ending).await?;
                }
            }
        }
    }

    /// The client's response to a challenge; `None` when it gave up, which is
    /// answered already.
    async fn client_response(&mut self, tag: &Tag) -> Result<Option<Secret>, Exit> {
        self.framer.expect_line();
        self.flush().await?;
        let frame = loop {
            if let Some(frame) = self.framer.next_frame() {
                break frame;
            }
            if let Err(exit) = self.read().await {
                self.cancel().await;
                return Err(exit);
            }
        };
        let text = match frame {
            Frame::Line(mut line) => {
                let decoded = base64_line(&line);
                line.zeroize();
                match decoded {
                    Some(response) => return Ok(Some(Secret::from(response.as_bytes()))),
                    None => "Invalid base64",
                }
            }
            Frame::Cancel => "Authentication cancelled",
            Frame::Fatal { reason } => {
                self.cancel().await;
                self.bye(None, reason, Reason::Protocol(reason)).await?;
                return Ok(None);
            }
            _ => "Invalid response",
        };
        self.cancel().await;
        self.cx.history.unfinished = false;
        self.bad(Some(tag), text).await?;
        Ok(None)
    }

    /// False when auth cannot be reached.
    async fn tell_auth(&self, message: GateToAuth) -> bool {
        let sent = timeout(QUEUE_TIMEOUT, self.cx.auth.send(message));
        matches!(sent.await, Ok(Ok(())))
    }

    async fn cancel(&self) {
        self.tell_auth(GateToAuth::Cancel(self.cx.history.session))
            .await;
    }

    /// Counts like a bad command; the answer is written already.
    async fn count_bad(&mut self) -> Next {
        self.bad_commands += 1;
        if self.bad_commands < self.cx.settings.limits.max_bad_commands.max(1) {
            return Ok(());
        }
        let text = "Too many invalid commands";
        self.bye(None, text, Reason::BadCommands).await
    }

    fn remember_first(&mut self, method: &AuthMethod) {
        match method {
            AuthMethod::Login { user, .. } => self.cx.history.user = user.expose().to_vec(),
            AuthMethod::Sasl { mechanism, initial } => {
                self.cx.history.user.clear();
                if let Some(initial) = initial {
                    self.remember(*mechanism, initial.expose());
                }
            }
        }
    }

    /// The user name as far as the first response shows it, for the log only.
    fn remember(&mut self, mechanism: Mechanism, response: &[u8]) {
        self.cx.history.user = shown_user(mechanism, response).unwrap_or_default().to_vec();
    }
}

fn failed(reason: AuthFailure) -> AuthResult {
    AuthResult::Failed { reason }
}

/// The name in a first response that is as its mechanism has it. Where another
/// would do, a client's mistake would put the password in its place.
fn shown_user(mechanism: Mechanism, response: &[u8]) -> Option<&[u8]> {
    match mechanism {
        Mechanism::Plain => {
            let mut fields = response.split(|&b| b == 0);
            match (fields.next(), fields.next(), fields.next(), fields.next()) {
                (Some(_), Some(user), Some(password), None) if !password.is_empty() => Some(user),
                _ => None,
            }
        }
        Mechanism::Login => (!response.contains(&0)).then_some(response),
        Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => {
            let mut fields = response.split(|&b| b == b',');
            let header = fields.next()?;
            let known = matches!(header, b"n" | b"y") || header.starts_with(b"p=");
            let user = fields.nth(1)?.strip_prefix(b"n=")?;
            (known && fields.next()?.starts_with(b"r=")).then_some(user)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_in_first_responses() {
        let shown = |m, r: &'static [u8]| shown_user(m, r).unwrap_or_default();
        assert_eq!(shown(Mechanism::Plain, b"x\0alice\0secret"), b"alice");
        assert_eq!(shown(Mechanism::Plain, b"junk"), b"");
        for not_plain in [
            &b"alice\0secret"[..],
            b"alice\0secret\0",
            b"\0alice\0secret\0",
        ] {
            assert_eq!(shown(Mechanism::Plain, not_plain), b"", "{not_plain:?}");
        }
        assert_eq!(shown(Mechanism::Login, b"alice"), b"alice");
        assert_eq!(shown(Mechanism::Login, b"\0alice\0secret"), b"");
        assert_eq!(shown(Mechanism::ScramSha256, b"n,,n=alice,r=x"), b"alice");
        for not_scram in [
            &b"n,"[..],
            b"n,,n=alice",
            b"x,,n=alice,r=x",
            b"n,,n=alice,x",
        ] {
            assert_eq!(
                shown(Mechanism::ScramSha256, not_scram),
                b"",
                "{not_scram:?}"
            );
        }
    }
}
