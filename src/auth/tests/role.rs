//! The executable, between a supervisor and a gate that the test plays.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use roost_ipc::log::LogRecord;
use roost_ipc::{
    AccountDefaults, AuthBackend, AuthFailure, AuthMethod, AuthOutcome, AuthResponse, AuthResult,
    AuthSetup, AuthStart, AuthToGate, AuthToSupervisor, Channel, Endpoints, GateToAuth, LogLevel,
    Mechanism, Receiver, Route, Secret, SupervisorToAuth, Trial, TrialResult, Tried,
};
use roost_os::spawn::{Child, Spawn};
use roost_os::{fdpass, identity};
use roost_types::SessionId;

struct Role {
    supervisor: Channel<SupervisorToAuth, AuthToSupervisor>,
    gate: Channel<GateToAuth, AuthToGate>,
    log: Receiver<LogRecord>,
    child: Child,
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn setup(users: &Path) -> AuthSetup {
    AuthSetup {
        log_level: LogLevel::LowLevel,
        backends: vec![AuthBackend::PasswdFile { path: users.into() }],
        defaults: AccountDefaults {
            uid: None,
            gid: None,
            home: None,
        },
        pam_timeout: Duration::from_secs(5),
        pam_session: false,
        master_file: None,
        domains: Vec::new(),
        default_domain: None,
        router: Vec::new(),
        lowercase_names: true,
        minimum_uid: 0,
        allow_users: Vec::new(),
        deny_users: Vec::new(),
        allow_groups: Vec::new(),
        failure_delay: Duration::from_millis(1),
        max_failures_per_minute: 10,
    }
}

fn pair() -> (OwnedFd, OwnedFd) {
    fdpass::seqpacket_pair().unwrap()
}

impl Role {
    async fn start(setup: AuthSetup) -> Self {
        let ((supervisor, s), (log, l), (gate, g)) = (pair(), pair(), pair());
        let child = Spawn::new(env!("CARGO_BIN_EXE_roost-auth"), "roost-auth")
            .descriptor(s)
            .descriptor(l)
            .descriptor(g)
            .die_with_parent(false)
            .spawn()
            .unwrap();
        let mut role = Self {
            supervisor: Channel::new(supervisor).unwrap(),
            gate: Channel::new(gate).unwrap(),
            log: Receiver::new(log).unwrap(),
            child,
        };
        let message = SupervisorToAuth::Setup(setup);
        role.supervisor.send(&message, &[]).await.unwrap();
        role
    }

    async fn says(&mut self) -> AuthToSupervisor {
        self.supervisor.recv().await.unwrap().unwrap().0
    }

    async fn login(&mut self, session: u64, user: &str, password: &str) {
        let start = GateToAuth::Start(start(session, user, password));
        self.gate.send(&start, &[]).await.unwrap();
    }

    async fn outcome(&mut self) -> AuthOutcome {
        match self.gate.recv().await.unwrap().unwrap().0 {
            AuthToGate::Outcome(outcome) => outcome,
            other @ AuthToGate::Continue(_) => panic!("{other:?}"),
        }
    }
}

fn start(session: u64, user: &str, password: &str) -> AuthStart {
    AuthStart {
        session: SessionId(session),
        method: AuthMethod::Login {
            user: Secret::from(user.as_bytes()),
            password: Secret::from(password.as_bytes()),
        },
        endpoints: Endpoints {
            remote: "192.0.2.7:4711".parse().unwrap(),
            local: "192.0.2.1:143".parse().unwrap(),
        },
        tls: None,
        plus_offered: false,
    }
}

fn users(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("users");
    let uid = identity::current_user();
    std::fs::write(
        &path,
        format!("alice:{{PLAIN}}secret:{uid}:0::/srv/alice\n"),
    )
    .unwrap();
    path
}

#[tokio::test]
async fn grants_go_to_the_supervisor_and_reasons_to_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut role = Role::start(setup(&users(dir.path()))).await;
    assert_eq!(role.says().await, AuthToSupervisor::Ready);

    role.login(7, "alice", "secret").await;
    match role.says().await {
        AuthToSupervisor::Grant(grant) => {
            assert_eq!(
                (grant.session, grant.account.as_str()),
                (SessionId(7), "alice")
            );
        }
        other => panic!("{other:?}"),
    }
    let outcome = role.outcome().await;
    assert_eq!(
        (outcome.session, outcome.result),
        (SessionId(7), AuthResult::Granted {})
    );

