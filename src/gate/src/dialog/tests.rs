//! Whole dialogs over a pipe, with auth played here.

use super::*;
use crate::tests::settings;
use roost_ipc::{
    AuthFailure, AuthResult, Bytes, ChannelBinding, Endpoints, LogStyle, Mechanism, TlsInfo,
};
use roost_types::SessionId;
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;

const CLEAR: &str = "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE ID LOGIN-REFERRALS STARTTLS \
                     LOGINDISABLED AUTH=SCRAM-SHA-256";

struct Client {
    io: DuplexStream,
    events: mpsc::Sender<Event>,
    to_auth: mpsc::Receiver<GateToAuth>,
    dialog: JoinHandle<(Exit, History)>,
}

#[derive(Clone, Copy)]
enum On {
    Clear,
    Trusted,
    Tls,
}

impl Client {
    fn new(on: On) -> Self {
        Self::with(on, |_| {})
    }

    fn with(on: On, change: fn(&mut Settings)) -> Self {
        let (io, mut server) = duplex(64 * 1024);
        let (events, mut receiver) = mpsc::channel(8);
        let (auth, to_auth) = mpsc::channel(8);
        let mut settings = settings();
        change(&mut settings);
        let endpoints = Endpoints {
            remote: "192.0.2.7:4711".parse().unwrap(),
            local: "192.0.2.1:143".parse().unwrap(),
        };
        let trusted = matches!(on, On::Trusted);
        let mut history = History::new(LogStyle::Roost, SessionId(7), endpoints, trusted);
        let tls = matches!(on, On::Tls).then(|| AuthTls {
            info: TlsInfo {
                version: "TLSv1.3".into(),
                cipher: "X".into(),
            },
            binding: ChannelBinding {
                server_end_point: None,
                exporter: None,
            },
        });
        let dialog = tokio::spawn(async move {
            let context = Context {
                settings: &settings,
                history: &mut history,
                events: &mut receiver,
                auth: &auth,
                tls,
            };
            let exit = Dialog::new(&mut server, context).run(true).await;
            (exit, history)
        });
        Self {
            io,
            events,
            to_auth,
            dialog,
        }
    }

    async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.io.write_all(text.as_ref()).await.unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let byte = timeout(Duration::from_secs(20), self.io.read_u8()).await;
            line.push(byte.expect("no answer").expect("closed"));
        }
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    /// Past the greeting.
    async fn greeted(mut self) -> Self {
        self.line().await;
        self
    }

    async fn expect(&mut self, start: &str) {
        let line = self.line().await;
        assert!(line.starts_with(start), "{line:?} does not begin {start:?}");
    }

    async fn asked(&mut self) -> GateToAuth {
        let asked = timeout(Duration::from_secs(20), self.to_auth.recv()).await;
        asked.expect("auth was not asked").unwrap()
    }

    async fn start(&mut self) -> AuthMethod {
        match self.asked().await {
            GateToAuth::Start(start) => start.method,
            other => panic!("{other:?}"),
        }
    }

    async fn tell(&self, event: Event) {
        self.events.send(event).await.unwrap();
    }

    async fn fails(&self, reason: AuthFailure) {
        self.tell(Event::Outcome(AuthResult::Failed { reason }))
            .await;
    }

    async fn exit(self) -> (Exit, History) {
        drop(self.io);
        self.dialog.await.unwrap()
    }
}

fn user_of(method: &AuthMethod) -> &[u8] {
    match method {
        AuthMethod::Login { user, .. } => user.expose(),
        AuthMethod::Sasl { .. } => panic!("not LOGIN"),
    }
}

#[tokio::test]
async fn greeting_and_commands_of_any_state() {
    let mut c = Client::new(On::Clear);
    let version = env!("CARGO_PKG_VERSION");
    let greeting =
        format!("* OK [CAPABILITY {CLEAR}] Roost IMAP server {version} at mail.example ready");
    assert_eq!(c.line().await, greeting);
    c.send("a CAPABILITY\r\nb NOOP\r\nc ID NIL\r\nd id (\"name\" \"x\")\r\n")
        .await;
    c.expect(&format!("* CAPABILITY {CLEAR}")).await;
    c.expect("a OK").await;
    c.expect("b OK").await;
    for tag in ["c OK", "d OK"] {
        c.expect(&format!(
            "* ID (\"name\" \"Roost\" \"version\" \"{version}\")"
        ))
        .await;
        c.expect(tag).await;
    }
    c.send("e LOGOUT\r\n").await;
    c.expect("* BYE").await;
    c.expect("e OK").await;
    assert!(matches!(c.exit().await.0, Exit::Ended(Reason::Logout)));
}

