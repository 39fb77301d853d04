//! Before and at the login: proxies in front, names that are routed, limits.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roost_tests::client::Client;
use roost_tests::process::{Finish, Group, eventually, free_port, loopback};
use roost_tests::roost::{PASSWORD, Roost, Setup};
use roost_tests::tls;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

fn start(users: &[&str], settings: &[(&'static str, &str)]) -> Roost {
    Roost::alone(&Setup::of(users).with(settings))
}

/// A connection that begins with `header`.
fn behind(addr: SocketAddr, header: &[u8]) -> Client {
    let mut socket = TcpStream::connect(addr).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    socket.write_all(header).unwrap();
    let (r, w) = (socket.try_clone().unwrap(), socket.try_clone().unwrap());
    Client::over(Box::new(r), Box::new(w), Some(socket)).unwrap()
}

fn v1(client: &str, server: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} {server} 4711 143\r\n").into_bytes()
}

#[test]
fn a_proxy_says_who_connects_where() {
    let roost = start(
        &["u", "w@two.example"],
        &[
            ("listen", "proxy_protocol_from = 127.0.0.0/8"),
            ("auth", "trusted_networks = 203.0.113.0/24"),
            ("limits", "max_connections_per_ip = 1"),
            ("domains", "192.0.2.2 = two.example"),
        ],
    );
    let mut first = behind(roost.addr(), &v1("203.0.113.9", "192.0.2.1"));
    assert!(first.command(&format!("LOGIN u {PASSWORD}")).unwrap().ok());
    assert!(roost.logged("Login: user=<u>, method=LOGIN, rip=203.0.113.9, lip=192.0.2.1,"));
    // The domain is that of the address that the client connected to.
    let mut second = behind(roost.addr(), &v1("203.0.113.10", "192.0.2.2"));
    assert!(second.command(&format!("LOGIN w {PASSWORD}")).unwrap().ok());
    assert!(roost.logged("user=<w@two.example>, method=LOGIN, rip=203.0.113.10, "));
    // The limit is that of the client's address, not of the proxy's.
    let again = behind(roost.addr(), &v1("203.0.113.9", "192.0.2.1"));
    assert!(
        again.greeting.starts_with("* BYE [UNAVAILABLE]"),
        "{}",
        again.greeting
    );
    // A binary header, with something behind the addresses.
    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x29".to_vec();
    v2.extend(
        "2001:db8::7"
            .parse::<std::net::Ipv6Addr>()
            .unwrap()
            .octets(),
    );
    v2.extend(
        "2001:db8::1"
            .parse::<std::net::Ipv6Addr>()
            .unwrap()
            .octets(),
    );
    v2.extend([0x12, 0x67, 0, 143, 4, 0, 2, 7, 7]);
    let mut far = behind(roost.addr(), &v2);
    let answer = far.command(&format!("LOGIN u {PASSWORD}")).unwrap().tagged;
    assert!(answer.starts_with("NO [PRIVACYREQUIRED]"), "{answer}");
    // Before TLS, on the port for TLS.
    let mut socket = TcpStream::connect(loopback(roost.tls_port())).unwrap();
    socket.write_all(&v1("203.0.113.11", "192.0.2.1")).unwrap();
    let mut over = tls::over(socket, loopback(roost.tls_port())).unwrap();
    write!(over, "a LOGIN nobody x\r\nb LOGOUT\r\n").unwrap();
    let mut words = String::new();
    let _ = std::io::Read::read_to_string(&mut over, &mut words);
    assert!(words.contains("a NO [AUTHENTICATIONFAILED]"), "{words}");
    assert!(roost.logged("user=<nobody>, method=LOGIN, rip=203.0.113.11, lip=192.0.2.1, TLS"));
    // No header, no service.
    let mut socket = TcpStream::connect(roost.addr()).unwrap();
    socket.write_all(b"a LOGIN u roost-test\r\n").unwrap();
    let mut words = String::new();
    let _ = std::io::Read::read_to_string(&mut socket, &mut words);
    assert_eq!(words, "");
    assert!(roost.logged("connection from proxy 127.0.0.1 refused: no PROXY header"));
}

#[test]
fn haproxy_in_front() {
    if Command::new("haproxy").arg("-v").finish().is_err() {
        eprintln!("left out: haproxy is not installed");
        return;
    }
    let roost = start(&["u"], &[("listen", "proxy_protocol_from = 127.0.0.0/8")]);
    let (clear, secure) = (free_port().unwrap(), free_port().unwrap());
    let config = roost.dir().join("haproxy.cfg");
    let side = |name: &str, port: u16, to: u16, how: &str| {
        // What it is told connects from .3, so that it is not the client.
        format!(
            "listen {name}\n    bind 127.0.0.1:{port}\n    bind 127.0.0.9:{port}\n    \
             server roost 127.0.0.1:{to} source 127.0.0.3 {how}\n"
        )
    };
    let text = format!(
        "defaults\n    mode tcp\n    timeout connect 9s\n    timeout client 30s\n    \
         timeout server 30s\n{}{}",
        side("clear", clear, roost.port(), "send-proxy-v2"),
        side(
            "secure",
            secure,
            roost.tls_port(),
            "send-proxy check inter 1s"
        ),
    );
    fs::write(&config, text).unwrap();
    let mut haproxy =
        Group::start(Command::new("haproxy").arg("-db").arg("-f").arg(&config)).unwrap();
    haproxy.listens(clear, Duration::from_secs(20)).unwrap();
    haproxy.listens(secure, Duration::from_secs(20)).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 9], clear));
    let mut client = Client::login(address, "u", PASSWORD).unwrap();
    assert!(roost.logged("Login: user=<u>, method=LOGIN, rip=127.0.0.1, lip=127.0.0.9,"));
    client.ok("SELECT INBOX").unwrap();
    let mut over = tls::connect(loopback(secure)).unwrap();
    write!(over, "a LOGIN u {PASSWORD}\r\nb LOGOUT\r\n").unwrap();
    let mut words = String::new();
    let _ = std::io::Read::read_to_string(&mut over, &mut words);
    assert!(words.contains("a OK"), "{words}");
    assert!(roost.logged("method=LOGIN, rip=127.0.0.1, lip=127.0.0.1, TLS"));
    // Its own checks are its own; nobody's login is.
    let log = roost.log();
    let mut logins = log.lines().filter(|l| l.contains("Login: "));
    assert!(logins.all(|l| !l.contains("127.0.0.3")), "{log}");
}