    for (user, reason) in [
        ("alice", "password mismatch"),
        ("<bob>", "character not allowed"),
    ] {
        role.login(8, user, "wrong").await;
        let failed = AuthResult::Failed {
            reason: AuthFailure::Credentials,
        };
        assert_eq!(role.outcome().await.result, failed);
        loop {
            let (record, _) = role.log.recv().await.unwrap().unwrap();
            assert!(!record.text.contains("wrong") && !record.text.contains("secret"));
            if record.session == Some(SessionId(8)) {
                assert!(record.text.contains(reason), "{}", record.text);
                assert!(!record.text.contains("<bob>"), "{}", record.text);
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_new_gate_takes_the_place_of_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut role = Role::start(setup(&users(dir.path()))).await;
    assert_eq!(role.says().await, AuthToSupervisor::Ready);
    let (ours, theirs) = pair();
    role.gate = Channel::new(ours).unwrap();
    let fd = std::os::fd::AsFd::as_fd(&theirs);
    role.supervisor
        .send(&SupervisorToAuth::GatePeer, &[fd])
        .await
        .unwrap();
    drop(theirs);
    role.login(9, "alice", "secret").await;
    assert!(matches!(role.says().await, AuthToSupervisor::Grant(_)));
    assert_eq!(role.outcome().await.result, AuthResult::Granted {});
}

#[tokio::test]
async fn reloads_take_effect_or_leave_all_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = users(dir.path());
    let mut role = Role::start(setup(&path)).await;
    assert_eq!(role.says().await, AuthToSupervisor::Ready);
    let mut denied = setup(&path);
    denied.deny_users = vec!["alice".into()];
    role.supervisor
        .send(&SupervisorToAuth::Setup(denied), &[])
        .await
        .unwrap();
    assert_eq!(role.says().await, AuthToSupervisor::Ready);
    role.login(1, "alice", "secret").await;
    let refused = AuthResult::Failed {
        reason: AuthFailure::NotAllowed,
    };
    assert_eq!(role.outcome().await.result, refused);
    let broken = setup(Path::new("/no/such/file"));
    role.supervisor
        .send(&SupervisorToAuth::Setup(broken), &[])
        .await
        .unwrap();
    assert!(matches!(
        role.says().await,
        AuthToSupervisor::SetupRejected(_)
    ));
    role.login(2, "alice", "secret").await;
    assert_eq!(role.outcome().await.result, refused);
}

#[tokio::test]
async fn a_second_attempt_of_a_session_is_refused_and_the_first_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut role = Role::start(setup(&users(dir.path()))).await;
    assert_eq!(role.says().await, AuthToSupervisor::Ready);
    let mut start = start(7, "", "");
    start.method = AuthMethod::Sasl {
        mechanism: Mechanism::Plain,
        initial: None,
    };
    role.gate
        .send(&GateToAuth::Start(start), &[])
        .await
        .unwrap();
    let challenge = role.gate.recv().await.unwrap().unwrap().0;
    assert!(matches!(challenge, AuthToGate::Continue(_)));
    role.login(7, "alice", "secret").await;
    let refused = AuthResult::Failed {
        reason: AuthFailure::Unavailable,
    };
    assert_eq!(role.outcome().await.result, refused);
    let response = GateToAuth::Response(AuthResponse {
        session: SessionId(7),
        data: Secret::from(&b"\0alice\0secret"[..]),
    });
    role.gate.send(&response, &[]).await.unwrap();
    assert!(matches!(role.says().await, AuthToSupervisor::Grant(_)));
    assert_eq!(role.outcome().await.result, AuthResult::Granted {});
}

#[tokio::test]
async fn each_password_that_is_tried_has_its_result() {
    let dir = tempfile::tempdir().unwrap();
    let mut setup = setup(&users(dir.path()));
    let moved = Route::Elsewhere {
        user: "new".into(),
        host: "other.example".into(),
    };
    setup.router = vec![("moved".into(), moved)];
    let mut role = Role::start(setup).await;
    assert_eq!(role.says().await, AuthToSupervisor::Ready);
    for (session, user, password, result) in [
        (
            1,
            "moved",
            "x",
            TrialResult::Elsewhere {
                user: "new".into(),
                host: "other.example".into(),
            },
        ),
        (
            2,
            "alice",
            "wrong",
            TrialResult::Failed {
                reason: AuthFailure::Credentials,
            },
        ),
        (
            3,
            "alice",
            "secret",
            TrialResult::Proved {
                account: "alice".into(),
            },
        ),
    ] {
        let session = SessionId(session);
        let trial = SupervisorToAuth::Try(Trial {
            session,
            user: Secret::from(user.as_bytes()),
            password: Secret::from(password.as_bytes()),
        });
        role.supervisor.send(&trial, &[]).await.unwrap();
        let tried = AuthToSupervisor::Tried(Tried { session, result });
        assert_eq!(role.says().await, tried);
    }
    // The next word to the gate is about its own attempt, also of such a number.
    role.login(1, "alice", "secret").await;
    assert!(matches!(role.says().await, AuthToSupervisor::Grant(_)));
    let outcome = role.outcome().await;
    assert_eq!(outcome.session, SessionId(1));
    assert_eq!(outcome.result, AuthResult::Granted {});
}

#[tokio::test]
async fn it_ends_when_told_or_when_it_cannot_begin() {
    let dir = tempfile::tempdir().unwrap();
    let mut role = Role::start(setup(&users(dir.path()))).await;
    assert_eq!(role.says().await, AuthToSupervisor::Ready);
    role.supervisor
        .send(&SupervisorToAuth::Shutdown, &[])
        .await
        .unwrap();
    assert!(role.child.wait().unwrap().success());

    let mut role = Role::start(setup(Path::new("/no/such/file"))).await;
    assert!(matches!(
        role.says().await,
        AuthToSupervisor::SetupRejected(_)
    ));
    assert!(!role.child.wait().unwrap().success());
}
