//! A log socket of the test's own.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a record may take.
const PATIENCE: Duration = Duration::from_secs(15);

pub struct Syslogd {
    path: PathBuf,
    socket: UnixDatagram,
    records: Vec<String>,
}

impl Syslogd {
    pub fn new(dir: &Path) -> Self {
        let path = dir.join("log-socket");
        Self {
            socket: bind(&path),
            path,
            records: Vec::new(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What has come so far.
    pub fn records(&self) -> &[String] {
        &self.records
    }

    /// Closes the socket, lets `meanwhile` happen, opens it anew.
    pub fn restart(&mut self, meanwhile: impl FnOnce()) {
        let (unused, _) = UnixDatagram::pair().unwrap();
        self.socket = unused;
        fs::remove_file(&self.path).unwrap();
        meanwhile();
        self.socket = bind(&self.path);
    }

    /// Receives until a record holds `text`.
    pub fn wait_for(&mut self, text: &str) {
        self.wait(|record| record.contains(text));
    }

    /// Receives until there is such a record.
    pub fn wait(&mut self, wanted: impl Fn(&str) -> bool) {
        self.wait_until(|records| records.iter().any(|r| wanted(r)));
    }

    /// Receives until `count` records hold `text`.
    pub fn wait_count(&mut self, text: &str, count: usize) {
        self.wait_until(|records| records.iter().filter(|r| r.contains(text)).count() >= count);
    }

    /// Takes what is there.
    pub fn drain(&mut self) {
        while self.receive() {}
    }

    fn wait_until(&mut self, enough: impl Fn(&[String]) -> bool) {
        let limit = Instant::now() + PATIENCE;
        while !enough(&self.records) {
            assert!(Instant::now() < limit, "still waiting: {:#?}", self.records);
            self.receive();
        }
    }

    /// False when nothing came for a moment.
    fn receive(&mut self) -> bool {
        let mut buffer = vec![0; 64 << 10];
        let Ok(n) = self.socket.recv(&mut buffer) else {
            return false;
        };
        buffer.truncate(n);
        self.records.push(String::from_utf8(buffer).unwrap());
        true
    }
}

fn bind(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    let moment = Some(Duration::from_millis(100));
    socket.set_read_timeout(moment).unwrap();
    socket
}
