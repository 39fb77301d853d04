//! The clear-text rules, SASL, limits, and the lines about them in the log.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::maildir;
use roost_tests::process::{Finish, eventually};
use roost_tests::roost::{PASSWORD, Roost, Setup, folder, mail_owner};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::Duration;

fn start(settings: &[(&'static str, &str)]) -> Roost {
    Roost::alone(&Setup::of(&["u", "v"]).with(settings))
}

#[test]
fn clear_text_logins_are_refused_where_the_network_is_not_trusted() {
    let roost = start(&[("auth", "trusted_networks = 192.0.2.0/24")]);
    let mut client = Client::connect(roost.addr()).unwrap();
    assert!(
        client.greeting.contains("LOGINDISABLED"),
        "{}",
        client.greeting
    );
    assert!(
        !client.greeting.contains("AUTH=PLAIN"),
        "{}",
        client.greeting
    );
    let answer = client.command(&format!("LOGIN u {PASSWORD}")).unwrap();
    assert!(
        answer.tagged.starts_with("NO [PRIVACYREQUIRED]"),
        "{}",
        answer.tagged
    );
    let answer = client.command("AUTHENTICATE PLAIN AHUAeA==").unwrap();
    assert!(
        answer.tagged.starts_with("NO [PRIVACYREQUIRED]"),
        "{}",
        answer.tagged
    );
}

#[test]
fn bytes_behind_starttls_are_refused() {
    let roost = start(&[]);
    let mut client = Client::connect(roost.addr()).unwrap();
    client.raw(b"a STARTTLS\r\nb NOOP\r\n").unwrap();
    let first = String::from_utf8_lossy(&client.response().unwrap()).into_owned();
    assert!(!first.starts_with("a OK"), "{first}");
    assert!(client.is_closed_by_server());
}

#[test]
fn a_failed_login_is_logged_as_the_dovecot_filter_wants_it() {
    let roost = start(&[]);
    let mut client = Client::connect(roost.addr()).unwrap();
    assert!(!client.command("LOGIN \"mal<ory>\" x").unwrap().ok());
    drop(client);
    assert!(
        roost.logged("imap-login: Disconnected (auth failed, 1 attempts in "),
        "{}",
        roost.log()
    );
    let log = roost.log();
    let line = log
        .lines()
        .find(|l| l.contains("auth failed, 1 attempts"))
        .unwrap();
    // The form that Debian's fail2ban filter for Dovecot takes, word by word.
    let (_, rest) = line.split_once("attempts in ").unwrap();
    let (secs, rest) = rest.split_once(" secs): user=<").unwrap();
    assert!(secs.parse::<u32>().is_ok());
    let (user, rest) = rest.split_once(">, method=").unwrap();
    assert!(!user.contains(['<', '>', ',']), "{user}");
    let (_, rest) = rest.split_once(", rip=127.0.0.1, lip=127.0.0.1, ").unwrap();
    assert!(rest.contains("session=<IMAP-"), "{line}");
}

#[test]
fn login_and_logout_are_logged_with_who_how_and_whence() {
    let roost = start(&[]);
    let mut client = roost.login("u");
    client.ok("SELECT INBOX").unwrap();
    client.command("LOGOUT").unwrap();
    for part in [
        "Login: user=<u>, method=",
        "rip=127.0.0.1",
        "Logged out in=",
    ] {
        assert!(roost.logged(part), "{part}:\n{}", roost.log());
    }
}

#[test]
fn scram_logs_in_and_binds_to_the_channel() {
    if Command::new("python3").arg("-V").finish().is_err() {
        eprintln!("left out: python3 is not installed");
        return;
    }
    let roost = start(&[]);
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/scram.py");
    let output = Command::new("python3")
        .arg(script)
        .args([
            &roost.port().to_string(),
            &roost.tls_port().to_string(),
            "u",
            PASSWORD,
        ])
        .finish()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&output.stdout).ends_with("done\n"),
        "{}{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        roost.log()
    );
}

