//! The executable, between a supervisor and an auth that the test plays, with
//! clients over real sockets.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use roost_ipc::log::LogRecord;
use roost_ipc::{
    AuthFailure, AuthOutcome, AuthResult, AuthStart, AuthToGate, Bytes, Certificate, Channel,
    Confinement, GateLimits, GateSetup, GateToAuth, GateToSupervisor, Handover, HandoverFailure,
    Listener, LogLevel, LogStyle, Mechanism, Receiver, Refusal, Secret, SessionBlock,
    SupervisorToGate, TlsSetup, TlsVersion,
};
use roost_os::fdpass;
use roost_os::identity::{self, Credentials};
use roost_os::spawn::{Child, Spawn};
use roost_os::{GroupId, UserId};
use roost_types::SessionId;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, client::TlsStream};

const LONG: Duration = Duration::from_secs(20);
const HOST: &str = "mail.example";

/// The gate with all that is around it.
struct Gate {
    supervisor: Channel<SupervisorToGate, GateToSupervisor>,
    auth: Channel<AuthToGate, GateToAuth>,
    log: Receiver<LogRecord>,
    child: Child,
    sockets: Vec<StdListener>,
    setup: GateSetup,
    root: tempfile::TempDir,
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn certificate() -> Certificate {
    let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).unwrap();
    Certificate {
        names: Vec::new(),
        chain: Bytes(made.cert.pem().into_bytes()),
        key: Secret::new(made.signing_key.serialize_pem().into_bytes()),
    }
}

fn setup() -> GateSetup {
    GateSetup {
        log_level: LogLevel::AllInfo,
        log_style: LogStyle::Roost,
        confinement: Confinement {
            chroot: None,
            credentials: None,
        },
        greeting_host: Some(HOST.into()),
        greeting_version: true,
        listeners: Vec::new(),
        tls: Some(TlsSetup {
            min_version: TlsVersion::V1_2,
            certificates: vec![certificate()],
        }),
        cleartext_always: false,
        trusted_networks: vec!["127.0.0.0/8".parse().unwrap()],
        proxies: Vec::new(),
        mechanisms: Mechanism::ALL.to_vec(),
        limits: GateLimits {
            max_connections: 100,
            max_connections_per_ip: 0,
            login_timeout: LONG,
            max_bad_commands: 3,
        },
        sessions: Some(SessionBlock {
            first: SessionId(100),
            count: 1000,
        }),
    }
}

fn pair() -> (OwnedFd, OwnedFd) {
    fdpass::seqpacket_pair().unwrap()
}

