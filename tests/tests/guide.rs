//! The commands of roost-migrate(7), word for word, on Debian's Dovecot and
//! Courier: to Roost and back, with mbsync, which saw the old server, finding
//! nothing to do at each step.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::process::{Finish, Group, eventually, executables, in_namespace, loopback};
use roost_tests::state::{Account, difference};
use roost_tests::{courier, dovecot, mail};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const PORT: u16 = 143;
const ALICE: (&str, &str, u32) = ("alice", "alice-secret", 4001);
const MARY: (&str, &str, u32) = ("mary", "mary-secret", 5000);
const BOB: (&str, &str, u32) = ("bob", "bob-secret", 4002);
const STEP: Duration = Duration::from_secs(120);

/// The ports and /etc/roost are there once.
static HOST: Mutex<()> = Mutex::new(());

/// Stands for systemd: starts and stops what the guide names.
const SYSTEMCTL: &str = r#"#!/bin/sh
set -eu
stop() {
    kill "$1"
    for _ in $(seq 300); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    return 1
}
# Whoever called us ends our group when we end: it is out of that before.
start() {
    rm -f /run/started
    setsid sh -c 'echo $$ >/run/started; exec "$@"' start "$@" >>LOG 2>&1 &
    for _ in $(seq 600); do
        [ ! -s /run/started ] || return 0
        sleep 0.1
    done
    return 1
}
act=$1
shift
[ "$1" = --now ] && shift
for unit; do
    case $act-$unit in
    enable-dovecot.service) start dovecot -F ;;
    enable-roost.service)
        start roostd -c /etc/roost/roost.conf
        cp /run/started /run/roostd.pid
        ;;
    disable-dovecot.service) stop "$(cat /run/dovecot/master.pid)" ;;
    disable-roost.service) stop "$(cat /run/roostd.pid)" ;;
    *-courier-imap*.service | *.socket) continue ;;
    *) echo "systemctl $act $unit?" >&2; exit 1 ;;
    esac
done
"#;

/// A host in a mount namespace within that of the tests: its own /run and
/// /var/lib, and /etc/roost.
struct Host {
    dir: tempfile::TempDir,
    /// Lives as long as the namespace is needed.
    namespace: Group,
    _only: MutexGuard<'static, ()>,
}

impl Host {
    fn new() -> Self {
        let only = HOST.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let ready = dir.path().join("ready");
        let script = format!(
            "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && \
             mkdir -p /run/dovecot /run/roost/empty /var/lib/dovecot /var/lib/roost && \
             : >{} && exec sleep 600",
            ready.display()
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
        let namespace = Group::start(&mut command).unwrap();
        eventually(STEP, || ready.exists().then_some(())).expect("a namespace");
        let _ = fs::remove_dir_all("/etc/roost");
        // Accounts without mail are passed over.
        for (user, ..) in [ALICE, MARY, BOB] {
            let _ = fs::remove_dir_all(format!("/home/{user}/Maildir"));
        }
        fs::create_dir_all("/etc/roost").unwrap();
        let host = Self {
            dir,
            namespace,
            _only: only,
        };
        let log = host.at("log").display().to_string();
        fs::create_dir(host.at("bin")).unwrap();
        fs::write(host.at("bin/systemctl"), SYSTEMCTL.replace("LOG", &log)).unwrap();
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(host.at("bin/systemctl"), executable).unwrap();
        host.certificate();
        host
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn certificate(&self) {
        let output = Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            ])
            .args(["-subj", "/CN=mail.example.org", "-keyout"])
            .arg(self.at("key.pem"))
            .arg("-out")
            .arg(self.at("cert.pem"))
            .finish()
            .unwrap();
        assert!(output.status.success());
    }

    /// As an administrator would at a prompt.
    fn shell(&self, line: &str) -> (i32, String) {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--mount=/proc/{}/ns/mnt", self.namespace.pid()))
            .args(["sh", "-c", line])
            .env(
                "PATH",
                format!(
                    "{}:{}:{path}:/usr/sbin:/sbin",
                    self.at("bin").display(),
                    executables().display()
                ),
            );
        let output = command.finish().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (output.status.code().unwrap_or(-1), text)
    }

