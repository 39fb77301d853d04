//! Statistics over SNMP: `contrib/snmp`, with net-snmp where it is installed.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::process::{Finish, Group, eventually, executables};
use roost_tests::roost::{Roost, Setup, folder};
use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const BASE: &str = ".1.3.6.1.4.1.8072.9999.9999.143";
const PATIENCE: Duration = Duration::from_secs(60);

fn contrib(name: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .join("../contrib/snmp")
        .join(name)
        .canonicalize()
        .unwrap()
}

/// The arguments that the script takes.
fn roostctl(dir: &Path) -> [String; 3] {
    let program = executables().join("roostctl");
    let config = dir.join("roost.conf");
    [program, "-c".into(), config].map(|word| word.to_str().unwrap().to_owned())
}

/// What the script answers to what snmpd would say.
fn asked(dir: &Path, said: &str) -> String {
    let mut script = Command::new("python3");
    let script = script.arg(contrib("roost-snmp")).args(roostctl(dir));
    let output = script.finish_on(said).unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_script_speaks_with_snmpd() {
    let dir = folder();
    let roost = Roost::start(dir.path(), &Setup::of(&["u"])).unwrap();
    let mut u = roost.login("u");
    u.ok("NOOP").unwrap();
    let active = format!("{BASE}.1.1.0\ngauge\n1\n");
    // The login may be on its way to the worker.
    let get = format!("PING\nget\n{BASE}.1.1.0\n");
    let seen = eventually(PATIENCE, || {
        (asked(dir.path(), &get) == format!("PONG\n{active}")).then_some(())
    });
    assert!(seen.is_some(), "{}", asked(dir.path(), &get));
    let noop = "78.79.79.80";
    let questions = [
        (
            "get",
            format!("{BASE}.1.9.1.2.{noop}"),
            format!("{BASE}.1.9.1.2.{noop}\ncounter64\n1\n"),
        ),
        ("getnext", BASE.to_owned(), active.clone()),
        ("get", format!("{BASE}.1.99.0"), "NONE\n".into()),
        ("get", "nonsense".into(), "NONE\n".into()),
        ("getnext", format!("{BASE}.1.9.1.3.255"), "NONE\n".into()),
        (
            "set",
            format!("{BASE}.1.1.0\ngauge 7"),
            "not-writable\n".into(),
        ),
    ];
    let said: String = questions
        .iter()
        .map(|(word, oid, _)| format!("{word}\n{oid}\n"))
        .collect();
    let wanted: String = questions
        .iter()
        .map(|(_, _, answer)| answer.as_str())
        .collect();
    assert_eq!(asked(dir.path(), &said), wanted);
    drop(u);
    roost.stop();
    let nothing = asked(dir.path(), &format!("PING\ngetnext\n{BASE}\n"));
    assert_eq!(nothing, "PONG\nNONE\n", "without a server");
}

#[test]
fn net_snmp_tells_it() {
    if !Path::new("/usr/sbin/snmpd").exists() {
        eprintln!("skipped: no snmpd");
        return;
    }
    let dir = folder();
    let roost = Roost::start(dir.path(), &Setup::of(&["u"])).unwrap();
    let _u = roost.login("u");
    let free = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let script = contrib("roost-snmp");
    let config = format!(
        "agentaddress udp:{free}\nrocommunity public 127.0.0.1\npass_persist {BASE} {} {}\n",
        script.display(),
        roostctl(dir.path()).join(" ")
    );
    fs::write(dir.path().join("snmpd.conf"), config).unwrap();
    let mut snmpd = Command::new("/usr/sbin/snmpd");
    snmpd
        .args(["-f", "-Le", "-r", "-C", "-c"])
        .arg(dir.path().join("snmpd.conf"))
        .env("SNMP_PERSISTENT_DIR", dir.path().join("snmp"))
        .stderr(Stdio::null());
    let _snmpd = Group::start(&mut snmpd).unwrap();
    let walk = || {
        let output = Command::new("snmpwalk")
            .args(["-v2c", "-c", "public", "-On", "-t", "5", "-m", ""])
            .args([&free.to_string(), BASE])
            .finish()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let seen = eventually(PATIENCE, || {
        let text = walk();
        text.contains(&format!("{BASE}.1.1.0 = Gauge32: 1\n"))
            .then_some(text)
    });
    let text = seen.unwrap_or_else(|| panic!("{}", walk()));
    for (number, kind) in [
        (2, "Counter64: "),
        (3, "Gauge32: 0\n"),
        (7, "Counter64: 0\n"),
    ] {
        assert!(
            text.contains(&format!("{BASE}.1.{number}.0 = {kind}")),
            "{text}"
        );
    }
}