#[test]
fn too_many_connections_of_a_user_and_of_an_address() {
    let roost = start(&[("limits", "max_connections_per_user = 2")]);
    let _a = roost.login("u");
    let _b = roost.login("u");
    let mut c = Client::connect(roost.addr()).unwrap();
    let answer = c.command(&format!("LOGIN u {PASSWORD}")).unwrap();
    assert!(answer.tagged.starts_with("NO [LIMIT]"), "{}", answer.tagged);
    let mut d = roost.login("v");
    d.ok("NOOP").unwrap();

    let roost = start(&[("limits", "max_connections_per_ip = 1")]);
    // The harness's own look at the port may not have been forgotten yet.
    let first = eventually(Duration::from_secs(30), || {
        let client = Client::connect(roost.addr()).ok()?;
        client.greeting.starts_with("* OK").then_some(client)
    });
    assert!(first.is_some());
    let b = Client::connect(roost.addr()).unwrap();
    assert!(b.greeting.starts_with("* BYE"), "{}", b.greeting);
}

#[test]
fn failures_of_an_account_are_limited() {
    let roost = start(&[("auth", "max_failures_per_minute = 3")]);
    for _ in 0..3 {
        let mut client = Client::connect(roost.addr()).unwrap();
        assert!(!client.command("LOGIN u wrong").unwrap().ok());
    }
    let mut client = Client::connect(roost.addr()).unwrap();
    let answer = client.command(&format!("LOGIN u {PASSWORD}")).unwrap();
    assert!(!answer.ok(), "the right password helps behind the limit");
}

#[test]
fn the_right_certificate_for_each_name() {
    if Command::new("openssl").arg("version").finish().is_err() {
        eprintln!("left out: openssl is not installed");
        return;
    }
    let dir = folder();
    for name in ["one", "two"] {
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ])
            .args(["-subj", &format!("/CN={name}.example"), "-addext"])
            .arg(format!("subjectAltName=DNS:{name}.example"))
            .arg("-keyout")
            .arg(dir.path().join(format!("{name}.key")))
            .arg("-out")
            .arg(dir.path().join(format!("{name}.pem")))
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
    }
    let path = |f: &str| dir.path().join(f).display().to_string();
    let setup = Setup::of(&["u"]).with(&[
        ("tls", &format!("certificate = {}", path("one.pem"))),
        ("tls", &format!("key = {}", path("one.key"))),
        (
            "tls two.example",
            &format!("certificate = {}", path("two.pem")),
        ),
        ("tls two.example", &format!("key = {}", path("two.key"))),
    ]);
    let roost = Roost::start(dir.path(), &setup).unwrap();
    let subject = |args: &[&str]| {
        let output = Command::new("openssl")
            .args([
                "s_client",
                "-connect",
                &format!("127.0.0.1:{}", roost.tls_port()),
            ])
            .args(args)
            .finish()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|l| l.starts_with("subject="));
        line.unwrap_or("").to_owned()
    };
    assert!(subject(&["-servername", "one.example"]).contains("one.example"));
    assert!(subject(&["-servername", "two.example"]).contains("two.example"));
    assert!(subject(&["-noservername"]).contains("one.example"));
    assert!(subject(&["-servername", "two.example", "-tls1_2"]).contains("two.example"));
    assert!(subject(&["-servername", "two.example", "-tls1_3"]).contains("two.example"));
    assert_eq!(subject(&["-servername", "two.example", "-tls1_1"]), "");
}

/// `user:password` is all that the file has, as for Dovecot's static userdb.
#[test]
fn virtual_accounts_have_their_place_by_the_configuration() {
    let dir = folder();
    let (uid, gid) = mail_owner();
    let homes = dir.path().join("homes");
    let mail_home = format!("mail_home = {}/%d/%n", homes.display());
    let setup = Setup::of(&["u"]).with(&[
        ("auth", &format!("mail_uid = {uid}")),
        ("auth", &format!("mail_gid = {gid}")),
        ("auth", &mail_home),
    ]);
    let roost = Roost::start(dir.path(), &setup).unwrap();
    for name in ["ann", "bob"] {
        let home = homes.join("b.example").join(name);
        fs::create_dir_all(&home).unwrap();
        maildir::give(&home);
    }
    let lines = format!("ann@b.example:{{PLAIN}}{PASSWORD}\nbob@b.example:{{PLAIN}}{PASSWORD}\n");
    fs::write(dir.path().join("passwd"), lines).unwrap();
    for name in ["ann", "bob"] {
        let user = format!("{name}@b.example");
        let mut client = roost.login(&user);
        client.append("INBOX", "", b"Subject: x\r\n\r\n").unwrap();
        let answer = client.command("STATUS INBOX (MESSAGES)").unwrap();
        assert!(answer.lines().any(|line| line.contains("(MESSAGES 1)")));
        let new = homes.join("b.example").join(name).join("Maildir");
        assert_eq!(fs::metadata(new).unwrap().uid(), uid);
    }
}
