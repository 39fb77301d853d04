//! Whole attempts against an account file, with the client's side played here.

use super::*;
use crate::sasl::scram::tests::client_final;
use crate::settings::tests::setup;
use roost_ipc::{
    AuthBackend, AuthSetup, AuthTls, Bytes, ChannelBinding, Endpoints, Reader, TlsInfo,
};

const DELAY: Duration = Duration::from_millis(120);

struct World {
    settings: Arc<Settings>,
    shared: Arc<Shared>,
    _dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut AuthSetup)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users");
        let uid = roost_os::identity::current_user();
        let scram = "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,\
                     WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,\
                     wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        let text = format!(
            "alice:{{PLAIN}}secret:{uid}:0::/srv/alice::userdb_mail=maildir:~/mail\n\
             user:{scram}:{uid}:0::/srv/user\n\
             hashed:$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.:{uid}:0::/srv/h\n\
             away:{{PLAIN}}secret:{uid}:0::/srv/a::allow_nets=198.51.100.0/24\n\
             closed:{{PLAIN}}secret:{uid}:0::/srv/c::nologin\n\
             homeless:{{PLAIN}}secret:4000000123:4000000123\n"
        );
        std::fs::write(&path, text).unwrap();
        let mut setup = setup(vec![AuthBackend::PasswdFile { path }]);
        setup.failure_delay = DELAY;
        change(&mut setup);
        Self {
            settings: Arc::new(Settings::new(setup, None).unwrap()),
            shared: Arc::new(Shared::default()),
            _dir: dir,
        }
    }

    fn start(&self, method: AuthMethod, binding: Option<ChannelBinding>) -> Client {
        let (responses, receiver) = mpsc::channel(1);
        let (out, from_attempt) = mpsc::channel(4);
        let session = SessionId(7);
        let plus_offered = binding.is_some();
        let tls = binding.map(|binding| AuthTls {
            info: TlsInfo {
                version: "TLSv1.3".into(),
                cipher: "X".into(),
            },
            binding,
        });
        let attempt = Attempt {
            session,
            start: AuthStart {
                session,
                method,
                endpoints: Endpoints {
                    remote: "192.0.2.7:4711".parse().unwrap(),
                    local: "192.0.2.2:143".parse().unwrap(),
                },
                tls,
                plus_offered,
            },
            settings: Arc::clone(&self.settings),
            shared: Arc::clone(&self.shared),
            responses: receiver,
            out,
        };
        tokio::spawn(attempt.run());
        Client {
            responses,
            from_attempt,
        }
    }

    fn sasl(&self, mechanism: Mechanism, initial: Option<&[u8]>) -> Client {
        let initial = initial.map(Secret::from);
        self.start(AuthMethod::Sasl { mechanism, initial }, None)
    }

    async fn login(&self, user: &str, password: &str) -> Result<Grant, AuthFailure> {
        let method = AuthMethod::Login {
            user: Secret::from(user.as_bytes()),
            password: Secret::from(password.as_bytes()),
        };
        self.start(method, None).outcome().await
    }
}

struct Client {
    responses: mpsc::Sender<Secret>,
    from_attempt: mpsc::Receiver<Out>,
}

impl Client {
    async fn challenge(&mut self) -> String {
        match self.from_attempt.recv().await {
            Some(Out::Challenge(c)) => String::from_utf8(c.data.0).unwrap(),
            other => panic!("no challenge but {other:?}"),
        }
    }

    async fn answer(&self, response: impl AsRef<[u8]>) {
        self.responses
            .send(Secret::from(response.as_ref()))
            .await
            .unwrap();
    }

    async fn outcome(mut self) -> Result<Grant, AuthFailure> {
        match self.from_attempt.recv().await {
            Some(Out::Granted(grant)) => Ok(grant),
            Some(Out::Failed(_, failure)) => Err(failure),
            other => panic!("no outcome but {other:?}"),
        }
    }
}

