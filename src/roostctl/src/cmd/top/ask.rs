//! The server, asked again and again beside the keys.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use roost_config::Config;
use roost_ipc::{ControlReply, ControlRequest, ServerStats, SessionRow, Target};
use roost_types::SessionId;

use crate::cmd::{stats, who};
use crate::{Failure, server};

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(2);

pub enum News {
    /// The statistics, for those who may see them.
    Seen(Vec<SessionRow>, Option<ServerStats>),
    /// For the person.
    Said(String),
}

/// Ends with the program.
pub struct Asker {
    kicks: Sender<SessionId>,
    news: Receiver<News>,
}

impl Asker {
    pub fn start(config: Config) -> Self {
        let (kicks, orders) = channel();
        let (sender, news) = channel();
        thread::spawn(move || ask(&config, &orders, &sender));
        Self { kicks, news }
    }

    pub fn kick(&self, session: SessionId) {
        // The thread ends after this.
        let _ = self.kicks.send(session);
    }

    pub fn news(&mut self) -> Option<News> {
        self.news.try_recv().ok()
    }
}

fn ask(config: &Config, orders: &Receiver<SessionId>, news: &Sender<News>) {
    loop {
        let seen = who::ask(config).map(|rows| News::Seen(rows, stats::ask(config).ok()));
        let told = seen.unwrap_or_else(|failure| News::Said(failure.text().to_owned()));
        if news.send(told).is_err() {
            return;
        }
        match orders.recv_timeout(PERIOD) {
            Ok(session) => {
                let said = News::Said(kick(config, session));
                if news.send(said).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn kick(config: &Config, session: SessionId) -> String {
    let socket = config.server.control_socket.as_deref();
    let request = ControlRequest::Kick(Target::Session { session });
    let reply = server::must_ask(socket, &request).and_then(|mut asked| asked.reply());
    match reply {
        Ok(ControlReply::Kicked(0)) => format!("{session} is gone already"),
        Ok(ControlReply::Kicked(_)) => format!("{session} was told to end"),
        Ok(other) => server::unexpected(&other).text().to_owned(),
        Err(failure) => Failure::text(&failure).to_owned(),
    }
}
