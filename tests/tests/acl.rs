//! Rights that Dovecot has given count with Roost, and the reverse; Courier's
//! are taken over, and Dovecot comes to the same.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::dovecot::{self, Dovecot};
use roost_tests::process::in_namespace;
use roost_tests::roost::{self, MAIL_UID, Roost, Setup};
use roost_tests::site::Site;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

const OWNER: &str = "maria";

/// Everybody is in the group `staff`.
const PLUGINS: &str = "
mail_plugins = acl
protocol imap {
  mail_plugins = acl imap_acl
}
plugin {
  acl = vfile
  acl_anyone = allow
  acl_groups = staff
}
namespace shared {
  type = shared
  separator = /
  prefix = shared/%%u/
  location = maildir:%%h/Maildir:INDEX=~/shared/%%u
  list = no
  subscriptions = no
}
";

fn new_site() -> Site {
    Site::new(&[OWNER, "bob", "carol", "dave"]).unwrap()
}

fn roost_of(site: &Site) -> Roost {
    site.roost(Setup::of(&[OWNER])).unwrap()
}

fn rights_file(site: &Site, mailbox: &str) -> PathBuf {
    site.maildir(OWNER)
        .join(format!(".{mailbox}"))
        .join("dovecot-acl")
}

/// What an answer tells of `mailbox`.
fn told(client: &mut Client, command: &str, mailbox: &str) -> String {
    let answer = client.ok(&format!("{command} {mailbox}")).unwrap();
    let start = format!("* {} ", command.replace("GETACL", "ACL"));
    let line = answer.lines().find(|l| l.starts_with(&start)).unwrap();
    let at = line.find(mailbox).unwrap() + mailbox.len();
    line[at..].trim_matches(['"', ' ']).to_owned()
}

/// The letters of RFC 4314, in order.
fn letters(rights: &str) -> String {
    let all = "lrwstipekxa".chars();
    all.filter(|&letter| rights.contains(letter)).collect()
}

/// What `user` may do with the owner's mailbox, as Dovecot sees it.
fn with_dovecot(peer: &Dovecot, user: &str, mailbox: &str) -> String {
    let mut client = Client::login(peer.addr(), user, dovecot::PASSWORD).unwrap();
    let name = format!("shared/{OWNER}/{mailbox}");
    let answer = client.command(&format!("MYRIGHTS {name}")).unwrap();
    match answer.ok() {
        true => letters(&told(&mut client, "MYRIGHTS", &name)),
        false => String::new(),
    }
}

#[test]
fn dovecot_reads_what_roost_wrote() {
    if !in_namespace("Roost's rights with Dovecot") {
        return;
    }
    let site = new_site();
    let roost = roost_of(&site);
    let mut maria = Client::login(roost.addr(), OWNER, roost::PASSWORD).unwrap();
    for command in [
        "CREATE Team",
        "SETACL Team #staff lr",
        "SETACL Team bob lrwstipekxa",
        "SETACL Team -bob ex",
        "SETACL Team !#nobody l",
        "SETACL Team \"carol ann\" lrs",
        "SETACL Team -owner x",
        "CREATE Team/sub",
        "SETACL Team/sub #staff \"\"",
        "SETACL Team/sub dave l",
    ] {
        maria.ok(command).unwrap();
    }
    let seen = told(&mut maria, "GETACL", "Team");
    drop(maria);
    roost.stop();

    let peer = site.dovecot(PLUGINS).unwrap();
    assert_eq!(with_dovecot(&peer, "bob", "Team"), "lrwstipka");
    assert_eq!(with_dovecot(&peer, "carol", "Team"), "lr");
    assert_eq!(with_dovecot(&peer, "carol", "Team/sub"), "");
    assert_eq!(with_dovecot(&peer, "dave", "Team/sub"), "l");
    let mut maria = Client::login(peer.addr(), OWNER, dovecot::PASSWORD).unwrap();
    assert_eq!(letters(&told(&mut maria, "MYRIGHTS", "Team")), "lrwstipeka");
    // A change by Dovecot keeps all of ours.
    maria.ok("SETACL Team dave r").unwrap();
    drop(maria);
    peer.stop();

    let roost = roost_of(&site);
    let mut maria = Client::login(roost.addr(), OWNER, roost::PASSWORD).unwrap();
    maria.ok("DELETEACL Team dave").unwrap();
    assert_eq!(told(&mut maria, "GETACL", "Team"), seen);
}

#[test]
fn roost_reads_what_dovecot_wrote() {
    if !in_namespace("Dovecot's rights with Roost") {
        return;
    }
    let site = new_site();
    let peer = site.dovecot(PLUGINS).unwrap();
    let mut maria = Client::login(peer.addr(), OWNER, dovecot::PASSWORD).unwrap();
    for command in [
        "CREATE Team",
        "SETACL Team anyone l",
        "SETACL Team $staff lr",
        "SETACL Team -$staff r",
        "SETACL Team bob lrs",
        "SETACL Team -bob s",
        "SETACL Team \"carol \\\"ann\\\"\" lr",
        "SETACL Team !$away l",
    ] {
        maria.ok(command).unwrap();
    }
    drop(maria);
    peer.stop();
    let before = fs::read_to_string(rights_file(&site, "Team")).unwrap();

    let roost = roost_of(&site);
    let mut maria = Client::login(roost.addr(), OWNER, roost::PASSWORD).unwrap();
    assert_eq!(
        told(&mut maria, "GETACL", "Team"),
        "maria lrwstipekxacd anyone l #staff lr -#staff r bob lrs -bob s \
         \"carol \\\"ann\\\"\" lr !#away l"
    );
    maria.ok("SETACL Team dave l").unwrap();
    maria.ok("DELETEACL Team dave").unwrap();
    assert_eq!(
        fs::read_to_string(rights_file(&site, "Team")).unwrap(),
        before
    );
}

#[test]
fn rights_of_courier_are_those_of_roost_and_of_dovecot() {
    if !in_namespace("Courier's rights") {
        return;
    }
    let site = new_site();
    let roost = roost_of(&site);
    let mut maria = Client::login(roost.addr(), OWNER, roost::PASSWORD).unwrap();
    maria.ok("CREATE Team").unwrap();
    drop(maria);
    roost.stop();
    let inbox = site.maildir(OWNER).join("courierimapacl");
    write(&inbox, "owner aceilrstwx\nadministrators aceilrstwx\n");
    write(
        &rights_file(&site, "Team").with_file_name("courierimapacl"),
        "owner aceilrstwx\nanyone lr\nuser=bob cs\n-user=carol r\n",
    );
    let roost = roost_of(&site);
    let mut maria = Client::login(roost.addr(), OWNER, roost::PASSWORD).unwrap();
    assert_eq!(
        told(&mut maria, "GETACL", "Team"),
        "maria lrwstipekxacd anyone lr bob lrskc -carol r"
    );
    drop(maria);
    roost.stop();
    let peer = site.dovecot(PLUGINS).unwrap();
    assert_eq!(with_dovecot(&peer, "bob", "Team"), "lrsk");
    assert_eq!(with_dovecot(&peer, "carol", "Team"), "l");
    assert_eq!(with_dovecot(&peer, "dave", "Team"), "lr");
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    chown(path, Some(MAIL_UID), Some(MAIL_UID)).unwrap();
}
