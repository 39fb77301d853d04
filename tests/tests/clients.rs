//! Real clients from the distribution's packages against Roost: full sync both
//! ways, and a second sync that finds nothing to do.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::process::Finish;
use roost_tests::roost::{PASSWORD, Roost, Setup, mail_owner};
use roost_tests::state::Mailbox;
use roost_tests::{mail, terminal};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

const USER: &str = "klara";
const OWNER: &str = "olga";

struct Site {
    roost: Roost,
}

fn site() -> Site {
    let roost = Roost::alone(&Setup::of(&[USER, OWNER]));
    Site { roost }
}

/// Another user, who has a mailbox that [`USER`] calls by an alias.
fn shared(site: &Site) -> Client {
    let mut owner = site.roost.login(OWNER);
    owner.ok("CREATE Team").unwrap();
    for n in 1..=3 {
        assert!(owner.append("Team", "()", &mail::small(n)).unwrap().ok());
    }
    owner.ok(&format!("SETACL Team {USER} lrs")).unwrap();
    let mut client = site.client();
    client.ok("CREATE Copies").unwrap();
    let alias = "SETMETADATA Ours (/private/vendor/roost/alias \"~olga/Team\")";
    client.ok(alias).unwrap();
    owner
}

impl Site {
    fn client(&self) -> Client {
        self.roost.login(USER)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.roost.dir().join(name)
    }

    fn fill(&self, n: u32) {
        let mut client = self.client();
        for i in 1..=n {
            let flags = if i % 2 == 0 { "(\\Seen)" } else { "()" };
            assert!(client.append("INBOX", flags, &mail::small(i)).unwrap().ok());
        }
    }

    fn inbox(&self) -> Mailbox {
        Mailbox::read(&mut self.client(), "INBOX").unwrap()
    }
}

/// False, with a word about it, where the program is not installed.
fn have(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|p| std::env::split_paths(&p).any(|d| d.join(program).exists()));
    if !found {
        eprintln!("left out: {program} is not installed");
    }
    found
}

