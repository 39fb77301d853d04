//! Greets each client with its tag, account and the worker's pid, and obeys
//! `quit`, `die`, `hang`, `share IDENTIFIER`, `shares`, `speak ACCOUNT`, `open
//! ~OWNER`, `drop links`, `leave ~OWNER`, which is to open a link and end,
//! `unanswered requests`, and `forge SESSION`, which is to open a link for that session. What
//! is said behind `via` goes over the last link that was opened, on which it is
//! greeted with the asker's name, group and the session's number. `nomail` takes
//! no link.

use std::collections::HashMap;
use std::net::TcpStream as StdStream;
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use roost_ipc::{
    Channel, ControlReply, Doing, Doings, EndReason, ForeignOpened, ForeignResult, OpenForeign,
    Refusal, Sender, Session, SessionCounts, SessionEnd, SessionRefusal, Shares, SharesFound,
    SharesWanted, SupervisorToWorker, WorkerToSupervisor,
};
use roost_types::SessionId;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};

/// Set by `hang`: orders to end are not followed any more.
static HANGS: AtomicBool = AtomicBool::new(false);

/// Who waits for the answer to which request.
static ASKED: Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>> = Mutex::new(None);
static LAST: AtomicU64 = AtomicU64::new(0);

enum Answer {
    Link(ForeignResult, Option<OwnedFd>),
    Shares(Vec<String>),
}

fn ask() -> (u64, oneshot::Receiver<Answer>) {
    let (sender, receiver) = oneshot::channel();
    let request = LAST.fetch_add(1, Ordering::Relaxed);
    let mut asked = ASKED.lock().unwrap();
    asked.get_or_insert_default().insert(request, sender);
    (request, receiver)
}

fn answer(request: u64, answer: Answer) {
    let mut asked = ASKED.lock().unwrap();
    let sender = asked.get_or_insert_default().remove(&request).unwrap();
    let _ = sender.send(answer);
}

pub fn run() {
    super::serve(
        |mut supervisor: Channel<WorkerToSupervisor, SupervisorToWorker>| async move {
            let (end, ending) = watch::channel(false);
            let (reports, mut inbox) = mpsc::channel(16);
            let mut sessions = 0;
            let mut patience = Duration::MAX;
            loop {
                let idle = if sessions == 0 {
                    patience
                } else {
                    Duration::from_secs(3600)
                };
                tokio::select! {
                    order = supervisor.recv() => match order.unwrap() {
                        Some((SupervisorToWorker::Setup(setup), _)) => {
                            patience = setup.limits.worker_idle;
                            supervisor.send(&WorkerToSupervisor::Ready, &[]).await.unwrap();
                        }
                        Some((SupervisorToWorker::Session(session), _))
                            if session.account == "nomail" && session.asker.is_some() =>
                        {
                            let refusal = SessionRefusal {
                                session: session.session,
                                reason: Refusal::NoMail,
                            };
                            let refused = WorkerToSupervisor::SessionRefused(refusal);
                            supervisor.send(&refused, &[]).await.unwrap();
                        }
                        Some((SupervisorToWorker::ForeignOpened(opened), mut fds)) => {
                            let ForeignOpened { request, result } = opened;
                            answer(request, Answer::Link(result, fds.pop()));
                        }
                        Some((SupervisorToWorker::SharesFound(found), _)) => {
                            let SharesFound { request, owners } = found;
                            answer(request, Answer::Shares(owners));
                        }
                        Some((SupervisorToWorker::Session(session), mut fds)) => {
                            sessions += 1;
                            let started = WorkerToSupervisor::SessionStarted(session.session);
                            supervisor.send(&started, &[]).await.unwrap();
                            let stream = StdStream::from(fds.remove(0));
                            tokio::spawn(serve(session, stream, ending.clone(), reports.clone()));
                        }
                        Some((SupervisorToWorker::Shutdown(_), _)) => {
                            end.send_replace(true);
                            if sessions == 0 && !HANGS.load(Ordering::Relaxed) { return }
                        }
                        Some((SupervisorToWorker::Kick(_), _)) => {}
                        Some((SupervisorToWorker::Stats(_) | SupervisorToWorker::Alerts(_) | SupervisorToWorker::Traced(_), _)) => {}
                        // Answers of others' sessions, and never to the end.
                        Some((SupervisorToWorker::Who(request), _)) => {
                            let doing = |session| Doing {
                                session: SessionId(session),
                                status: "lying".into(),
                                running: None,
                                show_all: true,
                            };
                            let doings = (0..100).map(doing).collect();
                            let doings = Doings { request, doings, last: false };
                            let told = WorkerToSupervisor::Doings(doings);
                            supervisor.send(&told, &[]).await.unwrap();
                        }
                        Some((SupervisorToWorker::Maintain(_), mut fds)) => {
                            let mut asker = Sender::new(fds.remove(0)).unwrap();
                            asker.send(&ControlReply::Done, &[]).await.unwrap();
                        }
                        Some((SupervisorToWorker::Stop, _)) if HANGS.load(Ordering::Relaxed) => {}
                        Some((SupervisorToWorker::Stop, _)) | None => return,
                    },
                    Some(report) = inbox.recv() => {
                        if let WorkerToSupervisor::SessionEnded(_) = report {
                            sessions -= 1;
                        }
                        supervisor.send(&report, &[]).await.unwrap();
                        if *ending.borrow() && sessions == 0 && !HANGS.load(Ordering::Relaxed) { return }
                    }
                    () = tokio::time::sleep(idle) => {
                        supervisor.send(&WorkerToSupervisor::Idle, &[]).await.unwrap();
                    }
                }
            }
        },
    );
}