    /// Every command of a step of the guide. `problems` are those that end
    /// with 65; all else must be in order.
    fn follow(&self, step: &str, problems: &[&str]) -> String {
        let mut said = String::new();
        for line in commands(step) {
            let (code, text) = self.shell(&line);
            let expected = if problems.contains(&line.as_str()) {
                65
            } else {
                0
            };
            assert_eq!(code, expected, "{line}\n{text}\n{}", self.log());
            said.push_str(&text);
            if line.starts_with("systemctl") {
                self.settle(&line);
            }
        }
        said
    }

    /// systemd waits until a service is there, or has gone.
    fn settle(&self, line: &str) {
        if line.contains("courier") {
            return;
        }
        let wanted = line.contains("enable") && !line.contains("disable");
        let control = line.contains("roost") && wanted;
        let is = || {
            let listens = std::net::TcpStream::connect(loopback(PORT)).is_ok();
            listens && (!control || self.shell("test -S /run/roost/control").0 == 0)
        };
        let settled = eventually(STEP, || (is() == wanted).then_some(()));
        assert!(settled.is_some(), "{line}\n{}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.at("log")).unwrap_or_default()
    }

    fn mbsyncrc(&self, accounts: &[(&str, String, &str)]) -> PathBuf {
        let mut text = String::new();
        for (name, how, path) in accounts {
            let local = self.at(&format!("local-{name}"));
            fs::create_dir_all(&local).unwrap();
            text.push_str(&format!(
                "IMAPAccount {name}\n{how}\nIMAPStore far-{name}\nAccount {name}\n{path}\n\
                 MaildirStore near-{name}\nSubFolders Verbatim\nPath {local}/\n\
                 Inbox {local}/INBOX\n\nChannel {name}\nFar :far-{name}:\n\
                 Near :near-{name}:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n\n",
                local = local.display()
            ));
        }
        let path = self.at("mbsyncrc");
        fs::write(&path, text).unwrap();
        path
    }

    fn mbsync(&self, config: &Path) -> String {
        let output = Command::new("mbsync")
            .env("HOME", self.dir.path())
            .args(["-V", "-a", "-c"])
            .arg(config)
            .finish()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(output.status.success(), "{text}\n{}", self.log());
        text
    }

    fn nothing_to_sync(&self, config: &Path, when: &str) {
        let said = self.mbsync(config);
        for word in [
            "Pushing",
            "Pulling",
            "propagat",
            "Expunging",
            "Trashing",
            "Creating",
        ] {
            assert!(!said.contains(word), "{when}: mbsync did something: {said}");
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let stop = "for file in /run/roostd.pid /run/dovecot/master.pid; do \
                    [ ! -e $file ] || kill $(cat $file); done 2>/dev/null";
        let _ = self.shell(stop);
    }
}

/// The commands of a step: the lines of the display behind its mark.
fn commands(step: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../man/roost-migrate.7");
    let text = fs::read_to_string(page).unwrap();
    let mark = format!(".\\\" test {step}\n.Bd -literal -offset indent\n");
    let (_, behind) = text.split_once(&mark).expect(step);
    let (display, _) = behind.split_once("\n.Ed").expect(step);
    let lines: Vec<String> = display.lines().map(str::to_owned).collect();
    assert!(lines.iter().all(|line| !line.starts_with('.')), "{lines:?}");
    lines
}

/// No command of the guide is left out here.
#[test]
fn every_display_is_followed() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../man/roost-migrate.7");
    let text = fs::read_to_string(page).unwrap();
    let marks: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix(".\\\" test "))
        .collect();
    let peers =
        ["dovecot", "courier"].map(|p| ["look", "switch", "back"].map(|s| format!("{p} {s}")));
    assert_eq!(marks, peers.concat());
    assert_eq!(text.matches(".Bd -literal").count(), marks.len());
}

fn client(user: (&str, &str, u32)) -> Client {
    Client::login(loopback(PORT), user.0, user.1).unwrap()
}

fn read(user: (&str, &str, u32)) -> Account {
    Account::read(&mut client(user)).unwrap()
}

fn same(what: &str, before: &Account, after: &Account) {
    if let Some(difference) = difference(before, after) {
        panic!("{what}: {difference}");
    }
}

fn home(user: (&str, &str, u32)) -> PathBuf {
    let home = Path::new("/home").join(user.0);
    fs::create_dir_all(&home).unwrap();
    chown(&home, Some(user.2), Some(user.2)).unwrap();
    home
}