impl Gate {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With one clear and one TLS listener; confined as root confines it.
    async fn with(change: fn(&mut GateSetup)) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut setup = setup();
        if identity::is_root() {
            setup.confinement = Confinement {
                chroot: Some(root.path().into()),
                credentials: Some(Credentials {
                    uid: UserId(65534),
                    gid: GroupId(65534),
                    groups: Vec::new(),
                }),
            };
        }
        let sockets: Vec<_> = (0..2)
            .map(|_| roost_os::net::listen("127.0.0.1:0".parse().unwrap()).unwrap())
            .collect();
        setup.listeners = sockets
            .iter()
            .enumerate()
            .map(|(at, socket)| Listener {
                address: socket.local_addr().unwrap(),
                tls: at == 1,
            })
            .collect();
        change(&mut setup);
        let ((supervisor, s), (log, l), (auth, a)) = (pair(), pair(), pair());
        let child = Spawn::new(env!("CARGO_BIN_EXE_roost-gate"), "roost-gate")
            .descriptor(s)
            .descriptor(l)
            .descriptor(a)
            .die_with_parent(false)
            .spawn()
            .unwrap();
        let mut gate = Self {
            supervisor: Channel::new(supervisor).unwrap(),
            auth: Channel::new(auth).unwrap(),
            log: Receiver::new(log).unwrap(),
            child,
            sockets,
            setup,
            root,
        };
        gate.send_setup().await;
        assert_eq!(gate.says().await.0, GateToSupervisor::Ready);
        gate
    }

    async fn send_setup(&mut self) {
        let fds: Vec<_> = self.sockets.iter().map(AsFd::as_fd).collect();
        let message = SupervisorToGate::Setup(self.setup.clone());
        self.supervisor.send(&message, &fds).await.unwrap();
    }

    async fn tell(&mut self, message: SupervisorToGate) {
        self.supervisor.send(&message, &[]).await.unwrap();
    }

    async fn says(&mut self) -> (GateToSupervisor, Vec<OwnedFd>) {
        let said = timeout(LONG, self.supervisor.recv()).await;
        said.expect("the gate says nothing").unwrap().unwrap()
    }

    async fn attempt(&mut self) -> AuthStart {
        let asked = timeout(LONG, self.auth.recv()).await;
        match asked.expect("auth is not asked").unwrap().unwrap().0 {
            GateToAuth::Start(start) => start,
            other => panic!("{other:?}"),
        }
    }

    async fn decide(&mut self, session: SessionId, result: AuthResult) {
        let outcome = AuthToGate::Outcome(AuthOutcome { session, result });
        self.auth.send(&outcome, &[]).await.unwrap();
    }

    /// Grants the login under way, and takes the connection.
    async fn grant(&mut self) -> (Handover, OwnedFd) {
        let session = self.attempt().await.session;
        self.decide(session, AuthResult::Granted {}).await;
        match self.says().await {
            (GateToSupervisor::Handover(handover), mut fds) => {
                assert_eq!(handover.session, session);
                (handover, fds.pop().unwrap())
            }
            (other, _) => panic!("{other:?}"),
        }
    }

    fn address(&self, tls: bool) -> SocketAddr {
        self.sockets[usize::from(tls)].local_addr().unwrap()
    }

    async fn clear(&self) -> TcpStream {
        TcpStream::connect(self.address(false)).await.unwrap()
    }

    /// To the clear or the TLS listener (1), as bare TCP.
    async fn raw(&self, listener: usize) -> TcpStream {
        TcpStream::connect(self.address(listener == 1))
            .await
            .unwrap()
    }

    fn connector(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        let pem = &self.setup.tls.as_ref().unwrap().certificates[0].chain.0;
        let der: CertificateDer<'static> = rustls_pemfile::certs(&mut pem.as_slice())
            .next()
            .unwrap()
            .unwrap();
        roots.add(der).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }

    async fn wrap(&self, tcp: TcpStream) -> TlsStream<TcpStream> {
        let name = ServerName::try_from(HOST).unwrap();
        self.connector().connect(name, tcp).await.unwrap()
    }

    async fn tls(&self) -> TlsStream<TcpStream> {
        self.wrap(TcpStream::connect(self.address(true)).await.unwrap())
            .await
    }

    /// The next record of the log that holds `text`.
    async fn logged(&mut self, text: &str) -> LogRecord {
        loop {
            let record = timeout(LONG, self.log.recv()).await;
            let record = record.expect("nothing logged").unwrap().unwrap().0;
            if record.text.contains(text) {
                return record;
            }
        }
    }
}