#[tokio::test]
async fn login_grants_what_the_file_says() {
    let world = World::new();
    let grant = world.login("Alice", "secret").await.unwrap();
    assert_eq!(
        (grant.account.as_str(), grant.method.as_str()),
        ("alice", "LOGIN")
    );
    assert_eq!(grant.home.to_str(), Some("/srv/alice"));
    assert_eq!(grant.maildir.as_deref(), Some("~/mail"));
    assert!(world.login("hashed", "secret").await.is_ok());
}

#[tokio::test]
async fn sasl_plain_and_login_with_and_without_initial_response() {
    let world = World::new();
    let plain = world.sasl(Mechanism::Plain, Some(b"\0alice\0secret"));
    assert_eq!(plain.outcome().await.unwrap().method, "PLAIN");

    let mut plain = world.sasl(Mechanism::Plain, None);
    assert_eq!(plain.challenge().await, "");
    plain.answer("\0alice\0secret").await;
    assert!(plain.outcome().await.is_ok());

    let mut login = world.sasl(Mechanism::Login, None);
    assert_eq!(login.challenge().await, "Username:");
    login.answer("alice").await;
    assert_eq!(login.challenge().await, "Password:");
    login.answer("secret").await;
    assert_eq!(login.outcome().await.unwrap().method, "AUTH=LOGIN");

    let mut login = world.sasl(Mechanism::Login, Some(b"alice"));
    assert_eq!(login.challenge().await, "Password:");
    login.answer("wrong").await;
    assert_eq!(login.outcome().await, Err(AuthFailure::Credentials));
}

#[tokio::test]
async fn broken_responses_are_no_failed_logins() {
    let world = World::with(|s| s.max_failures_per_minute = 1);
    for _ in 0..3 {
        let plain = world.sasl(Mechanism::Plain, Some(b"junk"));
        assert_eq!(plain.outcome().await, Err(AuthFailure::Malformed));
        let scram = world.sasl(Mechanism::ScramSha256, Some(b"junk"));
        assert_eq!(scram.outcome().await, Err(AuthFailure::Malformed));
    }
    assert!(world.login("alice", "secret").await.is_ok());
}

#[tokio::test]
async fn nobody_acts_as_somebody_else() {
    let world = World::new();
    let plain = world.sasl(Mechanism::Plain, Some(b"user\0alice\0secret"));
    assert_eq!(plain.outcome().await, Err(AuthFailure::OtherIdentity));
    let plain = world.sasl(Mechanism::Plain, Some(b"user\0alice\0wrong"));
    assert_eq!(plain.outcome().await, Err(AuthFailure::Credentials));
    let plain = world.sasl(Mechanism::Plain, Some(b"alice\0alice\0secret"));
    assert!(plain.outcome().await.is_ok());
}

/// Runs SCRAM to the server's last word and beyond.
async fn scram(
    world: &World,
    mechanism: Mechanism,
    header: &str,
    (user, password): (&str, &str),
    binding: Option<ChannelBinding>,
) -> Result<Grant, AuthFailure> {
    let bare = format!("n={user},r=clientnonce");
    let initial = Some(Secret::from(format!("{header}{bare}").as_bytes()));
    let data = match (&binding, header) {
        (Some(b), "p=tls-exporter,,") => b.exporter.clone().map_or(Vec::new(), |b| b.0),
        _ => Vec::new(),
    };
    let mut client = world.start(AuthMethod::Sasl { mechanism, initial }, binding);
    let first = client.challenge().await;
    let input = [header.as_bytes(), &data].concat();
    client
        .answer(client_final(&input, &bare, &first, password.as_bytes()))
        .await;
    match client.from_attempt.recv().await {
        Some(Out::Challenge(last)) => assert!(last.data.0.starts_with(b"v=")),
        Some(Out::Failed(_, failure)) => return Err(failure),
        other => panic!("{other:?}"),
    }
    client.answer("").await;
    client.outcome().await
}

#[tokio::test]
async fn scram_from_stored_secrets_and_from_a_password_in_clear() {
    let world = World::new();
    let plain = Mechanism::ScramSha256;
    for (user, password, expected) in [
        ("user", "pencil", Ok("user")),
        ("alice", "secret", Ok("alice")),
        ("user", "wrong", Err(AuthFailure::Credentials)),
        ("alice", "wrong", Err(AuthFailure::Credentials)),
        ("nobody", "x", Err(AuthFailure::Credentials)),
        // There is no SCRAM for a crypt hash.
        ("hashed", "secret", Err(AuthFailure::Credentials)),
    ] {
        let got = scram(&world, plain, "n,,", (user, password), None).await;
        assert_eq!(
            got.as_ref().map(|g| g.account.as_str()),
            expected.as_ref().copied(),
            "{user}"
        );
    }
}