/// Mail, 30 keywords, a subscription and rights.
fn furnish(client: &mut Client, prefix: &str, dot: &str, with: &str) {
    for n in 1..=5 {
        let flags = if n % 2 == 0 {
            "(\\Seen)"
        } else {
            "(\\Flagged)"
        };
        assert!(client.append("INBOX", flags, &mail::small(n)).unwrap().ok());
    }
    let work = format!("{prefix}Work{dot}2024");
    client.ok("SUBSCRIBE INBOX").unwrap();
    for name in [
        &format!("{prefix}Work"),
        &work,
        &format!("{prefix}&AOk-t&AOk-"),
    ] {
        client.ok(&format!("CREATE {name}")).unwrap();
        client.ok(&format!("SUBSCRIBE {name}")).unwrap();
        assert!(client.append(name, "()", &mail::small(50)).unwrap().ok());
        assert!(
            client
                .append(name, "(\\Seen)", &mail::small(51))
                .unwrap()
                .ok()
        );
    }
    client.ok("SELECT INBOX").unwrap();
    client.ok("STORE 3 +FLAGS (\\Deleted)").unwrap();
    client.ok("EXPUNGE").unwrap();
    client.ok(&format!("SELECT {work}")).unwrap();
    let keywords: Vec<String> = (1..=30).map(|n| format!("key{n}")).collect();
    client
        .ok(&format!("STORE 1 +FLAGS ({})", keywords.join(" ")))
        .unwrap();
    client.ok("STORE 2 +FLAGS (key30 key2)").unwrap();
    client.ok(&format!("SETACL {work} {with} lrs")).unwrap();
    client.ok("CLOSE").unwrap();
}

/// What a user does while Roost serves him.
fn live_on(client: &mut Client, prefix: &str, dot: &str) {
    let work = format!("{prefix}Work{dot}2024");
    client.ok("SELECT INBOX").unwrap();
    client.ok("STORE 1 +FLAGS (\\Answered Fresh)").unwrap();
    client.ok("STORE 2 +FLAGS (\\Deleted)").unwrap();
    client.ok("EXPUNGE").unwrap();
    assert!(
        client
            .append("INBOX", "(\\Seen)", &mail::small(90))
            .unwrap()
            .ok()
    );
    assert!(client.append("INBOX", "()", &mail::small(91)).unwrap().ok());
    client.ok(&format!("SELECT {work}")).unwrap();
    client.ok("STORE 1 -FLAGS (key29 key3)").unwrap();
    client.ok("STORE 2 +FLAGS (key29 key31)").unwrap();
    for name in [format!("{prefix}New"), format!("{prefix}New{dot}Deep")] {
        client.ok(&format!("CREATE {name}")).unwrap();
        client.ok(&format!("SUBSCRIBE {name}")).unwrap();
    }
    client
        .ok(&format!("COPY 1:2 {prefix}New{dot}Deep"))
        .unwrap();
    client.ok("CLOSE").unwrap();
}

fn modseq(client: &mut Client, mailbox: &str) -> u64 {
    let answer = client
        .ok(&format!("STATUS {mailbox} (HIGHESTMODSEQ)"))
        .unwrap();
    let line = answer
        .lines()
        .find(|l| l.contains("HIGHESTMODSEQ "))
        .unwrap();
    let number = line.rsplit("HIGHESTMODSEQ ").next().unwrap();
    number.trim_end_matches(')').parse().unwrap()
}

fn rights(client: &mut Client, mailbox: &str, who: &str) -> String {
    let answer = client.ok(&format!("GETACL {mailbox}")).unwrap();
    let line = answer.lines().find(|l| l.starts_with("* ACL")).unwrap();
    let words: Vec<&str> = line.split(' ').map(|w| w.trim_matches('"')).collect();
    let at = words
        .iter()
        .position(|w| *w == who)
        .unwrap_or_else(|| panic!("{line}"));
    words[at + 1].to_owned()
}