async fn serve(
    session: Session,
    stream: StdStream,
    mut ending: watch::Receiver<bool>,
    reports: mpsc::Sender<WorkerToSupervisor>,
) {
    stream.set_nonblocking(true).unwrap();
    let mut stream = BufReader::new(TcpStream::from_std(stream).unwrap());
    let greeting = match &session.asker {
        None => format!(
            "{} OK {} {}\n",
            session.tag,
            session.account,
            std::process::id()
        ),
        Some(asker) => format!(
            "{} for {} of {} as {} tag <{}> session {}\n",
            session.account,
            asker.account,
            asker.groups.join(","),
            asker.shown,
            session.tag,
            session.session.0
        ),
    };
    let mut links = Vec::new();
    stream.write_all(greeting.as_bytes()).await.unwrap();
    let reason = loop {
        let mut line = String::new();
        tokio::select! {
            read = stream.read_line(&mut line) => match (read, line.trim_end()) {
                (Ok(0) | Err(_), _) => break EndReason::Disconnected,
                (_, "quit") => break EndReason::Logout,
                (_, "die") => std::process::abort(),
                (_, leave) if leave.starts_with("leave ") => {
                    // Nobody waits for the answer.
                    let (request, _) = ask();
                    let wish = WorkerToSupervisor::OpenForeign(OpenForeign {
                        request,
                        session: session.session,
                        shown: leave["leave ".len()..].to_owned(),
                        alias: None,
                    });
                    reports.send(wish).await.unwrap();
                    break EndReason::Logout;
                }
                (_, "hang") => HANGS.store(true, Ordering::Relaxed),
                (_, other) if other.contains(' ') || other == "shares" => {
                    let said = obey(&session, &reports, &mut links, other).await;
                    stream.write_all(format!("{said}\n").as_bytes()).await.unwrap();
                }
                (_, other) => stream.write_all(format!("{other}\n").as_bytes()).await.unwrap(),
            },
            _ = ending.changed() => {
                stream.write_all(b"* BYE\n").await.unwrap();
                break EndReason::Shutdown;
            }
        }
    };
    drop(stream);
    let end = SessionEnd {
        session: session.session,
        reason,
        counts: SessionCounts {
            bytes_in: 7,
            bytes_out: 11,
            ..SessionCounts::default()
        },
    };
    reports
        .send(WorkerToSupervisor::SessionEnded(end))
        .await
        .unwrap();
}

/// A command of more than one word, or a question; returns the answer.
async fn obey(
    session: &Session,
    reports: &mpsc::Sender<WorkerToSupervisor>,
    links: &mut Vec<BufReader<TcpStream>>,
    line: &str,
) -> String {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let shares = |account: &str, identifier: &str| {
        WorkerToSupervisor::Shares(Shares {
            account: account.into(),
            identifiers: vec![identifier.into()],
        })
    };
    match word {
        "share" => {
            reports.send(shares(&session.account, rest)).await.unwrap();
            "shared".into()
        }
        "speak" => {
            reports.send(shares(rest, "anyone")).await.unwrap();
            "spoken".into()
        }
        "shares" => {
            let (request, waiting) = ask();
            let session = session.session;
            let wanted = SharesWanted { request, session };
            let wanted = WorkerToSupervisor::SharesWanted(wanted);
            reports.send(wanted).await.unwrap();
            match waiting.await.unwrap() {
                Answer::Shares(owners) => owners.join(" "),
                Answer::Link(..) => panic!("a link"),
            }
        }
        "open" | "forge" => {
            let (request, waiting) = ask();
            let (session, shown) = match word {
                "open" => (session.session, rest.to_owned()),
                _ => (SessionId(rest.parse().unwrap()), "~bob".to_owned()),
            };
            let wish = OpenForeign {
                request,
                session,
                shown,
                alias: None,
            };
            let wish = WorkerToSupervisor::OpenForeign(wish);
            reports.send(wish).await.unwrap();
            let Answer::Link(result, fd) = waiting.await.unwrap() else {
                panic!("no link");
            };
            let Some(fd) = fd else {
                return format!("{result:?}");
            };
            let stream = StdStream::from(fd);
            stream.set_nonblocking(true).unwrap();
            let mut opened = BufReader::new(TcpStream::from_std(stream).unwrap());
            let mut greeting = String::new();
            opened.read_line(&mut greeting).await.unwrap();
            links.push(opened);
            format!("{result:?}: {}", greeting.trim_end())
        }
        "unanswered" => {
            let asked = ASKED.lock().unwrap();
            asked.as_ref().map_or(0, HashMap::len).to_string()
        }
        "drop" => {
            links.clear();
            "dropped".into()
        }
        "via" => {
            let link = links.last_mut().unwrap();
            let _ = link.write_all(format!("{rest}\n").as_bytes()).await;
            let mut said = String::new();
            match link.read_line(&mut said).await {
                Ok(1..) => said.trim_end().to_owned(),
                _ => "the link has ended".into(),
            }
        }
        _ => line.to_owned(),
    }
}