async fn line(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let byte = timeout(LONG, io.read_u8()).await.expect("no answer");
        line.push(byte.expect("closed"));
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

async fn rest(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut rest = String::new();
    timeout(LONG, io.read_to_string(&mut rest))
        .await
        .unwrap()
        .unwrap();
    rest
}

async fn send(io: &mut (impl AsyncWrite + Unpin), text: &str) {
    io.write_all(text.as_bytes()).await.unwrap();
    io.flush().await.unwrap();
}

fn tcp_of(fd: OwnedFd) -> TcpStream {
    let stream = std::net::TcpStream::from(fd);
    stream.set_nonblocking(true).unwrap();
    TcpStream::from_std(stream).unwrap()
}

fn unix_of(fd: OwnedFd) -> UnixStream {
    let stream = std::os::unix::net::UnixStream::from(fd);
    stream.set_nonblocking(true).unwrap();
    UnixStream::from_std(stream).unwrap()
}

#[tokio::test]
async fn a_clear_connection_is_handed_over_itself() {
    let mut gate = Gate::start().await;
    let mut client = gate.clear().await;
    assert!(line(&mut client).await.contains("Roost IMAP server"));
    send(&mut client, "a LOGIN alice secret\r\nb SELECT inbox\r\n").await;
    let (handover, fd) = gate.grant().await;
    assert_eq!((handover.tag.as_str(), handover.tls), ("a", None));
    assert_eq!(handover.leftover.0, b"b SELECT inbox\r\n");
    assert_eq!(handover.endpoints.remote, client.local_addr().unwrap());
    let mut worker = tcp_of(fd);
    gate.tell(SupervisorToGate::HandoverDone(handover.session))
        .await;
    send(&mut worker, "a OK Logged in\r\n").await;
    assert_eq!(line(&mut client).await, "a OK Logged in");
    send(&mut client, "c NOOP\r\n").await;
    assert_eq!(line(&mut worker).await, "c NOOP");
    // Only the worker holds it now: its end is the connection's.
    drop(worker);
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn a_tls_connection_is_relayed() {
    let mut gate = Gate::start().await;
    let mut client = gate.tls().await;
    line(&mut client).await;
    send(&mut client, "a LOGIN alice secret\r\n").await;
    let (handover, fd) = gate.grant().await;
    assert_eq!(handover.tls.unwrap().version, "TLSv1.3");
    let mut worker = unix_of(fd);
    // Written before the relay begins.
    send(&mut worker, "a OK Logged in\r\n").await;
    gate.tell(SupervisorToGate::HandoverDone(handover.session))
        .await;
    assert_eq!(line(&mut client).await, "a OK Logged in");
    let big = "x".repeat(500_000);
    let (_, got) = tokio::join!(send(&mut client, &big), async {
        let mut got = vec![0; big.len()];
        worker.read_exact(&mut got).await.unwrap();
        got
    });
    assert!(got == big.as_bytes());
    send(&mut client, "b LOGOUT\r\n").await;
    assert_eq!(line(&mut worker).await, "b LOGOUT");
    send(&mut worker, "* BYE\r\nb OK\r\n").await;
    drop(worker);
    // With a close_notify: without one this is an error.
    assert_eq!(rest(&mut client).await, "* BYE\r\nb OK\r\n");
}

#[tokio::test]
async fn starttls_and_then_a_login() {
    let mut gate = Gate::start().await;
    let mut tcp = gate.clear().await;
    assert!(line(&mut tcp).await.contains("STARTTLS"));
    send(&mut tcp, "a STARTTLS\r\n").await;
    assert!(line(&mut tcp).await.starts_with("a OK"));
    let mut client = gate.wrap(tcp).await;
    send(&mut client, "b CAPABILITY\r\n").await;
    let names = line(&mut client).await;
    assert!(
        !names.contains("STARTTLS") && names.contains("AUTH=SCRAM-SHA-256-PLUS"),
        "{names}"
    );
    line(&mut client).await;
    send(&mut client, "c AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\n").await;
    let start = gate.attempt().await;
    assert!(start.plus_offered);
    assert!(start.tls.unwrap().binding.exporter.is_some());
}

#[tokio::test]
async fn a_refused_handover_is_told_to_the_client() {
    for (reason, code) in [
        (Refusal::TooManyConnections, "LIMIT"),
        (Refusal::NoGrant, "UNAVAILABLE"),
    ] {
        let mut gate = Gate::start().await;
        let mut client = gate.tls().await;
        line(&mut client).await;
        send(&mut client, "a LOGIN alice secret\r\n").await;
        let (handover, _fd) = gate.grant().await;
        let session = handover.session;
        let failure = HandoverFailure { session, reason };
        gate.tell(SupervisorToGate::HandoverFailed(failure)).await;
        let answer = rest(&mut client).await;
        assert!(answer.starts_with(&format!("a NO [{code}]")), "{answer}");
    }
}

#[tokio::test]
async fn failed_logins_are_logged_for_filters() {
    let mut gate = Gate::start().await;
    let mut client = gate.tls().await;
    line(&mut client).await;
    send(&mut client, "a LOGIN \"al<ice\" wrong\r\n").await;
    let session = gate.attempt().await.session;
    let reason = AuthFailure::Credentials;
    gate.decide(session, AuthResult::Failed { reason }).await;
    assert!(
        line(&mut client)
            .await
            .starts_with("a NO [AUTHENTICATIONFAILED]")
    );
    drop(client);
    let record = gate.logged("imap-login").await;
    assert_eq!(record.level, LogLevel::Failures);
    let expected = "user=<al\\x3cice>, method=LOGIN, rip=127.0.0.1, lip=127.0.0.1, TLS, \
                    session=<IMAP-00100>";
    assert!(
        record
            .text
            .starts_with("imap-login: Disconnected (auth failed, 1 attempts in ")
    );
    assert!(record.text.ends_with(expected), "{}", record.text);
}

#[tokio::test]
async fn connections_beyond_the_limit_hear_so() {
    let mut gate = Gate::with(|s| s.limits.max_connections = 1).await;
    let mut first = gate.clear().await;
    line(&mut first).await;
    let words = "* BYE [UNAVAILABLE] too many connections, try again later\r\n";
    assert_eq!(rest(&mut gate.clear().await).await, words);
    assert_eq!(rest(&mut gate.tls().await).await, words);
    // A session that was handed over still counts, until it has ended.
    send(&mut first, "a LOGIN alice secret\r\n").await;
    let (handover, _worker) = gate.grant().await;
    gate.tell(SupervisorToGate::HandoverDone(handover.session))
        .await;
    assert_eq!(rest(&mut gate.clear().await).await, words);
    gate.tell(SupervisorToGate::SessionEnded(handover.session))
        .await;
    let mut greeted = false;
    for _ in 0..100 {
        greeted = line(&mut gate.clear().await).await.starts_with("* OK");
        if greeted {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(greeted);
}

#[tokio::test]
async fn a_proxy_says_whose_connection_it_is() {
    let mut gate = Gate::with(|s| {
        s.proxies = vec!["127.0.0.0/8".parse().unwrap()];
        s.trusted_networks.clear();
        s.limits.max_connections_per_ip = 1;
    })
    .await;
    let header = |client: &str| format!("PROXY TCP4 {client} 192.0.2.1 4711 993\r\n");
    // Not one octet behind the header is taken from the handshake.
    let mut tcp = gate.raw(1).await;
    send(&mut tcp, &header("203.0.113.9")).await;
    let mut client = gate.wrap(tcp).await;
    assert!(line(&mut client).await.starts_with("* OK"));
    send(&mut client, "a LOGIN alice secret\r\n").await;
    let start = gate.attempt().await;
    assert_eq!(start.endpoints.remote, "203.0.113.9:4711".parse().unwrap());
    assert_eq!(start.endpoints.local, "192.0.2.1:993".parse().unwrap());
    // Limits are those of the address that was named.
    let mut same = gate.raw(0).await;
    send(&mut same, &header("203.0.113.9")).await;
    assert!(rest(&mut same).await.starts_with("* BYE [UNAVAILABLE]"));
    let mut other = gate.raw(0).await;
    send(&mut other, &header("203.0.113.10")).await;
    assert!(line(&mut other).await.contains("LOGINDISABLED"));
    // Without a header there is no service.
    let mut without = gate.raw(0).await;
    send(&mut without, "a LOGIN alice secret\r\n").await;
    let mut sink = Vec::new();
    // What was not read may reset the connection.
    let _ = without.read_to_end(&mut sink).await;
    assert_eq!(sink, b"");
    gate.logged("refused: no PROXY header").await;
}

#[tokio::test]
async fn a_header_from_elsewhere_is_a_bad_command() {
    let mut gate = Gate::with(|s| s.proxies = vec!["192.0.2.0/24".parse().unwrap()]).await;
    let mut client = gate.clear().await;
    line(&mut client).await;
    let forged = "PROXY TCP4 203.0.113.9 192.0.2.1 4711 143\r\na LOGIN alice secret\r\n";
    send(&mut client, forged).await;
    assert!(line(&mut client).await.starts_with("PROXY BAD"));
    let start = gate.attempt().await;
    assert!(start.endpoints.remote.ip().is_loopback());
}

#[tokio::test]
async fn a_reload_changes_certificates_and_keeps_connections() {
    let mut gate = Gate::start().await;
    let mut old = gate.tls().await;
    line(&mut old).await;
    gate.setup.tls.as_mut().unwrap().certificates = vec![certificate()];
    gate.setup.sessions = None;
    gate.send_setup().await;
    assert_eq!(gate.says().await.0, GateToSupervisor::Ready);
    // Verified against the new one.
    let mut new = gate.tls().await;
    line(&mut new).await;
    send(&mut old, "a NOOP\r\n").await;
    assert!(line(&mut old).await.starts_with("a OK"));

    let good = gate.setup.clone();
    gate.setup.tls.as_mut().unwrap().certificates[0].key = Secret::new(b"junk".to_vec());
    gate.send_setup().await;
    assert!(matches!(
        gate.says().await.0,
        GateToSupervisor::SetupRejected(_)
    ));
    gate.setup = good;
    line(&mut gate.tls().await).await;
}

#[tokio::test]
async fn a_new_auth_takes_the_place_of_one_that_died() {
    let mut gate = Gate::start().await;
    let mut client = gate.clear().await;
    line(&mut client).await;
    send(&mut client, "a LOGIN alice secret\r\n").await;
    gate.attempt().await;
    let (ours, theirs) = pair();
    gate.auth = Channel::new(ours).unwrap();
    assert!(line(&mut client).await.starts_with("a NO [UNAVAILABLE]"));
    assert_eq!(gate.says().await.0, GateToSupervisor::AuthLost);
    let peer = SupervisorToGate::AuthPeer;
    gate.supervisor
        .send(&peer, &[theirs.as_fd()])
        .await
        .unwrap();
    drop(theirs);
    // Messages are taken in order: behind this one the new auth is known.
    gate.send_setup().await;
    assert_eq!(gate.says().await.0, GateToSupervisor::Ready);
    // For all the gate knows, the new one has the request.
    let first = timeout(LONG, gate.auth.recv()).await.unwrap().unwrap();
    assert!(matches!(first, Some((GateToAuth::Cancel(_), _))));
    send(&mut client, "b LOGIN alice secret\r\n").await;
    let (handover, _fd) = gate.grant().await;
    assert_eq!(handover.tag, "b");
}

#[tokio::test]
async fn shutdown_says_bye_and_waits_for_relays() {
    let mut gate = Gate::start().await;
    let mut waiting = gate.clear().await;
    line(&mut waiting).await;
    let mut client = gate.tls().await;
    line(&mut client).await;
    send(&mut client, "a LOGIN alice secret\r\n").await;
    let (handover, fd) = gate.grant().await;
    gate.tell(SupervisorToGate::HandoverDone(handover.session))
        .await;
    let mut worker = unix_of(fd);
    gate.tell(SupervisorToGate::Shutdown(LONG)).await;
    assert_eq!(
        rest(&mut waiting).await,
        "* BYE [UNAVAILABLE] server shutting down\r\n"
    );
    drop(waiting);
    send(&mut worker, "* BYE from the worker\r\n").await;
    drop(worker);
    assert_eq!(rest(&mut client).await, "* BYE from the worker\r\n");
    drop(client);
    let mut child = std::mem::replace(
        &mut gate.child,
        Spawn::new("/bin/true", "true").spawn().unwrap(),
    );
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap());
    assert!(timeout(LONG, status).await.unwrap().unwrap().success());
}

#[tokio::test]
async fn a_login_on_its_way_hears_its_end_during_the_shutdown() {
    let mut gate = Gate::start().await;
    let mut client = gate.clear().await;
    line(&mut client).await;
    send(&mut client, "a LOGIN alice secret\r\n").await;
    let (handover, _worker) = gate.grant().await;
    gate.tell(SupervisorToGate::Shutdown(Duration::from_secs(3600)))
        .await;
    let reason = Refusal::ShuttingDown;
    let failure = HandoverFailure {
        session: handover.session,
        reason,
    };
    gate.tell(SupervisorToGate::HandoverFailed(failure)).await;
    let words = rest(&mut client).await;
    assert!(
        words.starts_with("a NO [UNAVAILABLE] Server shutting down"),
        "{words}"
    );
}

#[tokio::test]
async fn a_broken_handshake_is_logged() {
    let mut gate = Gate::start().await;
    let mut client = TcpStream::connect(gate.address(true)).await.unwrap();
    send(&mut client, "GET / HTTP/1.0\r\n\r\n").await;
    let record = gate.logged("TLS handshake failed").await;
    assert!(record.text.contains("no auth attempts"), "{}", record.text);
}

#[tokio::test]
async fn a_kicked_relay_ends() {
    let mut gate = Gate::start().await;
    let mut client = gate.tls().await;
    line(&mut client).await;
    send(&mut client, "a LOGIN alice secret\r\n").await;
    let (handover, fd) = gate.grant().await;
    gate.tell(SupervisorToGate::HandoverDone(handover.session))
        .await;
    let mut worker = unix_of(fd);
    send(&mut worker, "a OK\r\n").await;
    line(&mut client).await;
    gate.tell(SupervisorToGate::Kick(handover.session)).await;
    let mut byte = [0];
    assert_eq!(
        timeout(LONG, worker.read(&mut byte))
            .await
            .unwrap()
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn as_root_it_is_confined() {
    let gate = Gate::start().await;
    if !identity::is_root() {
        return;
    }
    let of = |name: &str| format!("/proc/{}/{name}", gate.child.pid());
    let status = std::fs::read_to_string(of("status")).unwrap();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|l| l.strip_prefix(name))
            .unwrap()
            .trim()
    };
    assert_eq!(
        field("Uid:").split_whitespace().collect::<Vec<_>>(),
        ["65534"; 4]
    );
    assert_eq!(
        field("Gid:").split_whitespace().collect::<Vec<_>>(),
        ["65534"; 4]
    );
    assert_eq!((field("Groups:"), field("NoNewPrivs:")), ("", "1"));
    assert_eq!(field("CapEff:").trim_matches('0'), "");
    assert_eq!(std::fs::read_link(of("root")).unwrap(), gate.root.path());
    // Of every thread.
    for task in std::fs::read_dir(of("task")).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        assert!(status.contains("NoNewPrivs:\t1") && status.contains("Uid:\t65534"));
    }
}

/// Octets of memory that the process holds.
fn resident(gate: &Gate) -> usize {
    let path = format!("/proc/{}/statm", gate.child.pid());
    let statm = std::fs::read_to_string(path).unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::test]
async fn an_idle_relay_costs_little() {
    const MOST: usize = 24 * 1024;
    let mut gate = Gate::with(|s| s.limits.max_connections = 2000).await;
    let mut held = Vec::new();
    let mut sizes = Vec::new();
    for round in 0..2 {
        for _ in 0..200 {
            let mut client = gate.tls().await;
            line(&mut client).await;
            send(&mut client, "a LOGIN alice secret\r\n").await;
            let (handover, fd) = gate.grant().await;
            let mut worker = unix_of(fd);
            gate.tell(SupervisorToGate::HandoverDone(handover.session))
                .await;
            // Some traffic first, as every session has.
            send(&mut worker, &"x".repeat(40_000)).await;
            client.read_exact(&mut vec![0; 40_000]).await.unwrap();
            held.push((client, worker));
        }
        sizes.push(resident(&gate));
        assert_eq!(held.len(), (round + 1) * 200);
    }
    let each = (sizes[1] - sizes[0].min(sizes[1])) / 200;
    assert!(each < MOST, "{each} octets for each connection");
}
