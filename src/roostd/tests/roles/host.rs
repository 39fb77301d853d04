//! A running supervisor in a folder of its own, and clients of it.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Host {
    dir: TempDir,
    systemd: UnixDatagram,
    child: Child,
    pub clear: SocketAddr,
}

pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// Asks until there is an answer.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Host {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_roostd"), bin.join("roostd")).unwrap();
        let own = std::env::current_exe().unwrap();
        for role in ["roost-gate", "roost-auth", "roost-worker"] {
            std::os::unix::fs::symlink(&own, bin.join(role)).unwrap();
        }
        let (clear, tls) = (free_address(), free_address());
        let systemd = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        systemd.set_nonblocking(true).unwrap();
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new(bin.join("roostd"))
            .arg("--demo")
            .arg("--dir")
            .arg(dir.path().join("demo"))
            .args(["--port", &clear.port().to_string()])
            .args(["--tls-port", &tls.port().to_string()])
            .env("NOTIFY_SOCKET", dir.path().join("notify"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let host = Self {
            systemd,
            dir,
            child,
            clear,
        };
        host.wait_log("serves");
        host
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("demo/roost.conf")
    }

    pub fn control(&self) -> PathBuf {
        self.dir.path().join("demo/control")
    }

    /// Adds to the configuration and has it read.
    pub fn reconfigure(&self, text: &str) {
        let mut file = fs::File::options()
            .append(true)
            .open(self.config())
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let before = self.count_log("configuration reloaded");
        self.signal("HUP");
        until("reload", || {
            (self.count_log("configuration reloaded") > before).then_some(())
        });
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    pub fn count_log(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    pub fn wait_log(&self, text: &str) {
        until(&format!("{text} in the log"), || {
            self.log().contains(text).then_some(())
        });
    }

    /// The next message to systemd, empty if there is none.
    pub fn systemd_hears(&self) -> String {
        let mut buffer = [0; 1024];
        match self.systemd.recv(&mut buffer) {
            Ok(n) => String::from_utf8(buffer[..n].to_vec()).unwrap(),
            Err(_) => String::new(),
        }
    }

    pub fn signal(&self, name: &str) {
        kill(self.child.id(), name);
    }

    /// Processes of a role, by their command names.
    pub fn pids(&self, role: &str) -> Vec<u32> {
        let parent = self.child.id();
        let path = format!("/proc/{parent}/task/{parent}/children");
        let children = fs::read_to_string(path).unwrap_or_default();
        children
            .split_whitespace()
            .map(|pid| pid.parse().unwrap())
            .filter(|pid| {
                let name = fs::read_to_string(format!("/proc/{pid}/comm"));
                name.is_ok_and(|name| name.trim() == role)
            })
            .collect()
    }

    pub fn pid(&self, role: &str) -> u32 {
        until(role, || self.pids(role).first().copied())
    }

    /// Kills a role's process and waits for its successor.
    pub fn replace(&self, role: &str) {
        let old = self.pid(role);
        kill(old, "KILL");
        until("successor", || {
            self.pids(role).iter().any(|pid| *pid != old).then_some(())
        });
    }

    pub fn connect(&self, line: &str) -> Client {
        connect(self.clear, line)
    }

    /// Logs in; fails unless that works.
    pub fn login(&self, user: &str) -> Client {
        let mut client = self.connect(&format!("login {user}"));
        let greeting = client.line();
        assert!(greeting.starts_with(&format!("t OK {user} ")), "{greeting}");
        client.worker = greeting.rsplit(' ').next().unwrap().parse().unwrap();
        client
    }

    pub fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until("end", || child.try_wait().unwrap())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn kill(pid: u32, signal: &str) {
    let status = Command::new("kill")
        .arg(format!("-{signal}"))
        .arg(pid.to_string())
        .status();
    assert!(status.unwrap().success());
}

pub fn connect(address: SocketAddr, line: &str) -> Client {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut client = Client {
        stream: BufReader::new(stream),
        worker: 0,
    };
    client.say(line);
    client
}

pub struct Client {
    // A local socket, too, reads and writes as one does.
    stream: BufReader<TcpStream>,
    /// The worker's pid.
    pub worker: u32,
}

impl Client {
    /// The end of a connection that was made for us.
    pub fn over(end: OwnedFd) -> Self {
        roost_os::fdpass::set_nonblocking(&end, false).unwrap();
        let stream = TcpStream::from(end);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream: BufReader::new(stream),
            worker: 0,
        }
    }

    pub fn say(&mut self, line: &str) {
        self.stream
            .get_mut()
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
    }

    pub fn set_patience(&self, patience: Duration) {
        self.stream
            .get_ref()
            .set_read_timeout(Some(patience))
            .unwrap();
    }

    /// The next line; empty at the end of the connection.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(_) => line.trim_end().to_owned(),
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::WouldBlock) => {
                String::new()
            }
            Err(e) => panic!("{e}"),
        }
    }

    /// True while the session answers.
    pub fn is_alive(&mut self) -> bool {
        self.say("ping");
        self.line() == "ping"
    }
}