#[tokio::test]
async fn greeting_without_host_and_version() {
    let mut c = Client::with(On::Clear, |s| {
        s.greeting_host = None;
        s.greeting_version = false;
    });
    assert_eq!(
        c.line().await,
        format!("* OK [CAPABILITY {CLEAR}] Roost IMAP server ready")
    );
    c.send("a ID NIL\r\n").await;
    c.expect("* ID (\"name\" \"Roost\")").await;
}

#[tokio::test]
async fn commands_of_later_states_are_bad_and_too_many_end_it() {
    let mut c = Client::new(On::Tls).greeted().await;
    c.send("a SELECT inbox\r\nb ENABLE CONDSTORE\r\nc FETCH 1 (\r\n")
        .await;
    c.expect("a BAD Log in first").await;
    c.expect("b BAD Log in first").await;
    c.expect("c BAD Log in first").await;
    c.expect("* BYE").await;
    assert!(matches!(c.exit().await.0, Exit::Ended(Reason::BadCommands)));
}

#[tokio::test]
async fn unknown_and_broken_commands_count_too() {
    let mut c = Client::new(On::Tls).greeted().await;
    c.send("a XYZZY\r\n").await;
    c.expect("a BAD").await;
    c.send("\r\n").await;
    c.expect("* BAD").await;
    c.send(format!("b LOGIN {}\r\n", "x".repeat(20_000))).await;
    c.expect("b BAD").await;
    c.expect("* BYE").await;
    assert!(matches!(c.exit().await.0, Exit::Ended(Reason::BadCommands)));
}

#[tokio::test]
async fn who_has_moved_is_referred_and_has_not_failed() {
    let mut c = Client::new(On::Tls).greeted().await;
    for tag in ["a", "b"] {
        c.send(format!("{tag} LOGIN moved secret\r\n")).await;
        assert_eq!(user_of(&c.start().await), b"moved");
        let result = AuthResult::Elsewhere {
            user: "new.name".into(),
            host: "other.example".into(),
        };
        c.tell(Event::Outcome(result)).await;
        c.expect(&format!(
            "{tag} NO [REFERRAL imap://new.name;AUTH=*@other.example/] account has been moved"
        ))
        .await;
    }
    c.send("c LOGOUT\r\n").await;
    c.expect("* BYE").await;
    assert_eq!(c.exit().await.1.failures, 0);
}

