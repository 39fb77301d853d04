//! The packages: made of the executables under test, installed where nothing
//! else is, used, upgraded under an open session, removed. Nothing stays but
//! mail.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod systemd;

use roost_tests::chroot::Chroot;
use roost_tests::client::Client;
use roost_tests::mail;
use roost_tests::process::{Finish, Group, eventually, executables, loopback};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// That of which the changelogs speak.
const VERSION: &str = env!("CARGO_PKG_VERSION");
const KEPT: &str = "var/lib/roost/mail/joe/cur/1.a.b:2,S";
const START: Duration = Duration::from_secs(30);
/// Ports as in the packaged configuration, so one server at a time.
const PORTS: [u16; 2] = [143, 993];
static PORTS_TAKEN: Mutex<()> = Mutex::new(());

fn tree() -> PathBuf {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    tree.canonicalize().unwrap()
}

fn there_is(program: &str) -> bool {
    let there = Command::new("which").arg(program).finish();
    let there = there.is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("left out: no {program}");
    }
    there
}

/// Runs a program that must say yes; what it printed.
fn good(command: &mut Command) -> String {
    let output = command.finish().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{command:?}\n{text}");
    text
}

/// The package's file in `out`; not compressed, for that takes longest.
fn make(script: &str, version: &str, compression: &str, out: &Path) -> PathBuf {
    let mut command = Command::new(tree().join("packaging").join(script));
    command
        .env("ROOST_PACKAGES", out)
        .arg(executables())
        .args([version, compression]);
    PathBuf::from(good(&mut command).trim())
}

fn make_deb(version: &str, out: &Path) -> PathBuf {
    make("make-deb", version, "none", out)
}

fn make_rpm(version: &str, out: &Path) -> PathBuf {
    make("make-rpm", version, "w0.ufdio", out)
}

/// A root with a user, and what an administrator does there.
struct Host {
    chroot: Chroot,
    log: PathBuf,
    /// What was there before Roost came.
    before: BTreeSet<PathBuf>,
}

impl Host {
    fn new(chroot: Chroot, dir: &Path) -> Self {
        for line in ["useradd -m joe", "echo joe:sesame | chpasswd"] {
            chroot.shell(line).unwrap();
        }
        let mut host = Self {
            chroot,
            log: dir.join("log"),
            before: BTreeSet::new(),
        };
        host.before = host.paths();
        host
    }

    /// All that is no mail and not the package manager's own.
    fn paths(&self) -> BTreeSet<PathBuf> {
        let own = [
            "/home/joe",
            "/proc",
            "/dev",
            "/tmp",
            "/var/lib/dpkg",
            "/var/lib/rpm",
            "/var/log/dpkg.log",
        ];
        self.chroot.paths(&own)
    }

    fn has(&self, path: &str) -> bool {
        self.chroot.root().join(path).exists()
    }

    /// Whatever the administrator has written must survive, mail that he keeps
    /// in an unlucky place too.
    fn configure(&self) {
        let mail = self.chroot.root().join(KEPT);
        fs::create_dir_all(mail.parent().unwrap()).unwrap();
        fs::write(mail, mail::small(2)).unwrap();
        let line = "sed -i 's/^log_target = .*/log_target = stderr/' /etc/roost/roost.conf";
        self.chroot.shell(line).unwrap();
    }

    fn start(&self) -> Group {
        let mut group = self.chroot.start("roostd", &self.log).unwrap();
        for port in PORTS {
            if let Err(error) = group.listens(port, START) {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                panic!("roostd does not listen on {port} ({error}):\n{log}");
            }
        }
        group
    }

    fn login() -> Client {
        Client::login(loopback(PORTS[0]), "joe", "sesame").unwrap()
    }

    /// A real client over TLS, with the certificate that was made.
    fn fetch_by_curl(&self) -> String {
        let certificate = self.chroot.root().join("var/lib/roost/self-signed.crt");
        good(
            Command::new("curl")
                .args(["-sS", "--user", "joe:sesame", "--cacert"])
                .arg(certificate)
                .arg("imaps://localhost/INBOX;MAILINDEX=1"),
        )
    }

