//! The package where systemd runs: its service, within its sandbox.

use super::{PORTS, PORTS_TAKEN, START, two_debs};
use roost_tests::booted::Booted;
use roost_tests::chroot::Chroot;
use roost_tests::client::Client;
use roost_tests::mail;
use roost_tests::process::{eventually, loopback};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::PoisonError;

const WHAT: &str = "the service under systemd";

fn login(user: &str) -> io::Result<Client> {
    Client::login(loopback(PORTS[0]), user, "sesame")
}

fn copied(host: &Booted, package: &Path) -> String {
    let name = package.file_name().unwrap();
    fs::copy(package, host.chroot().root().join("opt").join(name)).unwrap();
    format!("dpkg -i /opt/{}", name.to_string_lossy())
}

/// What was said last to a client.
fn bye(client: &mut Client) {
    let said = client.response().unwrap();
    assert!(said.starts_with(b"* BYE"), "{said:?}");
}

#[test]
fn systemd_starts_it_shuts_it_in_and_stops_it() {
    let Some(chroot) = Chroot::new(WHAT) else {
        return;
    };
    let Some((_dir, packages)) = two_debs() else {
        return;
    };
    let _ports = PORTS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(host) = Booted::new(chroot, WHAT) else {
        return;
    };
    for user in ["joe", "ann"] {
        let line =
            format!("useradd -m {user}; chmod 700 /home/{user}; echo {user}:sesame | chpasswd");
        host.shell(&line).unwrap();
    }
    is_not_started_before_it_is_wanted(&host, &copied(&host, &packages[0]));
    accounts_share();
    is_kept_and_stopped(&host);
    a_wrong_configuration_is_told(&host);

    let mut session = login("joe").unwrap();
    host.shell(&copied(&host, &packages[1])).unwrap();
    bye(&mut session);
    login("joe").unwrap().ok("SELECT INBOX").unwrap();
    host.shell("systemctl is-enabled roost.socket roost.service")
        .unwrap();
    host.shell("dpkg -P roost").unwrap();
    let failed = host.shell("systemctl --failed --no-legend").unwrap();
    assert_eq!(failed.trim(), "");
    assert!(login("joe").is_err());
}

/// Another server may have the ports.
fn is_not_started_before_it_is_wanted(host: &Booted, install: &str) {
    const UNITS: &str = "roost.socket roost.service";
    let is_off = || {
        for unit in UNITS.split(' ') {
            let line = format!("! systemctl is-active {unit} && ! systemctl is-enabled {unit}");
            host.shell(&line).unwrap();
        }
        assert!(login("joe").is_err());
    };
    host.shell(install).unwrap();
    is_off();
    // Nor is it by an upgrade.
    host.shell(install).unwrap();
    is_off();
    host.shell(&format!("systemctl enable --now {UNITS}"))
        .unwrap();
    host.shell(&format!("systemctl is-active {UNITS}")).unwrap();
}

/// All that the sandbox could stand in the way of.
fn accounts_share() {
    let mut joe = login("joe").unwrap();
    joe.ok("CREATE Team").unwrap();
    assert!(joe.append("Team", "", &mail::small(1)).unwrap().ok());
    joe.ok("SETACL Team ann lr").unwrap();
    let mut ann = login("ann").unwrap();
    ann.ok("SELECT ~joe/Team").unwrap();
    let copied = ann.ok("COPY 1 INBOX").unwrap();
    assert!(copied.tagged.contains("COPYUID"), "{copied:?}");
    assert!(Client::login(loopback(PORTS[0]), "joe", "wrong").is_err());
}

fn is_kept_and_stopped(host: &Booted) {
    let mut joe = login("joe").unwrap();
    host.shell("systemctl reload roost").unwrap();
    joe.ok("SELECT Team").unwrap();
    let who = host.shell("roostctl who").unwrap();
    assert!(who.contains("Selected Team"), "{who}");
    // Systemd tells the supervisor alone, which tells the clients.
    host.shell("systemctl stop roost.service").unwrap();
    bye(&mut joe);
    let said = host.shell("journalctl -u roost --no-pager").unwrap();
    assert!(!said.contains("signal: 15"), "{said}");
    // The socket is open still, and who comes starts the service.
    login("joe").unwrap().ok("SELECT Team").unwrap();
    host.shell("systemctl kill --kill-whom=main -s KILL roost.service")
        .unwrap();
    let again = eventually(START, || login("joe").ok());
    again.unwrap().ok("SELECT Team").unwrap();
}

fn a_wrong_configuration_is_told(host: &Booted) {
    let file = "/etc/roost/roost.conf";
    host.shell(&format!("echo [nonsense] >>{file}")).unwrap();
    let mut joe = login("joe").unwrap();
    assert!(host.shell("systemctl reload roost.service").is_err());
    joe.ok("NOOP").unwrap();
    assert!(host.shell("systemctl restart roost.service").is_err());
    let lines = host.shell(&format!("wc -l <{file}")).unwrap();
    let place = format!("roost.conf:{}", lines.trim());
    let said = host.shell("journalctl -u roost --no-pager").unwrap();
    assert!(said.contains(&place), "{said}");
    host.shell(&format!(
        "sed -i '$d' {file}; systemctl restart roost.service"
    ))
    .unwrap();
}
