//! Greets each client with its tag, account and the worker's pid, and obeys
//! `quit`, `die` and `hang`.

use std::net::TcpStream as StdStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use roost_ipc::{
    Channel, ControlReply, EndReason, Sender, Session, SessionCounts, SessionEnd,
    SupervisorToWorker, WorkerToSupervisor,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

/// Set by `hang`: orders to end are not followed any more.
static HANGS: AtomicBool = AtomicBool::new(false);

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
                        Some((SupervisorToWorker::Maintain(_), mut fds)) => {
                            let mut asker = Sender::new(fds.remove(0)).unwrap();
                            asker.send(&ControlReply::Done, &[]).await.unwrap();
                        }
                        Some((SupervisorToWorker::Stop, _)) | None => return,
                    },
                    Some(report) = inbox.recv() => {
                        sessions -= 1;
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
    let greeting = format!(
        "{} OK {} {}\n",
        session.tag,
        session.account,
        std::process::id()
    );
    stream.write_all(greeting.as_bytes()).await.unwrap();
    let reason = loop {
        let mut line = String::new();
        tokio::select! {
            read = stream.read_line(&mut line) => match (read, line.trim_end()) {
                (Ok(0) | Err(_), _) => break EndReason::Disconnected,
                (_, "quit") => break EndReason::Logout,
                (_, "die") => std::process::abort(),
                (_, "hang") => HANGS.store(true, Ordering::Relaxed),
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
