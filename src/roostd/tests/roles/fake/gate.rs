//! Takes connections and one line from each: `login NAME`, `steal` (a
//! handover without a grant), `garbage`, `exit`.

use std::collections::HashMap;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};

use roost_ipc::{
    AuthMethod, AuthStart, AuthToGate, Bytes, Channel, Endpoints, GateToAuth, GateToSupervisor,
    Handover, Secret, SupervisorToGate,
};
use roost_types::SessionId;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

type Supervisor = Channel<GateToSupervisor, SupervisorToGate>;
type Auth = Channel<GateToAuth, AuthToGate>;

pub fn run() {
    super::serve(|supervisor: Supervisor| async move {
        let (lines, inbox) = mpsc::channel(16);
        Gate {
            supervisor,
            auth: Some(Auth::new(super::inherited(5)).unwrap()),
            clients: HashMap::new(),
            next: 0,
            lines,
            accepting: Vec::new(),
        }
        .serve(inbox)
        .await;
    });
}

type Line = (String, TcpStream);

struct Gate {
    supervisor: Supervisor,
    auth: Option<Auth>,
    clients: HashMap<SessionId, TcpStream>,
    next: u64,
    lines: mpsc::Sender<Line>,
    accepting: Vec<tokio::task::JoinHandle<()>>,
}

impl Gate {
    async fn serve(mut self, mut inbox: mpsc::Receiver<Line>) {
        loop {
            tokio::select! {
                order = self.supervisor.recv() => match order.unwrap() {
                    Some((order, fds)) => if self.obey(order, fds).await { return },
                    None => return,
                },
                answer = next(&mut self.auth) => self.answered(answer).await,
                Some((line, stream)) = inbox.recv() => self.told(&line, stream).await,
            }
        }
    }

    /// True at the end.
    async fn obey(&mut self, order: SupervisorToGate, mut fds: Vec<OwnedFd>) -> bool {
        match order {
            SupervisorToGate::Setup(setup) => {
                if let Some(block) = setup.sessions {
                    self.next = block.first.0;
                }
                self.accepting.drain(..).for_each(|task| task.abort());
                for fd in fds {
                    self.accepting
                        .push(tokio::spawn(accept(fd, self.lines.clone())));
                }
                self.supervisor
                    .send(&GateToSupervisor::Ready, &[])
                    .await
                    .unwrap();
            }
            SupervisorToGate::AuthPeer => self.auth = Some(Auth::new(fds.remove(0)).unwrap()),
            SupervisorToGate::HandoverDone(session) => {
                self.clients.remove(&session);
            }
            SupervisorToGate::HandoverFailed(failure) => {
                if let Some(mut stream) = self.clients.remove(&failure.session) {
                    let text = format!("NO {:?}\n", failure.reason);
                    stream.write_all(text.as_bytes()).await.unwrap();
                }
            }
            SupervisorToGate::Shutdown(_) => return true,
            SupervisorToGate::Sessions(_)
            | SupervisorToGate::SessionEnded(_)
            | SupervisorToGate::Who(_)
            | SupervisorToGate::Stats(_)
            | SupervisorToGate::Kick(_) => {}
        }
        false
    }

    async fn told(&mut self, line: &str, stream: TcpStream) {
        let session = SessionId(self.next);
        self.next += 1;
        let endpoints = endpoints(&stream);
        match line.split_once(' ') {
            Some(("login", user)) => {
                self.clients.insert(session, stream);
                let start = AuthStart {
                    session,
                    method: AuthMethod::Login {
                        user: Secret::from(user.as_bytes()),
                        password: Secret::default(),
                    },
                    endpoints,
                    tls: None,
                    plus_offered: false,
                };
                if let Some(auth) = &mut self.auth {
                    let _ = auth.send(&GateToAuth::Start(start), &[]).await;
                }
            }
            _ if line == "steal" => {
                self.clients.insert(session, stream);
                self.hand_over(session).await;
            }
            _ if line == "garbage" => {
                roost_os::fdpass::send(super::RAW_CONTROL.get().unwrap(), &[0, 200, 1], &[])
                    .unwrap();
            }
            _ => std::process::exit(3),
        }
    }

    async fn answered(&mut self, answer: Option<AuthToGate>) {
        match answer {
            Some(AuthToGate::Outcome(outcome)) => self.hand_over(outcome.session).await,
            Some(other) => panic!("unexpected {other:?}"),
            None => {
                self.auth = None;
                self.supervisor
                    .send(&GateToSupervisor::AuthLost, &[])
                    .await
                    .unwrap();
            }
        }
    }

    async fn hand_over(&mut self, session: SessionId) {
        let Some(stream) = self.clients.get(&session) else {
            return;
        };
        let handover = Handover {
            session,
            tag: "t".into(),
            leftover: Bytes(vec![]),
            endpoints: endpoints(stream),
            tls: None,
        };
        let message = GateToSupervisor::Handover(handover);
        self.supervisor
            .send(&message, &[stream.as_fd()])
            .await
            .unwrap();
    }
}

async fn next(auth: &mut Option<Auth>) -> Option<AuthToGate> {
    match auth {
        Some(auth) => auth.recv().await.unwrap().map(|(answer, _)| answer),
        None => std::future::pending().await,
    }
}

async fn accept(fd: OwnedFd, lines: mpsc::Sender<Line>) {
    let listener = tokio::net::TcpListener::from_std(TcpListener::from(fd)).unwrap();
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut line = String::new();
        BufReader::new(&mut stream)
            .read_line(&mut line)
            .await
            .unwrap();
        lines
            .send((line.trim_end().to_owned(), stream))
            .await
            .unwrap();
    }
}

fn endpoints(stream: &TcpStream) -> Endpoints {
    Endpoints {
        remote: stream.peer_addr().unwrap(),
        local: stream.local_addr().unwrap(),
    }
}
