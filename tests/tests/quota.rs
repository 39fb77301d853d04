//! Roost and Dovecot on one Maildir, in turns: both keep `maildirsize`, agree
//! on what is used, and refuse at the same moment.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::dovecot;
use roost_tests::mail;
use roost_tests::process::is_root;
use roost_tests::roost::Setup;
use roost_tests::site::Site;
use std::fs;

const USER: &str = "maria";
const PLUGIN: &str = "mail_plugins = quota
protocol imap {
  mail_plugins = quota imap_quota
}
plugin {
  quota = maildir:User quota
  quota_rule = *:bytes=20000:messages=12
}
";

/// What stands between the parentheses of the QUOTA response.
fn usage(client: &mut Client) -> String {
    let answer = client.ok("GETQUOTAROOT INBOX").unwrap();
    let line = answer.lines().find(|l| l.starts_with("* QUOTA ")).unwrap();
    let (_, list) = line.split_once('(').unwrap();
    list.trim_end().trim_end_matches(')').to_owned()
}

#[test]
fn roost_and_dovecot_agree_on_what_is_used() {
    if !dovecot::installed() || !is_root() {
        eprintln!("left out (quota with Dovecot): needs root and the package dovecot-imapd");
        return;
    }
    let site = Site::new(&[USER]).unwrap();
    let peer = site.dovecot(PLUGIN).unwrap();
    let quota = ["storage = 20000", "messages = 12"].map(|line| ("quota", line));
    let roost = site.roost(Setup::of(&[USER]).with(&quota)).unwrap();
    let mut theirs = Client::login(peer.addr(), USER, dovecot::PASSWORD).unwrap();
    let mut ours = roost.login(USER);
    let agree = |theirs: &mut Client, ours: &mut Client, messages: u32, when: &str| {
        let told = usage(ours);
        assert!(
            told.contains(&format!("MESSAGE {messages} 12")),
            "{when}: {told}"
        );
        assert_eq!(told, usage(theirs), "{when}");
    };
    agree(&mut theirs, &mut ours, 0, "at first");
    ours.ok("CREATE Work").unwrap();
    for i in 1..=3 {
        assert!(ours.append("INBOX", "()", &mail::small(i)).unwrap().ok());
        assert!(
            theirs
                .append("Work", "()", &mail::small(i + 10))
                .unwrap()
                .ok()
        );
    }
    agree(&mut theirs, &mut ours, 6, "after APPEND");
    for client in [&mut ours, &mut theirs] {
        client.ok("SELECT INBOX").unwrap();
        client.ok("COPY 1:2 Work").unwrap();
    }
    agree(&mut theirs, &mut ours, 10, "after COPY");
    ours.ok("MOVE 3 Work").unwrap();
    agree(&mut theirs, &mut ours, 10, "after MOVE");
    for client in [&mut ours, &mut theirs] {
        client.ok("SELECT Work").unwrap();
        client.ok("STORE 1 +FLAGS (\\Deleted)").unwrap();
        client.ok("EXPUNGE").unwrap();
    }
    agree(&mut theirs, &mut ours, 8, "after EXPUNGE");
    for i in 0..2 {
        assert!(ours.append("INBOX", "()", &mail::small(i)).unwrap().ok());
        assert!(theirs.append("INBOX", "()", &mail::small(i)).unwrap().ok());
    }
    for client in [&mut ours, &mut theirs] {
        let full = client.append("INBOX", "()", &mail::small(9)).unwrap();
        assert!(full.tagged.contains("NO [OVERQUOTA]"), "{}", full.tagged);
    }
    agree(&mut theirs, &mut ours, 12, "when it is full");
    // Sums that are wrong refuse nobody for long.
    ours.ok("CLOSE").unwrap();
    theirs.ok("CLOSE").unwrap();
    ours.ok("DELETE Work").unwrap();
    agree(&mut theirs, &mut ours, 6, "after DELETE");
    fs::write(
        site.maildir(USER).join("maildirsize"),
        "20000S,12C\n1 40\n2 2\n",
    )
    .unwrap();
    assert!(ours.append("INBOX", "()", &mail::small(9)).unwrap().ok());
    agree(&mut theirs, &mut ours, 7, "counted anew");
}