#[test]
fn old_names_are_routed_and_who_has_moved_is_referred() {
    let roost = start(
        &["u", "v"],
        &[
            ("server", "default_domain = one.example"),
            ("router", "old.name = u"),
            ("router", "older = Old.Name@one.example"),
            ("router", "moved.name = new.name@other.example"),
        ],
    );
    for name in ["old.name", "OLDER", "older%one.example", "u@one.example"] {
        let mut client = roost.login(name);
        client.ok("SELECT INBOX").unwrap();
    }
    // The canonical name is that of the account file.
    assert!(roost.logged("Login: user=<u>"), "{}", roost.log());
    let mut client = Client::connect(roost.addr()).unwrap();
    assert!(
        client.greeting.contains(" LOGIN-REFERRALS "),
        "{}",
        client.greeting
    );
    let referral = "NO [REFERRAL imap://new.name;AUTH=*@other.example/] ";
    let plain = STANDARD.encode("\0moved.name\0x");
    let first = STANDARD.encode("n,,n=moved.name,r=abcdefgh");
    for command in [
        "LOGIN Moved.Name wrong".to_owned(),
        format!("LOGIN moved.name@one.example {PASSWORD}"),
        format!("AUTHENTICATE PLAIN {plain}"),
        format!("AUTHENTICATE SCRAM-SHA-256 {first}"),
    ] {
        let answer = client.command(&command).unwrap().tagged;
        assert!(answer.starts_with(referral), "{command}: {answer}");
    }
    let answer = client.command("LOGIN old.name wrong").unwrap().tagged;
    assert!(answer.starts_with("NO [AUTHENTICATIONFAILED]"), "{answer}");
    assert!(roost.logged("login of <Moved.Name> is referred to <new.name@other.example>"));
    // Nothing of it counts as a failed login but the last.
    client.command("LOGOUT").unwrap();
    assert!(
        roost.logged("(auth failed, 1 attempts in "),
        "{}",
        roost.log()
    );
    // Mailboxes of others have their owners' old names too.
    let mut v = roost.login("v");
    let mut u = roost.login("u");
    u.ok("CREATE Team").unwrap();
    u.ok("SETACL Team v lr").unwrap();
    v.ok("STATUS ~old.name/Team (MESSAGES)").unwrap();
}