/// Debian's Dovecot with rights, quota, an account of PAM and one of a file.
fn set_up_dovecot(host: &Host) {
    let (cert, key) = (host.at("cert.pem"), host.at("key.pem"));
    fs::write(
        "/etc/dovecot/users",
        format!(
            "{}:{{PLAIN}}{}:{uid}:{uid}::/home/mary::userdb_quota_rule=*:storage=2G\n",
            MARY.0,
            MARY.1,
            uid = MARY.2
        ),
    )
    .unwrap();
    let text = format!(
        "protocols = imap\nlisten = 127.0.0.1\nlog_path = /dev/stderr\n\
         ssl_cert = <{}\nssl_key = <{}\nfirst_valid_uid = 1000\n\
         mail_location = maildir:~/Maildir\nmail_plugins = acl quota\n\
         protocol imap {{\n mail_plugins = acl quota imap_acl imap_quota\n}}\n\
         plugin {{\n acl = vfile\n quota = maildir:User quota\n \
         quota_rule = *:storage=1G\n}}\n\
         namespace inbox {{\n inbox = yes\n separator = /\n}}\n\
         passdb {{\n driver = passwd-file\n args = /etc/dovecot/users\n}}\n\
         passdb {{\n driver = pam\n}}\n\
         userdb {{\n driver = passwd-file\n args = /etc/dovecot/users\n}}\n\
         userdb {{\n driver = passwd\n}}\n",
        cert.display(),
        key.display()
    );
    fs::write("/etc/dovecot/dovecot.conf", text).unwrap();
}

fn over_tcp(user: (&str, &str, u32)) -> String {
    format!(
        "Host 127.0.0.1\nPort {PORT}\nUser {}\nPass {}\nSSLType None\nAuthMechs LOGIN\n",
        user.0, user.1
    )
}

#[test]
fn from_dovecot_and_back() {
    if !in_namespace("the way from Dovecot and back") || !dovecot::installed() {
        return;
    }
    let host = Host::new();
    set_up_dovecot(&host);
    for user in [ALICE, MARY] {
        home(user);
    }
    assert_eq!(host.shell("systemctl enable --now dovecot.service").0, 0);
    host.settle("systemctl enable --now dovecot.service");
    let config = host.mbsyncrc(&[("alice", over_tcp(ALICE), ""), ("mary", over_tcp(MARY), "")]);
    furnish(&mut client(ALICE), "", "/", "bob");
    furnish(&mut client(MARY), "", "/", "bob");
    host.mbsync(&config);
    host.nothing_to_sync(&config, "Dovecot itself");
    let before = [ALICE, MARY].map(read);
    let old = modseq(&mut client(ALICE), "Work/2024");

    let check = "roostctl -c /etc/roost/roost.conf.new import check";
    let said = host.follow("dovecot look", &[check]);
    assert!(
        said.contains("alice: Work/2024: PROBLEM: 4 keywords are in Dovecot's index alone"),
        "{said}"
    );
    assert!(
        said.contains("mary: 4 mailboxes, 4 subscriptions"),
        "{said}"
    );
    assert!(said.contains("accounts without mail"), "{said}");
    let (code, said) = host.shell(&format!("{check} --json 2>/dev/null"));
    assert_eq!(code, 65);
    assert!(
        said.starts_with("[\n{\"account\": \"alice\", \"mailbox\": \"INBOX\""),
        "{said}"
    );
    assert!(
        said.contains("\"account\": \"mary\"") && said.ends_with("}\n]\n"),
        "{said}"
    );
    host.follow("dovecot switch", &[]);
    for (user, before) in [ALICE, MARY].iter().zip(&before) {
        same("Dovecot / Roost", before, &read(*user));
    }
    assert_eq!(rights(&mut client(ALICE), "Work/2024", "bob"), "lrs");
    host.nothing_to_sync(&config, "Roost");
    assert!(modseq(&mut client(ALICE), "Work/2024") > old);
    let known = modseq(&mut client(ALICE), "INBOX");

    for user in [ALICE, MARY] {
        live_on(&mut client(user), "", "/");
    }
    host.mbsync(&config);
    host.nothing_to_sync(&config, "Roost, after changes");
    let changed = [ALICE, MARY].map(read);
    let last = modseq(&mut client(ALICE), "Work/2024");
    for act in ["export --to dovecot", "import keywords"] {
        let (code, said) = host.shell(&format!("roostctl {act} -u alice"));
        assert_eq!(code, 75, "{act} while Roost runs: {said}");
    }
    host.follow("dovecot back", &[]);
    for (user, changed) in [ALICE, MARY].iter().zip(&changed) {
        same("Roost / Dovecot", changed, &read(*user));
    }
    assert_eq!(rights(&mut client(ALICE), "Work/2024", "bob"), "lrs");
    assert!(modseq(&mut client(ALICE), "Work/2024") >= last);
    // A client that has not been there since is told of what Roost did last.
    let mut alice = client(ALICE);
    alice.ok("SELECT INBOX (CONDSTORE)").unwrap();
    let changed = format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {known})");
    let changed: Vec<String> = alice.ok(&changed).unwrap().lines().collect();
    let fresh = |line: &&String| line.contains("Fresh") && line.contains("MODSEQ");
    assert_eq!(changed.iter().filter(fresh).count(), 1, "{changed:?}");
    host.nothing_to_sync(&config, "Dovecot again");
}