#[tokio::test]
async fn login_is_granted_with_what_came_behind_it() {
    let mut c = Client::new(On::Tls).greeted().await;
    c.send("a NOOP\r\nb LOGIN {5}\r\n").await;
    c.expect("a OK").await;
    c.expect("+ ").await;
    c.send("alice {6+}\r\nsecret\r\nc SELECT inbox\r\nd FE")
        .await;
    let method = c.start().await;
    assert_eq!(user_of(&method), b"alice");
    c.send("TCH 1 FLAGS\r\n").await;
    // Until it has come through the pipe.
    tokio::time::sleep(Duration::from_millis(50)).await;
    c.tell(Event::Outcome(AuthResult::Granted {})).await;
    match c.exit().await.0 {
        Exit::Granted { tag, leftover } => {
            assert_eq!(tag.as_str(), "b");
            assert_eq!(leftover, b"c SELECT inbox\r\nd FETCH 1 FLAGS\r\n");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_client_that_has_said_all_is_still_served() {
    let mut c = Client::new(On::Tls).greeted().await;
    c.send("a LOGIN alice secret\r\nb LOGOUT\r\n").await;
    c.start().await;
    c.io.shutdown().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    c.tell(Event::Outcome(AuthResult::Granted {})).await;
    assert!(matches!(c.exit().await.0, Exit::Granted { .. }));
}

#[tokio::test]
async fn the_words_of_failure() {
    for (reason, answer) in [
        (
            AuthFailure::Credentials,
            "a NO [AUTHENTICATIONFAILED] Authentication failed.",
        ),
        (AuthFailure::NotAllowed, "a NO [CONTACTADMIN]"),
        (AuthFailure::OtherIdentity, "a NO [AUTHORIZATIONFAILED]"),
        (AuthFailure::Expired, "a NO [EXPIRED]"),
        (AuthFailure::Unavailable, "a NO [UNAVAILABLE]"),
        (AuthFailure::TooMany, "a NO [LIMIT]"),
        (AuthFailure::Malformed, "a BAD"),
    ] {
        let mut c = Client::new(On::Tls).greeted().await;
        c.send("a LOGIN alice wrong\r\n").await;
        c.start().await;
        c.fails(reason).await;
        c.expect(answer).await;
        let (exit, history) = c.exit().await;
        assert!(matches!(exit, Exit::Ended(Reason::Closed)));
        let counts = !matches!(reason, AuthFailure::Unavailable | AuthFailure::Malformed);
        assert_eq!(history.failures, u32::from(counts), "{reason:?}");
        let user: &[u8] = match reason {
            AuthFailure::Malformed => b"",
            _ => b"alice",
        };
        assert_eq!((history.user.as_slice(), history.method), (user, "LOGIN"));
    }
}

#[tokio::test]
async fn no_password_passes_for_a_name_in_the_log() {
    // `alice`, in the command or as a response; then `secret`.
    for first in ["AUTHENTICATE LOGIN YWxpY2U=", "AUTHENTICATE LOGIN"] {
        let mut c = Client::new(On::Tls).greeted().await;
        c.send(format!("a {first}\r\n")).await;
        c.start().await;
        if !first.ends_with('=') {
            c.tell(Event::Challenge(Bytes(b"Username:".to_vec()))).await;
            c.expect("+ VXNlcm5hbWU6").await;
            c.send("YWxpY2U=\r\n").await;
            c.asked().await;
        }
        c.tell(Event::Challenge(Bytes(b"Password:".to_vec()))).await;
        c.expect("+ UGFzc3dvcmQ6").await;
        c.send("c2VjcmV0\r\n").await;
        c.asked().await;
        c.fails(AuthFailure::Credentials).await;
        c.expect("a NO").await;
        assert_eq!(c.exit().await.1.user, b"alice", "{first}");
    }
    // `alice NUL secret`, `alice NUL secret NUL`.
    for response in ["YWxpY2UAc2VjcmV0", "YWxpY2UAc2VjcmV0AA=="] {
        let mut c = Client::new(On::Tls).greeted().await;
        c.send(format!("a AUTHENTICATE PLAIN {response}\r\n")).await;
        c.start().await;
        c.fails(AuthFailure::Unavailable).await;
        c.expect("a NO").await;
        assert_eq!(c.exit().await.1.user, b"", "{response}");
    }
}

#[tokio::test]
async fn no_auth_no_login() {
    let mut c = Client::new(On::Tls).greeted().await;
    c.send("a LOGIN alice secret\r\n").await;
    c.start().await;
    c.tell(Event::AuthLost).await;
    c.expect("a NO [UNAVAILABLE]").await;
    c.to_auth.close();
    c.send("b LOGIN alice secret\r\n").await;
    c.expect("b NO [UNAVAILABLE]").await;
}

#[tokio::test]
async fn many_failures_end_the_connection() {
    let mut c = Client::new(On::Tls).greeted().await;
    for n in 0..MAX_FAILURES {
        c.send(format!("a{n} LOGIN alice wrong\r\n")).await;
        c.start().await;
        c.fails(AuthFailure::Credentials).await;
        c.expect(&format!("a{n} NO")).await;
    }
    c.expect("* BYE").await;
    assert!(matches!(
        c.exit().await.0,
        Exit::Ended(Reason::TooManyFailures)
    ));
}

#[tokio::test]
async fn passwords_stay_off_clear_lines_but_trusted_ones() {
    let mut c = Client::new(On::Clear).greeted().await;
    c.send("a LOGIN alice secret\r\nb AUTHENTICATE PLAIN\r\nc AUTHENTICATE LOGIN\r\n")
        .await;
    for tag in ["a", "b", "c"] {
        c.expect(&format!("{tag} NO [PRIVACYREQUIRED]")).await;
    }
    assert!(c.to_auth.try_recv().is_err());
    let (_, history) = c.exit().await;
    assert!(history.disallowed && history.failures == 0);

    let mut c = Client::new(On::Trusted).greeted().await;
    c.send("a LOGIN alice secret\r\n").await;
    assert_eq!(user_of(&c.start().await), b"alice");

    let mut c = Client::with(On::Clear, |s| s.cleartext_always = true)
        .greeted()
        .await;
    c.send("a LOGIN alice secret\r\n").await;
    assert_eq!(user_of(&c.start().await), b"alice");
}

#[tokio::test]
async fn authenticate_with_and_without_initial_response() {
    let mut c = Client::new(On::Tls).greeted().await;
    c.send("a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\n")
        .await;
    let AuthMethod::Sasl { mechanism, initial } = c.start().await else {
        panic!("not SASL");
    };
    assert_eq!(mechanism, Mechanism::Plain);
    assert_eq!(initial.unwrap().expose(), b"\0alice\0secret");
    c.fails(AuthFailure::Credentials).await;
    c.expect("a NO").await;

    c.send("b AUTHENTICATE PLAIN\r\n").await;
    assert!(matches!(
        c.start().await,
        AuthMethod::Sasl { initial: None, .. }
    ));
    c.tell(Event::Challenge(Bytes(Vec::new()))).await;
    assert_eq!(c.line().await, "+");
    c.send("AGFsaWNlAHNlY3JldA==\r\nc NOOP\r\n").await;
    match c.asked().await {
        GateToAuth::Response(r) => assert_eq!(r.data.expose(), b"\0alice\0secret"),
        other => panic!("{other:?}"),
    }
    c.tell(Event::Outcome(AuthResult::Granted {})).await;
    match c.exit().await {
        (Exit::Granted { tag, leftover }, history) => {
            assert_eq!(
                (tag.as_str(), leftover.as_slice()),
                ("b", &b"c NOOP\r\n"[..])
            );
            assert_eq!(history.user, b"alice");
        }
        (other, _) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_exchange_can_be_given_up_or_broken() {
    for (line, words) in [("*", "cancelled"), ("?", "base64")] {
        let mut c = Client::new(On::Tls).greeted().await;
        c.send("a AUTHENTICATE SCRAM-SHA-256\r\n").await;
        c.start().await;
        c.tell(Event::Challenge(Bytes(Vec::new()))).await;
        c.expect("+").await;
        c.send(format!("{line}\r\nb NOOP\r\n")).await;
        let answer = c.line().await;
        assert!(
            answer.starts_with("a BAD") && answer.contains(words),
            "{answer}"
        );
        assert!(matches!(c.asked().await, GateToAuth::Cancel(SessionId(7))));
        c.expect("b OK").await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_an_exchange_is_cancelled() {
    let mut c = Client::new(On::Tls).greeted().await;
    c.send("a AUTHENTICATE LOGIN\r\n").await;
    c.start().await;
    c.tell(Event::Challenge(Bytes(b"Username:".to_vec()))).await;
    c.expect("+ VXNlcm5hbWU6").await;
    let Client {
        io,
        mut to_auth,
        dialog,
        events: _events,
    } = c;
    drop(io);
    assert!(matches!(to_auth.recv().await, Some(GateToAuth::Cancel(_))));
    let (exit, history) = dialog.await.unwrap();
    assert!(matches!(exit, Exit::Ended(Reason::Closed)) && history.unfinished);
}

#[tokio::test]
async fn mechanisms_that_are_not_offered() {
    let mut c = Client::new(On::Trusted).greeted().await;
    c.send("a AUTHENTICATE CRAM-MD5\r\nb AUTHENTICATE SCRAM-SHA-256-PLUS\r\n")
        .await;
    c.expect("a NO").await;
    c.expect("b NO").await;
}

#[tokio::test]
async fn starttls() {
    let mut c = Client::new(On::Clear).greeted().await;
    c.send("a STARTTLS\r\n").await;
    c.expect("a OK").await;
    assert!(matches!(c.exit().await.0, Exit::StartTls));

    let mut c = Client::new(On::Tls).greeted().await;
    c.send("a STARTTLS\r\n").await;
    c.expect("a BAD").await;

    let mut c = Client::with(On::Clear, |s| s.tls = None).greeted().await;
    c.send("a STARTTLS\r\n").await;
    c.expect("a BAD").await;
}

#[tokio::test]
async fn bytes_behind_starttls_are_never_taken() {
    let mut c = Client::new(On::Clear).greeted().await;
    c.send("a STARTTLS\r\nb LOGIN alice secret\r\n").await;
    c.expect("a BAD").await;
    c.expect("* BYE").await;
    assert!(c.to_auth.try_recv().is_err());
    assert!(matches!(c.exit().await.0, Exit::Ended(Reason::Injection)));
}

#[tokio::test(start_paused = true)]
async fn idlers_are_sent_away_and_a_failed_login_gives_time_anew() {
    let mut c = Client::new(On::Tls).greeted().await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    c.send("a LOGIN alice wrong\r\n").await;
    c.start().await;
    c.fails(AuthFailure::Credentials).await;
    c.expect("a NO").await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    c.send("b NOOP\r\n").await;
    c.expect("b OK").await;
    c.expect("* BYE").await;
    assert!(matches!(c.exit().await.0, Exit::Ended(Reason::Timeout)));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_let_go() {
    let (_io, mut server) = duplex(16);
    let (_events, mut events) = mpsc::channel(1);
    let (auth, _to_auth) = mpsc::channel(1);
    let endpoints = Endpoints {
        remote: "192.0.2.7:1".parse().unwrap(),
        local: "192.0.2.1:143".parse().unwrap(),
    };
    let mut history = History::new(LogStyle::Roost, SessionId(1), endpoints, false);
    let settings = settings();
    let context = Context {
        settings: &settings,
        history: &mut history,
        events: &mut events,
        auth: &auth,
        tls: None,
    };
    let exit = Dialog::new(&mut server, context).run(true).await;
    assert!(matches!(exit, Exit::Ended(Reason::Timeout)));
}

#[tokio::test]
async fn shutdown_and_kick() {
    let mut c = Client::new(On::Clear).greeted().await;
    c.tell(Event::Shutdown).await;
    assert_eq!(c.line().await, "* BYE [UNAVAILABLE] server shutting down");
    assert!(matches!(c.exit().await.0, Exit::Ended(Reason::Shutdown)));

    let mut c = Client::new(On::Tls).greeted().await;
    c.send("a LOGIN alice secret\r\n").await;
    c.start().await;
    c.tell(Event::Kick).await;
    c.expect("* BYE").await;
    assert!(matches!(c.asked().await, GateToAuth::Cancel(_)));
    assert!(matches!(c.exit().await.0, Exit::Ended(Reason::Kicked)));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever is sent, nobody gets in without auth, and every answer is a
    /// whole line.
    #[test]
    fn any_bytes_end_in_an_orderly_way(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400),
        text in "([abc] (LOGIN|NOOP|ID|AUTHENTICATE|STARTTLS|APPEND|IDLE|UID)( [{}0-9a+\"(]{0,6}){0,3}\r\n){0,6}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let outcome = runtime.block_on(async {
            let mut c = Client::new(On::Tls);
            c.to_auth.close();
            c.send(&text).await;
            c.send(&bytes).await;
            c.io.shutdown().await.unwrap();
            let mut answers = Vec::new();
            c.io.read_to_end(&mut answers).await.unwrap();
            (c.exit().await.0, answers)
        });
        proptest::prop_assert!(matches!(outcome.0, Exit::Ended(_)), "{:?}", outcome.0);
        proptest::prop_assert!(outcome.1.ends_with(b"\r\n"));
    }
}
