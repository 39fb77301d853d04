//! The supervisor's end of a child's sockets, as queues: what children say
//! comes as events in one place, and what is said to them never makes the
//! supervisor wait, so that no child can hold up another.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use roost_ipc::log::LogRecord;
use roost_ipc::{Channel, Message, Receiver, Sender};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Messages that may wait for one child. One that is this far behind has
/// stopped reading.
const QUEUE: usize = 1024;

/// What came from a child.
#[derive(Debug)]
pub enum Inbound<M> {
    Message(M, Vec<OwnedFd>),
    /// Its socket is closed, or it sent something that is no message; then
    /// the reason.
    Closed(Option<String>),
}

/// The child does not read what it is sent, or is gone.
#[derive(Debug, PartialEq, Eq)]
pub struct Stuck;

/// A child's control socket. Dropping it ends the reading; what was queued
/// is still sent.
pub struct Link<Tx> {
    queue: mpsc::Sender<(Tx, Vec<OwnedFd>)>,
    reader: AbortHandle,
}

impl<Tx: Message + Send + Sync + 'static> Link<Tx> {
    /// `forward` turns what arrives into an event and waits until there is
    /// room for it; false stops the reading.
    pub fn open<Rx, F, W>(socket: OwnedFd, forward: F) -> io::Result<Self>
    where
        Rx: Message + Send + Sync + 'static,
        F: Fn(Inbound<Rx>) -> W + Send + 'static,
        W: Future<Output = bool> + Send + 'static,
    {
        let (sender, receiver) = Channel::<Tx, Rx>::new(socket)?.split();
        let (queue, outgoing) = mpsc::channel(QUEUE);
        tokio::spawn(write(sender, outgoing));
        let reader = tokio::spawn(read(receiver, forward)).abort_handle();
        Ok(Self { queue, reader })
    }

    /// Queues a message; never waits.
    pub fn send(&self, message: Tx, descriptors: Vec<OwnedFd>) -> Result<(), Stuck> {
        self.queue
            .try_send((message, descriptors))
            .map_err(|_| Stuck)
    }
}

impl<Tx> Drop for Link<Tx> {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn write<Tx: Message>(mut sender: Sender<Tx>, mut queue: mpsc::Receiver<(Tx, Vec<OwnedFd>)>) {
    while let Some((message, descriptors)) = queue.recv().await {
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        if let Err(error) = sender.send(&message, &borrowed).await {
            // The reader sees the end of the socket, or the supervisor that
            // the queue is closed.
            log::debug!("message to a child not sent: {error}");
            return;
        }
    }
}

async fn read<Rx, F, W>(mut receiver: Receiver<Rx>, forward: F)
where
    Rx: Message,
    F: Fn(Inbound<Rx>) -> W,
    W: Future<Output = bool>,
{
    loop {
        let inbound = match receiver.recv().await {
            Ok(Some((message, descriptors))) => Inbound::Message(message, descriptors),
            Ok(None) => Inbound::Closed(None),
            Err(error) => Inbound::Closed(Some(error.to_string())),
        };
        let last = matches!(inbound, Inbound::Closed(_));
        if !forward(inbound).await || last {
            return;
        }
    }
}

/// Takes a child's log records until it closes its socket. One that sends
/// anything else is not heard any more. Lines without a tag, which log filters
/// act upon, are only taken from those who may write them: a worker has the uid
/// of a user, who could make it say that somebody else's logins fail.
pub fn collect_log(
    socket: OwnedFd,
    pid: u32,
    writes_whole: bool,
    put: impl Fn(u32, &LogRecord) + Send + 'static,
) -> io::Result<()> {
    let mut receiver = Receiver::<LogRecord>::new(socket)?;
    tokio::spawn(async move {
        loop {
            match receiver.recv().await {
                Ok(Some((mut record, _))) => {
                    record.whole &= writes_whole;
                    put(pid, &record);
                }
                Ok(None) => return,
                Err(error) => {
                    log::error!("process {pid} sends no log records any more: {error}");
                    return;
                }
            }
            // Many records in a row must not keep others waiting.
            tokio::task::consume_budget().await;
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_ipc::{SupervisorToWorker, WorkerToSupervisor};
    use roost_types::{LogLevel, SessionId};

    type Events = mpsc::Receiver<Inbound<WorkerToSupervisor>>;

    fn link() -> (Link<SupervisorToWorker>, Events, OwnedFd) {
        let (ours, theirs) = roost_os::fdpass::seqpacket_pair().unwrap();
        let (events, inbox) = mpsc::channel(16);
        let link = Link::open(ours, move |inbound| {
            let events = events.clone();
            async move { events.send(inbound).await.is_ok() }
        });
        (link.unwrap(), inbox, theirs)
    }

    #[tokio::test]
    async fn messages_go_both_ways_and_the_end_is_told() {
        let (link, mut inbox, theirs) = link();
        let mut child = Channel::<WorkerToSupervisor, SupervisorToWorker>::new(theirs).unwrap();
        link.send(SupervisorToWorker::Stop, vec![]).unwrap();
        let (message, _) = child.recv().await.unwrap().unwrap();
        assert_eq!(message, SupervisorToWorker::Stop);
        child.send(&WorkerToSupervisor::Idle, &[]).await.unwrap();
        drop(child);
        assert!(matches!(
            inbox.recv().await,
            Some(Inbound::Message(WorkerToSupervisor::Idle, _))
        ));
        assert!(matches!(inbox.recv().await, Some(Inbound::Closed(None))));
        assert!(inbox.recv().await.is_none());
    }

    #[tokio::test]
    async fn garbage_is_the_end_with_a_reason() {
        let (_link, mut inbox, theirs) = link();
        roost_os::fdpass::send(&theirs, &[0, 250, 1, 2], &[]).unwrap();
        assert!(matches!(inbox.recv().await, Some(Inbound::Closed(Some(_)))));
    }

    #[tokio::test]
    async fn a_child_that_does_not_read_is_found_out() {
        let (link, _inbox, _theirs) = link();
        let mut sent = 0;
        while link
            .send(SupervisorToWorker::Kick(SessionId(1)), vec![])
            .is_ok()
        {
            sent += 1;
            tokio::task::yield_now().await;
            assert!(sent < 100_000);
        }
        assert!(sent >= QUEUE);
    }

    #[tokio::test]
    async fn workers_write_no_lines_without_a_tag() {
        for may in [true, false] {
            let (ours, theirs) = roost_os::fdpass::seqpacket_pair().unwrap();
            let (heard, mut inbox) = mpsc::unbounded_channel();
            let put = move |_, record: &LogRecord| {
                let _ = heard.send(record.clone());
            };
            collect_log(ours, 1, may, put).unwrap();
            let text = format_args!("imap-login: Disconnected (auth failed)");
            let mut record = LogRecord::new(LogLevel::Major, None, text);
            record.whole = true;
            let mut child = Sender::<LogRecord>::new(theirs).unwrap();
            child.send(&record, &[]).await.unwrap();
            assert_eq!(inbox.recv().await.unwrap().whole, may);
        }
    }

    #[tokio::test]
    async fn what_was_queued_is_sent_after_the_link_is_dropped() {
        let (link, _inbox, theirs) = link();
        link.send(SupervisorToWorker::Stop, vec![]).unwrap();
        drop(link);
        let mut child = Channel::<WorkerToSupervisor, SupervisorToWorker>::new(theirs).unwrap();
        let got = child.recv().await.unwrap();
        assert_eq!(got.unwrap().0, SupervisorToWorker::Stop);
        assert!(child.recv().await.unwrap().is_none());
    }
}