    /// What is used with sessions open while `upgrade` installs the next
    /// version, which then takes over.
    fn live_through(&self, upgrade: impl FnOnce()) {
        self.configure();
        let mut server = self.start();
        let mut session = Self::login();
        assert!(session.append("INBOX", "", &mail::small(1)).unwrap().ok());
        assert!(Client::login(loopback(PORTS[0]), "joe", "wrong").is_err());
        assert!(self.fetch_by_curl().contains("Subject:"));
        session.ok("SELECT INBOX").unwrap();
        upgrade();
        session.ok("NOOP").unwrap();
        Self::login().ok("SELECT INBOX").unwrap();
        server.signal(nix::sys::signal::Signal::SIGTERM);
        let bye = session.response().unwrap();
        assert!(bye.starts_with(b"* BYE"), "{bye:?}");
        assert!(server.wait(Duration::from_secs(10)).is_some());
        let _server = self.start();
        // Ports are open before the control socket hears.
        let post = || self.chroot.shell("roostctl alert post tonight").ok();
        eventually(START, post).unwrap();
        let mut session = Self::login();
        let answer = session.ok("STATUS INBOX (MESSAGES)").unwrap();
        let mut said = answer.lines();
        assert!(said.any(|line| line.contains("MESSAGES 1")), "{answer:?}");
        let kept = self.chroot.shell("cat /etc/roost/roost.conf").unwrap();
        assert!(kept.contains("log_target = stderr"));
    }

    /// Mail is all that stays.
    fn is_as_before(&self) {
        assert!(self.has(KEPT));
        let state = self.chroot.root().join("var/lib/roost");
        let left = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap());
        let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["mail"]);
        fs::remove_dir_all(state).unwrap();
        let now = self.paths();
        let added: Vec<_> = now.difference(&self.before).collect();
        let lost: Vec<_> = self.before.difference(&now).collect();
        assert!(added.is_empty() && lost.is_empty(), "{added:?} {lost:?}");
        assert!(self.chroot.shell("getent passwd roost").is_err());
        assert!(self.has("home/joe/Maildir/cur"));
        let messages = "cat home/joe/Maildir/*/*:2,* home/joe/Maildir/new/* 2>/dev/null";
        let mail = self.chroot.shell(&format!("cd /; {messages} || true"));
        assert!(mail.unwrap().contains("Subject:"));
    }
}