#[tokio::test]
async fn scram_plus_and_downgrades() {
    let world = World::new();
    let binding = || ChannelBinding {
        server_end_point: None,
        exporter: Some(Bytes(b"exported".to_vec())),
    };
    let who = ("user", "pencil");
    let plus = Mechanism::ScramSha256Plus;
    let got = scram(&world, plus, "p=tls-exporter,,", who, Some(binding())).await;
    assert_eq!(got.unwrap().method, "SCRAM-SHA-256-PLUS");
    let initial = Some(Secret::from(b"y,,n=user,r=x".as_slice()));
    let mechanism = Mechanism::ScramSha256;
    let method = AuthMethod::Sasl { mechanism, initial };
    let client = world.start(method, Some(binding()));
    assert_eq!(client.outcome().await, Err(AuthFailure::Credentials));
}

#[tokio::test]
async fn unknown_names_have_a_salt_that_stays() {
    let world = World::new();
    let salt = async |user: &str| {
        let message = format!("n,,n={user},r=x");
        let mut client = world.sasl(Mechanism::ScramSha256, Some(message.as_bytes()));
        let first = client.challenge().await;
        first.split(",s=").nth(1).unwrap().to_owned()
    };
    let once = salt("nobody").await;
    assert_eq!(once, salt("nobody").await);
    assert_ne!(once, salt("somebody").await);
    // Not even a name that is none gives itself away.
    assert_eq!(salt("a/b").await.len(), once.len());
    assert_eq!(salt("user").await.len(), once.len());
}

#[tokio::test(start_paused = true)]
async fn failures_wait_and_the_wait_does_not_tell_why() {
    let world = World::new();
    for (user, password) in [("alice", "wrong"), ("hashed", "wrong")] {
        let known = Instant::now();
        assert_eq!(
            world.login(user, password).await,
            Err(AuthFailure::Credentials)
        );
        assert!(known.elapsed() >= DELAY);
        // Success ends the run of failures.
        world.login("alice", "secret").await.unwrap();
    }
    let unknown = Instant::now();
    assert_eq!(
        world.login("nobody", "x").await,
        Err(AuthFailure::Credentials)
    );
    let first = unknown.elapsed();
    assert!(first >= DELAY && first < 2 * DELAY, "{first:?}");
    let again = Instant::now();
    assert_eq!(world.login("a/b", "x").await, Err(AuthFailure::Credentials));
    assert!(again.elapsed() >= 2 * DELAY);
}

#[tokio::test(start_paused = true)]
async fn a_success_does_not_wait() {
    let world = World::new();
    let since = Instant::now();
    world.login("alice", "secret").await.unwrap();
    assert!(since.elapsed() < DELAY);
}

#[tokio::test]
async fn too_many_failures_shut_the_account_for_the_right_password_too() {
    let world = World::with(|s| {
        s.max_failures_per_minute = 3;
        s.failure_delay = Duration::ZERO;
    });
    for _ in 0..3 {
        assert_eq!(
            world.login("alice", "wrong").await,
            Err(AuthFailure::Credentials)
        );
    }
    assert_eq!(
        world.login("alice", "secret").await,
        Err(AuthFailure::TooMany)
    );
    assert_eq!(
        world.login("ALICE", "secret").await,
        Err(AuthFailure::TooMany)
    );
}