#[test]
fn from_courier_and_back() {
    if !in_namespace("the way from Courier and back") || !courier::installed() {
        eprintln!("left out (Courier): needs contrib/fetch-courier");
        return;
    }
    let host = Host::new();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/courier/etc/courier");
    fs::create_dir_all("/etc/courier").unwrap();
    for name in ["imapd", "imapd-ssl"] {
        let text = fs::read_to_string(files.join(name)).unwrap();
        // Nobody empties Trash here, and nobody shares: nothing is missing then.
        let kept = |line: &&str| {
            !line.starts_with("IMAP_EMPTYTRASH") && !line.starts_with("IMAP_SHAREDINDEXFILE")
        };
        let lines: Vec<&str> = text.lines().filter(kept).collect();
        fs::write(
            Path::new("/etc/courier").join(name),
            lines.join("\n") + "\n",
        )
        .unwrap();
    }
    fs::copy(files.join("../pam.d/imap"), "/etc/pam.d/imap").unwrap();
    let pair = ["cert.pem", "key.pem"].map(|name| fs::read_to_string(host.at(name)).unwrap());
    fs::write("/etc/courier/imapd.pem", pair.concat()).unwrap();
    let home = home(BOB);
    courier::make_maildir(&home, BOB.2, BOB.2).unwrap();
    let session = || courier::Session::start(&home, BOB.2, BOB.2).unwrap();
    let tunnel = host.at("courier");
    fs::write(&tunnel, courier::script(&home, BOB.2, BOB.2)).unwrap();
    fs::set_permissions(&tunnel, fs::Permissions::from_mode(0o755)).unwrap();
    // One store, two ways to it.
    let directly = host.mbsyncrc(&[(
        "bob",
        format!("Tunnel {}\nUser bob\nPass x\n", tunnel.display()),
        "Path INBOX.\n",
    )]);
    let directly_too = host.at("mbsyncrc.courier");
    fs::rename(&directly, &directly_too).unwrap();
    let over_tcp = host.mbsyncrc(&[("bob", over_tcp(BOB), "Path INBOX.\n")]);

    furnish(&mut session().client, "INBOX.", ".", "carol");
    host.mbsync(&directly_too);
    host.nothing_to_sync(&directly_too, "Courier itself");
    let before = Account::read(&mut session().client).unwrap();

    host.follow("courier look", &[]);
    host.follow("courier switch", &[]);
    let mut seen = read(BOB);
    // Courier does not tell UIDNEXT.
    for (name, mailbox) in &mut seen.mailboxes {
        if before.mailboxes.get(name).is_some_and(|m| m.uid_next == 0) {
            mailbox.uid_next = 0;
        }
    }
    same("Courier / Roost", &before, &seen);
    assert_eq!(rights(&mut client(BOB), "INBOX.Work.2024", "carol"), "lrs");
    host.nothing_to_sync(&over_tcp, "Roost");

    live_on(&mut client(BOB), "INBOX.", ".");
    host.mbsync(&over_tcp);
    host.nothing_to_sync(&over_tcp, "Roost, after changes");
    let mut changed = read(BOB);
    host.follow("courier back", &[]);
    let mut session = session();
    let back = Account::read(&mut session.client).unwrap();
    for (name, mailbox) in &mut changed.mailboxes {
        if back.mailboxes.get(name).is_some_and(|m| m.uid_next == 0) {
            mailbox.uid_next = 0;
        }
    }
    same("Roost / Courier", &changed, &back);
    assert_eq!(
        rights(&mut session.client, "INBOX.Work.2024", "carol"),
        "lrs"
    );
    drop(session);
    host.nothing_to_sync(&directly_too, "Courier again");

    // And once more to Roost, which takes Courier's word again.
    assert_eq!(host.shell("systemctl enable --now roost.service").0, 0);
    host.settle("systemctl enable --now roost.service");
    let mut again = read(BOB);
    for (name, mailbox) in &mut again.mailboxes {
        if back.mailboxes.get(name).is_some_and(|m| m.uid_next == 0) {
            mailbox.uid_next = 0;
        }
    }
    same("Courier / Roost again", &back, &again);
    host.nothing_to_sync(&over_tcp, "Roost again");
}