#[test]
fn names_without_a_domain_are_of_the_address() {
    let roost = start(
        &["u@one.example", "u@two.example"],
        &[
            ("server", "default_domain = two.example"),
            ("domains", "127.0.0.1 = one.example"),
        ],
    );
    for (name, account, times) in [
        ("u", "u@one.example", 1),
        ("u%two.example", "u@two.example", 1),
        ("U@One.Example", "u@one.example", 2),
    ] {
        let mut client = roost.login(name);
        client.ok("SELECT INBOX").unwrap();
        let line = format!("Login: user=<{account}>");
        let logged = eventually(Duration::from_secs(30), || {
            (roost.log().matches(&line).count() == times).then_some(())
        });
        assert!(logged.is_some(), "{name}: {}", roost.log());
    }
}

#[test]
fn a_client_that_does_not_log_in_is_sent_away() {
    let roost = start(&["u"], &[("limits", "login_timeout = 1s")]);
    let mut client = Client::connect(roost.addr()).unwrap();
    let words = String::from_utf8(client.response().unwrap()).unwrap();
    assert!(
        words.starts_with("* BYE Too long without a login"),
        "{words}"
    );
    assert!(client.is_closed_by_server());
    drop(client);
    let line = "imap-login: Disconnected: Inactivity (no auth attempts in ";
    assert!(roost.logged(line), "{}", roost.log());
}

#[test]
fn a_session_without_commands_is_ended() {
    let roost = start(&["u"], &[("limits", "idle_timeout = 1s")]);
    let mut client = roost.login("u");
    let words = String::from_utf8(client.response().unwrap()).unwrap();
    assert!(words.starts_with("* BYE "), "{words}");
    assert!(client.is_closed_by_server());
    assert!(
        roost.logged(": Disconnected: Inactivity in="),
        "{}",
        roost.log()
    );
}

#[test]
fn connections_over_the_limit_are_sent_away_and_none_means_none() {
    let roost = start(&["u"], &[("limits", "max_connections = 1")]);
    // The harness's own look at the ports may not have been forgotten yet.
    let first = eventually(Duration::from_secs(30), || {
        let client = Client::connect(roost.addr()).ok()?;
        client.greeting.starts_with("* OK").then_some(client)
    });
    let mut first = first.unwrap();
    let words = "* BYE [UNAVAILABLE] too many connections, try again later";
    assert_eq!(Client::connect(roost.addr()).unwrap().greeting, words);
    assert!(first.command(&format!("LOGIN u {PASSWORD}")).unwrap().ok());
    assert_eq!(Client::connect(roost.addr()).unwrap().greeting, words);
    assert!(roost.logged("connection from 127.0.0.1 refused: max_connections = 1"));
    // 0 closes the ports; who is there stays.
    let path = roost.dir().join("roost.conf");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace("max_connections = 1", "max_connections = 0"),
    )
    .unwrap();
    roost.signal(nix::sys::signal::Signal::SIGHUP);
    let closed = eventually(Duration::from_secs(30), || {
        TcpStream::connect(roost.addr()).is_err().then_some(())
    });
    assert!(closed.is_some());
    first.ok("NOOP").unwrap();
}

#[test]
fn a_master_logs_in_as_another_account() {
    let masters = tempfile::NamedTempFile::new().unwrap();
    fs::write(masters.path(), "root:{PLAIN}key\n").unwrap();
    let setting = format!("master_passwd_file = {}", masters.path().display());
    let roost = start(&["u"], &[("auth", &setting)]);
    let mut client = Client::login(roost.addr(), "u*root", "key").unwrap();
    client.ok("SELECT INBOX").unwrap();
    assert!(roost.logged("<u*root> from 127.0.0.1 is a master and logs in as <u>"));
    assert!(roost.logged("Login: user=<u>, method=LOGIN"));
    let mut client = Client::connect(roost.addr()).unwrap();
    let answer = client
        .command(&format!("LOGIN \"u*root\" {PASSWORD}"))
        .unwrap();
    assert!(answer.tagged.starts_with("NO [AUTHENTICATIONFAILED]"));
    assert!(roost.logged("login of <u*root> from 127.0.0.1 failed: master: password mismatch"));
}