/// Debian's package in two versions, if it can be made here.
fn two_debs() -> Option<(tempfile::TempDir, [PathBuf; 2])> {
    if !there_is("dpkg-buildpackage") || !there_is("dh_apparmor") {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let packages = ["1.0", "1.1"].map(|version| make_deb(version, dir.path()));
    Some((dir, packages))
}

#[test]
fn debians_package_from_installation_to_purge() {
    let Some(chroot) = Chroot::new("Debian's package") else {
        return;
    };
    let Some((dir, packages)) = two_debs() else {
        return;
    };
    let _ports = PORTS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let host = Host::new(chroot, dir.path());
    let [first, second] = packages.map(|package| {
        let name = package.file_name().unwrap().to_owned();
        fs::copy(&package, host.chroot.root().join("tmp").join(&name)).unwrap();
        format!("/tmp/{}", name.to_string_lossy())
    });
    host.chroot.shell(&format!("dpkg -i {first}")).unwrap();
    host.chroot.shell("roostd -t").unwrap();
    host.live_through(|| {
        host.chroot.shell(&format!("dpkg -i {second}")).unwrap();
    });
    let said = host.chroot.shell("dpkg-query -W roost").unwrap();
    assert_eq!(said.trim(), "roost\t1.1");
    host.chroot.shell("dpkg -r roost").unwrap();
    assert!(!host.has("usr/sbin/roostd"));
    assert!(host.has("etc/roost/roost.conf"), "conffiles stay");
    host.chroot.shell("dpkg -P roost").unwrap();
    host.is_as_before();
}

#[test]
fn the_rpm_from_installation_to_erasure() {
    let Some(chroot) = Chroot::new("the rpm") else {
        return;
    };
    if !there_is("rpmbuild") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [first, second] = ["1.0", "1.1"].map(|version| make_rpm(version, dir.path()));
    let _ports = PORTS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    // What Fedora's PAM has under this name.
    let stack = "auth required pam_unix.so\\naccount required pam_unix.so";
    let line = format!("printf '{stack}\\n' >/etc/pam.d/password-auth");
    chroot.shell(&line).unwrap();
    // Other packages have these.
    let folders = "mkdir -p /var/lib/rpm /usr/lib/sysusers.d /usr/share/licenses";
    chroot.shell(folders).unwrap();
    let host = Host::new(chroot, dir.path());
    let rpm = |args: &[&str]| {
        // Debian's packages are not in this database.
        let mut command = Command::new("rpm");
        command
            .arg("--root")
            .arg(host.chroot.root())
            .args(["--dbpath", "/var/lib/rpm"]);
        good(command.args(args))
    };
    let (first, second) = (first.to_str().unwrap(), second.to_str().unwrap());
    rpm(&["--nodeps", "-i", first]);
    host.live_through(|| {
        rpm(&["--nodeps", "-U", second]);
    });
    let installed = format!("roost-1.1-1.{}", std::env::consts::ARCH);
    assert_eq!(rpm(&["-q", "roost"]).trim(), installed);
    rpm(&["-e", "roost"]);
    assert!(!host.has("usr/sbin/roostd"));
    // What was changed by hand is kept under another name, as rpm does it.
    let kept = host.chroot.root().join("etc/roost/roost.conf.rpmsave");
    assert!(kept.exists());
    fs::remove_dir_all(kept.parent().unwrap()).unwrap();
    host.is_as_before();
}

#[test]
fn checkers_have_nothing_to_say() {
    let dir = tempfile::tempdir().unwrap();
    if there_is("lintian") && there_is("dh_apparmor") {
        // Debian wants it compressed.
        let package = make("make-deb", VERSION, "gzip", dir.path());
        // The ports stay open while the service is started anew.
        let script = good(
            Command::new("dpkg-deb")
                .arg("-I")
                .arg(&package)
                .arg("postinst"),
        );
        let restarted: Vec<_> = script
            .lines()
            .filter(|l| l.contains("$_dh_action"))
            .collect();
        assert_eq!(restarted.len(), 1, "{restarted:?}");
        assert!(!restarted.concat().contains("roost.socket"));
        let mut command = Command::new("lintian");
        command.args(["--fail-on", "error,warning", "--allow-root"]);
        let said = good(command.arg(package));
        assert!(!said.contains("E: ") && !said.contains("W: "), "{said}");
    }
    if there_is("rpmlint") && there_is("rpmbuild") {
        let package = make_rpm(VERSION, dir.path());
        let filters = tree().join("packaging/rpm/rpmlint.toml");
        let mut command = Command::new("rpmlint");
        let said = good(command.arg("-c").arg(filters).arg(package));
        assert!(said.contains("0 errors, 0 warnings"), "{said}");
    }
}

#[test]
fn the_service_is_shut_in_and_its_profile_parses() {
    let packaging = tree().join("packaging");
    if there_is("systemd-analyze") {
        good(
            Command::new("systemd-analyze")
                .args(["security", "--offline=true", "--threshold=25", "--no-pager"])
                .arg(packaging.join("systemd/roost.service")),
        );
    }
    if there_is("apparmor_parser") {
        good(
            Command::new("apparmor_parser")
                .args(["--skip-kernel-load", "--skip-cache"])
                .arg(packaging.join("apparmor/usr.sbin.roostd")),
        );
    }
}
