//! The gate with a supervisor, an auth and a log reader that a test plays. What
//! must stay true: it ends with its test, and every wait has a limit.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use roost_ipc::log::LogRecord;
use roost_ipc::{
    AuthOutcome, AuthResult, AuthStart, AuthToGate, Bytes, Certificate, Channel, Confinement,
    GateLimits, GateSetup, GateToAuth, GateToSupervisor, Handover, Listener, LogLevel, LogStyle,
    Mechanism, Receiver, Secret, SessionBlock, SupervisorToGate, TlsSetup, TlsVersion,
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

pub const LONG: Duration = Duration::from_secs(20);
const HOST: &str = "mail.example";

/// The gate with all that is around it.
pub struct Gate {
    pub supervisor: Channel<SupervisorToGate, GateToSupervisor>,
    pub auth: Channel<AuthToGate, GateToAuth>,
    pub log: Receiver<LogRecord>,
    pub child: Child,
    pub sockets: Vec<StdListener>,
    pub setup: GateSetup,
    pub root: tempfile::TempDir,
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn certificate() -> Certificate {
    let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).unwrap();
    Certificate {
        names: Vec::new(),
        chain: Bytes(made.cert.pem().into_bytes()),
        key: Secret::new(made.signing_key.serialize_pem().into_bytes()),
    }
}

pub fn setup() -> GateSetup {
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

pub fn pair() -> (OwnedFd, OwnedFd) {
    fdpass::seqpacket_pair().unwrap()
}

impl Gate {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With one clear and one TLS listener; confined as root confines it.
    pub async fn with(change: fn(&mut GateSetup)) -> Self {
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

    pub async fn send_setup(&mut self) {
        let fds: Vec<_> = self.sockets.iter().map(AsFd::as_fd).collect();
        let message = SupervisorToGate::Setup(self.setup.clone());
        self.supervisor.send(&message, &fds).await.unwrap();
    }

    pub async fn tell(&mut self, message: SupervisorToGate) {
        self.supervisor.send(&message, &[]).await.unwrap();
    }

    pub async fn says(&mut self) -> (GateToSupervisor, Vec<OwnedFd>) {
        let said = timeout(LONG, self.supervisor.recv()).await;
        said.expect("the gate says nothing").unwrap().unwrap()
    }

    pub async fn attempt(&mut self) -> AuthStart {
        let asked = timeout(LONG, self.auth.recv()).await;
        match asked.expect("auth is not asked").unwrap().unwrap().0 {
            GateToAuth::Start(start) => start,
            other => panic!("{other:?}"),
        }
    }

    pub async fn decide(&mut self, session: SessionId, result: AuthResult) {
        let outcome = AuthToGate::Outcome(AuthOutcome { session, result });
        self.auth.send(&outcome, &[]).await.unwrap();
    }

    /// Grants the login under way, and takes the connection.
    pub async fn grant(&mut self) -> (Handover, OwnedFd) {
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

    /// A client logs in and is granted it.
    pub async fn login(
        &mut self,
        client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> (Handover, OwnedFd) {
        line(client).await;
        send(client, "a LOGIN alice secret\r\n").await;
        self.grant().await
    }

    /// The worker has the session.
    pub async fn done(&mut self, session: SessionId) {
        self.tell(SupervisorToGate::HandoverDone(session)).await;
    }

    /// A client with TLS and its worker, with the gate between them.
    pub async fn relayed(&mut self) -> (TlsStream<TcpStream>, UnixStream, Handover) {
        let mut client = self.tls().await;
        let (handover, fd) = self.login(&mut client).await;
        self.done(handover.session).await;
        (client, unix_of(fd), handover)
    }

    pub fn address(&self, tls: bool) -> SocketAddr {
        self.sockets[usize::from(tls)].local_addr().unwrap()
    }

    pub async fn clear(&self) -> TcpStream {
        TcpStream::connect(self.address(false)).await.unwrap()
    }

    /// To the clear or the TLS listener (1), as bare TCP.
    pub async fn raw(&self, listener: usize) -> TcpStream {
        TcpStream::connect(self.address(listener == 1))
            .await
            .unwrap()
    }

    pub fn connector(&self) -> TlsConnector {
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

    pub async fn wrap(&self, tcp: TcpStream) -> TlsStream<TcpStream> {
        let name = ServerName::try_from(HOST).unwrap();
        self.connector().connect(name, tcp).await.unwrap()
    }

    pub async fn tls(&self) -> TlsStream<TcpStream> {
        self.wrap(TcpStream::connect(self.address(true)).await.unwrap())
            .await
    }

    /// The next record of the log that holds `text`.
    pub async fn logged(&mut self, text: &str) -> LogRecord {
        loop {
            let record = timeout(LONG, self.log.recv()).await;
            let record = record.expect("nothing logged").unwrap().unwrap().0;
            if record.text.contains(text) {
                return record;
            }
        }
    }
}

pub async fn line(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let byte = timeout(LONG, io.read_u8()).await.expect("no answer");
        line.push(byte.expect("closed"));
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

pub async fn rest(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut rest = String::new();
    timeout(LONG, io.read_to_string(&mut rest))
        .await
        .unwrap()
        .unwrap();
    rest
}

pub async fn send(io: &mut (impl AsyncWrite + Unpin), text: &str) {
    io.write_all(text.as_bytes()).await.unwrap();
    io.flush().await.unwrap();
}

pub fn tcp_of(fd: OwnedFd) -> TcpStream {
    let stream = std::net::TcpStream::from(fd);
    stream.set_nonblocking(true).unwrap();
    TcpStream::from_std(stream).unwrap()
}

pub fn unix_of(fd: OwnedFd) -> UnixStream {
    let stream = std::os::unix::net::UnixStream::from(fd);
    stream.set_nonblocking(true).unwrap();
    UnixStream::from_std(stream).unwrap()
}