#[tokio::test]
async fn accounts_that_may_not() {
    let world = World::with(|s| {
        s.failure_delay = Duration::ZERO;
        s.deny_users = vec!["user".into()];
    });
    for (user, right) in [
        ("away", "secret"),
        ("homeless", "secret"),
        ("user", "pencil"),
    ] {
        assert_eq!(
            world.login(user, right).await,
            Err(AuthFailure::NotAllowed),
            "{user}"
        );
        assert_eq!(
            world.login(user, "wrong").await,
            Err(AuthFailure::Credentials),
            "{user}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_gone_is_nobodys_failure() {
    let world = World::with(|s| s.max_failures_per_minute = 1);
    let path = world.settings.files().next().unwrap().path().to_owned();
    let aside = path.with_extension("aside");
    std::fs::rename(&path, &aside).unwrap();
    for _ in 0..3 {
        assert_eq!(
            world.login("alice", "secret").await,
            Err(AuthFailure::Unavailable)
        );
    }
    std::fs::rename(&aside, &path).unwrap();
    assert!(world.login("alice", "secret").await.is_ok());
}

/// Of the children of a test's program nobody hears an answer.
fn broken_pam() -> AuthBackend {
    let service = "roost".into();
    AuthBackend::Pam { service }
}

#[tokio::test]
async fn guesses_count_while_another_back_end_is_out_of_order() {
    for place in [0, 1] {
        let world = World::with(|s| {
            s.backends.insert(place, broken_pam());
            s.max_failures_per_minute = 2;
        });
        for user in ["alice", "nobody"] {
            let since = Instant::now();
            let answer = world.login(user, "wrong").await;
            assert_eq!(answer, Err(AuthFailure::Unavailable));
            assert!(since.elapsed() >= DELAY);
        }
        let more = world.login("alice", "wrong").await;
        assert_eq!(more, Err(AuthFailure::TooMany));
    }
}

#[tokio::test]
async fn a_password_too_long_for_pam_is_a_wrong_one() {
    let world = World::with(|s| {
        s.backends = vec![broken_pam()];
        s.max_failures_per_minute = 1;
    });
    let long = "x".repeat(roost_pam::MAX_PASSWORD_LEN + 1);
    let answer = world.login("alice", &long).await;
    assert_eq!(answer, Err(AuthFailure::Credentials));
    let more = world.login("alice", &long).await;
    assert_eq!(more, Err(AuthFailure::TooMany));
}

#[tokio::test]
async fn who_goes_away_from_a_scram_challenge_has_failed() {
    let world = World::with(|s| s.max_failures_per_minute = 2);
    for _ in 0..2 {
        let first = Some(&b"n,,n=alice,r=abc"[..]);
        let mut client = world.sasl(Mechanism::ScramSha256, first);
        client.challenge().await;
        drop(client.responses);
        assert!(client.from_attempt.recv().await.is_none());
    }
    let more = world.login("alice", "secret").await;
    assert_eq!(more, Err(AuthFailure::TooMany));
}

#[tokio::test]
async fn ones_own_name_in_another_spelling_is_no_other_identity() {
    let masters = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(masters.path(), "root:{PLAIN}key\n").unwrap();
    for masters in [None, Some(masters.path().to_owned())] {
        let world = World::with(|s| {
            s.master_file = masters;
            s.default_domain = Some("example.org".into());
            s.failure_delay = Duration::ZERO;
        });
        for (message, expected) in [
            ("alice@example.org\0alice\0secret", None),
            ("Alice\0alice%example.org\0secret", None),
            ("user\0alice\0secret", Some(AuthFailure::OtherIdentity)),
            ("user\0alice\0wrong", Some(AuthFailure::Credentials)),
            (
                "alice@a.example\0alice\0secret",
                Some(AuthFailure::OtherIdentity),
            ),
        ] {
            let plain = world.sasl(Mechanism::Plain, Some(message.as_bytes()));
            assert_eq!(plain.outcome().await.err(), expected, "{message:?}");
        }
        let of = async |header| {
            let who = ("alice", "secret");
            scram(&world, Mechanism::ScramSha256, header, who, None).await
        };
        assert!(of("n,a=alice@example.org,").await.is_ok());
        let other = of("n,a=user,").await;
        assert_eq!(other, Err(AuthFailure::OtherIdentity));
    }
}

#[tokio::test]
async fn names_that_have_moved_cannot_be_listed_without_end() {
    let world = World::with(|s| {
        moved(s);
        let (_, route) = s.router[0].clone();
        let many = (1..30).map(|n| (format!("moved{n}"), route.clone()));
        s.router.extend(many);
        s.max_failures_per_minute = 2;
    });
    let of = |name: &str| {
        let message = format!("\0{name}\0x");
        world.sasl(Mechanism::Plain, Some(message.as_bytes()))
    };
    // One of them as often as its owner's program likes.
    for _ in 0..30 {
        referred(of("moved")).await;
    }
    for n in 1..20 {
        referred(of(&format!("moved{n}"))).await;
    }
    let more = of("moved20").outcome().await;
    assert_eq!(more, Err(AuthFailure::TooMany));
    referred(of("moved")).await;
    assert!(world.login("alice", "secret").await.is_ok());
}

#[test]
fn answer_times_are_multiples() {
    let ms = Duration::from_millis;
    assert_eq!(rounded(ms(1), ms(400)), ms(400));
    assert_eq!(rounded(ms(400), ms(400)), ms(400));
    assert_eq!(rounded(ms(401), ms(400)), ms(800));
    assert_eq!(rounded(ms(0), ms(400)), ms(400));
    assert_eq!(rounded(ms(7), Duration::ZERO), ms(7));
}

fn moved(setup: &mut AuthSetup) {
    let route = roost_ipc::Route::Elsewhere {
        user: "new".into(),
        host: "other.example".into(),
    };
    setup.router = vec![("moved".into(), route)];
}

async fn referred(mut client: Client) {
    match client.from_attempt.recv().await {
        Some(Out::Elsewhere(_, user, host)) => {
            assert_eq!((user.as_str(), host.as_str()), ("new", "other.example"));
        }
        other => panic!("no referral but {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_moved_is_referred_whatever_the_password() {
    let world = World::with(moved);
    let since = Instant::now();
    for _ in 0..3 {
        let method = AuthMethod::Login {
            user: Secret::from(&b"Moved"[..]),
            password: Secret::from(&b"x"[..]),
        };
        referred(world.start(method, None)).await;
        referred(world.sasl(Mechanism::Plain, Some(b"\0moved\0x"))).await;
        referred(world.sasl(Mechanism::ScramSha256, Some(b"n,,n=moved,r=abc"))).await;
    }
    assert!(since.elapsed() < DELAY, "nothing has failed");
    assert!(world.login("alice", "secret").await.is_ok());
}

#[tokio::test]
async fn a_master_logs_in_as_anybody_with_its_own_password() {
    let masters = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(masters.path(), "root:{PLAIN}key\n").unwrap();
    let path = masters.path().to_owned();
    let world = World::with(|s| {
        s.master_file = Some(path);
        s.failure_delay = Duration::ZERO;
        s.deny_users = vec!["hashed".into()];
    });
    let account = |grant: Grant| (grant.account, grant.home);
    let alice = world.login("alice", "secret").await.unwrap();
    assert_eq!(alice.reader, Reader::Owner);
    let alice = account(alice);
    for user in ["alice*root", "Alice*ROOT"] {
        let grant = world.login(user, "key").await.unwrap();
        assert_eq!(grant.reader, Reader::Other);
        assert_eq!(account(grant), alice);
    }
    let plain = world.sasl(Mechanism::Plain, Some(b"alice\0root\0key"));
    assert_eq!(account(plain.outcome().await.unwrap()), alice);
    for (user, password, failure) in [
        ("alice*root", "secret", AuthFailure::Credentials),
        ("alice*alice", "secret", AuthFailure::Credentials),
        ("alice*", "key", AuthFailure::Credentials),
        ("root", "key", AuthFailure::Credentials),
        ("nobody*root", "key", AuthFailure::NotAllowed),
        ("hashed*root", "key", AuthFailure::NotAllowed),
        ("closed*root", "key", AuthFailure::NotAllowed),
        ("away*root", "key", AuthFailure::NotAllowed),
        ("*root", "key", AuthFailure::NotAllowed),
    ] {
        assert_eq!(world.login(user, password).await, Err(failure), "{user}");
    }
    let without = World::new();
    let failed = without.login("alice*root", "key").await;
    assert_eq!(failed, Err(AuthFailure::Credentials));
}