fn run(command: &mut Command) -> Output {
    let output = command.finish().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn files(maildir: &Path) -> Vec<String> {
    let mut names: Vec<_> = ["cur", "new"]
        .iter()
        .flat_map(|d| fs::read_dir(maildir.join(d)).into_iter().flatten())
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn mbsync_config(site: &Site, tls: bool) -> std::path::PathBuf {
    let local = site.path("local");
    fs::create_dir_all(&local).unwrap();
    let (kind, port) = if tls {
        let pin = format!("CertificateFile {}\n", site.path("server.pem").display());
        (format!("SSLType IMAPS\n{pin}"), site.roost.tls_port())
    } else {
        ("SSLType None\n".into(), site.roost.port())
    };
    let text = format!(
        "IMAPAccount roost\nHost 127.0.0.1\nPort {port}\nUser {USER}\nPass {PASSWORD}\n{kind}\
         AuthMechs LOGIN PLAIN\n\nIMAPStore far\nAccount roost\n\n\
         MaildirStore near\nSubFolders Verbatim\nPath {local}/\nInbox {local}/INBOX\n\n\
         Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n",
        local = local.display()
    );
    let path = site.path("mbsyncrc");
    fs::write(&path, text).unwrap();
    path
}

fn mbsync(config: &Path) -> String {
    let output = run(Command::new("mbsync")
        .env("HOME", config.parent().unwrap())
        .args(["-V", "-a", "-c"])
        .arg(config));
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn mbsync_syncs_both_ways() {
    if !have("mbsync") {
        return;
    }
    let site = site();
    site.fill(20);
    let mut client = site.client();
    for name in ["Work", "Work/2024", "&AOk-t&AOk-"] {
        client.ok(&format!("CREATE \"{name}\"")).unwrap();
    }
    assert!(
        client
            .append("Work/2024", "(\\Flagged)", &mail::small(77))
            .unwrap()
            .ok()
    );
    let config = mbsync_config(&site, false);
    mbsync(&config);
    let inbox = site.path("local/INBOX");
    assert_eq!(files(&inbox).len(), 20);
    assert_eq!(files(&site.path("local/Work/2024")).len(), 1);

    // Changes on both sides: flags, deletions, new mail.
    client.ok("SELECT INBOX").unwrap();
    client.ok("STORE 1 +FLAGS (\\Answered)").unwrap();
    client.ok("STORE 2:3 +FLAGS (\\Deleted)").unwrap();
    client.ok("EXPUNGE").unwrap();
    let victim = files(&inbox)
        .into_iter()
        .find(|n| n.contains("U=10"))
        .unwrap();
    let (base, _) = victim.split_once(":2,").unwrap();
    let from = ["cur", "new"]
        .iter()
        .map(|d| inbox.join(d).join(&victim))
        .find(|p| p.exists());
    fs::rename(
        from.unwrap(),
        inbox.join("cur").join(format!("{base}:2,ST")),
    )
    .unwrap();
    fs::write(inbox.join("new/1700000000.local.test"), mail::small(99)).unwrap();
    mbsync(&config);
    let there = site.inbox();
    assert_eq!(there.messages.len(), 18, "{there:?}");
    assert_eq!(files(&inbox).len(), 18);
    assert!(there.messages[&1].flags.contains(&"\\answered".to_owned()));
    assert!(!there.messages.contains_key(&10));

    let before = (site.inbox(), files(&inbox));
    let said = mbsync(&config);
    assert_eq!(before, (site.inbox(), files(&inbox)));
    for word in ["Pushing", "Pulling", "propagat", "Expunging", "Trashing"] {
        assert!(
            !said.contains(word),
            "the second sync did something: {said}"
        );
    }
}

#[test]
fn mbsync_over_tls() {
    if !have("mbsync") || !have("openssl") {
        return;
    }
    let site = site();
    site.fill(3);
    let shown = run(Command::new("openssl").args([
        "s_client",
        "-connect",
        &format!("127.0.0.1:{}", site.roost.tls_port()),
        "-alpn",
        "imap",
    ]));
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains("ALPN protocol: imap"), "{text}");
    let from = text.find("-----BEGIN CERTIFICATE-----").unwrap();
    let end = "-----END CERTIFICATE-----";
    let to = text.find(end).unwrap() + end.len();
    fs::write(site.path("server.pem"), &text[from..to]).unwrap();
    let config = mbsync_config(&site, true);
    mbsync(&config);
    assert_eq!(files(&site.path("local/INBOX")).len(), 3);
}

#[test]
fn curl_reads_searches_and_appends() {
    if !have("curl") {
        return;
    }
    let site = site();
    site.fill(5);
    let url = |scheme: &str, port: u16, rest: &str| format!("{scheme}://127.0.0.1:{port}/{rest}");
    let user = format!("{USER}:{PASSWORD}");
    let curl = |args: &[&str]| {
        let output = run(Command::new("curl")
            .args(["-sS", "-k", "--user", &user])
            .args(args));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let plain = url("imap", site.roost.port(), "INBOX");
    let tls = url("imaps", site.roost.tls_port(), "INBOX");
    for base in [&plain, &tls] {
        let message = curl(&[&format!("{base};MAILINDEX=3")]);
        assert_eq!(message.as_bytes(), mail::small(3));
        let found = curl(&[base, "-X", "SEARCH SUBJECT \"Message 4\""]);
        assert_eq!(found.trim(), "* SEARCH 4");
    }
    // STARTTLS on the clear port.
    let found = curl(&["--ssl-reqd", &plain, "-X", "SEARCH ALL"]);
    assert_eq!(found.trim(), "* SEARCH 1 2 3 4 5");
    fs::write(site.path("up.eml"), mail::small(6)).unwrap();
    curl(&["-T", site.path("up.eml").to_str().unwrap(), &plain]);
    assert_eq!(site.inbox().messages.len(), 6);
    let listed = curl(&[&url("imap", site.roost.port(), "")]);
    assert!(listed.contains("INBOX"), "{listed}");
}

#[test]
fn python_imaplib_does_its_whole_round() {
    python("imaplib_round.py", 4);
}

#[test]
fn a_client_that_compresses() {
    python("deflate.py", 0);
}

/// A script of `clients/`, with so many messages in the mailbox.
fn python(script: &str, messages: u32) {
    if !have("python3") {
        return;
    }
    let site = site();
    site.fill(messages);
    run_python(&site, script, &[]);
}

fn run_python(site: &Site, script: &str, more: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(script);
    let said = run(Command::new("python3")
        .arg(script)
        .args([
            &site.roost.port().to_string(),
            &site.roost.tls_port().to_string(),
            USER,
            PASSWORD,
        ])
        .args(more));
    assert!(String::from_utf8_lossy(&said.stdout).ends_with("done\n"));
}

#[test]
fn mbsync_compresses() {
    if !have("mbsync") {
        return;
    }
    let site = site();
    site.fill(20);
    mbsync(&mbsync_config(&site, false));
    assert_eq!(files(&site.path("local/INBOX")).len(), 20);
    assert!(site.roost.logged("COMPRESS: OK"));
}

#[test]
fn fetchmail_empties_the_mailbox_and_finds_nothing_more() {
    if !have("fetchmail") {
        return;
    }
    let site = site();
    site.fill(4);
    let rc = site.path("fetchmailrc");
    fs::write(
        &rc,
        format!(
            "poll 127.0.0.1 protocol IMAP port {} user \"{USER}\" password \"{PASSWORD}\" \
             sslproto '' fetchall mda \"cat >> {}\"\n",
            site.roost.port(),
            site.path("fetched").display()
        ),
    )
    .unwrap();
    fs::set_permissions(&rc, fs::Permissions::from_mode(0o600)).unwrap();
    let fetch = || {
        let mut command = Command::new("fetchmail");
        command
            .env("FETCHMAILHOME", site.roost.dir())
            .args(["--auth", "password", "-f"])
            .arg(&rc);
        command.finish().unwrap()
    };
    let first = fetch();
    assert!(first.status.success(), "{first:?}");
    let got = fs::read_to_string(site.path("fetched")).unwrap();
    for i in 1..=4 {
        assert!(
            got.contains(&format!("This is body {i}.")),
            "message {i} is missing"
        );
    }
    assert_eq!(site.inbox().messages.len(), 0);
    // 1: there was no mail.
    assert_eq!(fetch().status.code(), Some(1));
}

#[test]
fn getmail_delivers_into_a_maildir() {
    if !have("getmail") {
        return;
    }
    let site = site();
    site.fill(3);
    let target = site.path("got");
    for d in ["cur", "new", "tmp"] {
        fs::create_dir_all(target.join(d)).unwrap();
    }
    let home = site.path("getmail");
    fs::create_dir_all(&home).unwrap();
    fs::write(
        home.join("getmailrc"),
        format!(
            "[retriever]\ntype = SimpleIMAPRetriever\nserver = 127.0.0.1\nport = {}\n\
             username = {USER}\npassword = {PASSWORD}\nmailboxes = (\"INBOX\",)\n\n\
             [destination]\ntype = Maildir\npath = {}/\n\n[options]\nread_all = false\n",
            site.roost.port(),
            target.display()
        ),
    )
    .unwrap();
    // It refuses to deliver as root.
    let (uid, gid) = mail_owner();
    for d in [
        &home,
        &home.join("getmailrc"),
        &target,
        &target.join("cur"),
        &target.join("new"),
        &target.join("tmp"),
    ] {
        std::os::unix::fs::chown(d, Some(uid), Some(gid)).unwrap();
    }
    let get = || {
        let mut command = Command::new("getmail");
        command
            .arg("--getmaildir")
            .arg(&home)
            .env("HOME", &home)
            .uid(uid)
            .gid(gid);
        run(&mut command)
    };
    get();
    assert_eq!(files(&target).len(), 3);
    get();
    assert_eq!(files(&target).len(), 3, "the second run fetched again");
}

/// neomutt with a mailbox open and these keys pressed; what it showed.
fn neomutt(site: &Site, mailbox: &str, settings: &str, keys: &str) -> String {
    let rc = site.path("neomuttrc");
    fs::write(
        &rc,
        format!(
            "set imap_user=\"{USER}\"\nset imap_pass=\"{PASSWORD}\"\nset ssl_starttls=no\n\
             set ssl_force_tls=no\nset folder=\"imap://127.0.0.1:{port}/\"\n\
             set spoolfile=\"imap://127.0.0.1:{port}/{mailbox}\"\nset delete=yes\nset quit=yes\n\
             set header_cache=\"\"\nset confirmappend=no\nset mark_old=no\nset sleep_time=0\n\
             {settings}\npush \"{keys}\"\n",
            port = site.roost.port()
        ),
    )
    .unwrap();
    let (status, shown) = terminal::run(
        "neomutt",
        &["-n", "-F", rc.to_str().unwrap()],
        &[("HOME", site.roost.dir().to_str().unwrap())],
        Duration::from_secs(60),
    )
    .unwrap();
    assert!(status.is_some_and(|s| s.success()), "{status:?}\n{shown}");
    shown
}

#[test]
fn neomutt_shows_flags_and_deletes() {
    if !have("neomutt") {
        return;
    }
    let site = site();
    site.fill(6);
    let keys = "<tag-pattern>~s 'Message 2'<enter><tag-prefix><set-flag>!\
                <untag-pattern>.<enter><delete-pattern>~s 'Message 5'<enter><sync-mailbox><quit>";
    let shown = neomutt(&site, "INBOX", "", keys);
    let inbox = site.inbox();
    assert_eq!(inbox.messages.len(), 5, "{inbox:?}\n{shown}");
    assert!(!inbox.messages.contains_key(&5));
    assert!(
        inbox.messages[&2].flags.contains(&"\\flagged".to_owned()),
        "{inbox:?}"
    );
}

/// Who knows own names only.
#[test]
fn neomutt_works_in_an_alias_of_anothers_mailbox() {
    if !have("neomutt") {
        return;
    }
    let site = site();
    let mut owner = shared(&site);
    let read = site.path("read");
    let keys = format!(
        "<search>~s 'Message 2'<enter><display-message><exit>\
         <pipe-message>cat > {}<enter><copy-message><kill-line>=Copies<enter><quit>",
        read.display()
    );
    let shown = neomutt(&site, "Ours", "set wait_key=no", &keys);
    let read = fs::read_to_string(read).unwrap();
    assert!(read.contains("This is body 2."), "{read}\n{shown}");
    let team = Mailbox::read(&mut owner, "Team").unwrap();
    assert_eq!(team.messages.len(), 3, "{team:?}");
    let seen = |uid: u32| team.messages[&uid].flags.contains(&"\\seen".to_owned());
    assert!(seen(2) && !seen(1) && !seen(3), "{team:?}\n{shown}");
    let copies = Mailbox::read(&mut site.client(), "Copies").unwrap();
    let size = mail::small(2).len() as u64;
    let sizes: Vec<_> = copies.messages.values().map(|m| m.size).collect();
    assert_eq!(sizes, [size], "{shown}");
}

#[test]
fn a_client_that_knows_subscriptions_only() {
    if !have("python3") {
        return;
    }
    let site = site();
    site.fill(2);
    let _owner = shared(&site);
    let mut client = site.client();
    let names = ["Ours", "~olga/Team", "INBOX"];
    for name in names {
        client.ok(&format!("SUBSCRIBE {name}")).unwrap();
    }
    run_python(&site, "lsub.py", &names);
}
