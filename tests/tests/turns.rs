//! Roost and Dovecot (acl and quota plugins) on one site, in turns: after
//! each of them the other finds the same mail, UIDs, rights of everybody,
//! usage and subscriptions, and what only Roost knows is still there.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::dovecot::{self, Dovecot};
use roost_tests::process::in_namespace;
use roost_tests::roost::{self, Roost, Setup};
use roost_tests::site::Site;
use roost_tests::state::{Account, difference};
use roost_tests::{mail, state};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

const OWNER: &str = "maria";
const USERS: [&str; 4] = [OWNER, "bob", "carol", "dave"];
const SHARED: [&str; 4] = ["INBOX", "Team", "Team/sub", "Private"];
const ALIAS: &str = "Short";
const FOREIGN: &str = "~bob/Desk";

/// All are in the group `staff`.
const PLUGINS: &str = "
mail_plugins = acl quota
protocol imap {
  mail_plugins = acl quota imap_acl imap_quota
}
plugin {
  acl = vfile
  acl_anyone = allow
  acl_groups = staff
  quota = maildir:User quota
  quota_rule = *:bytes=1000000:messages=1000
}
";

fn roost_of(site: &Site) -> Roost {
    let groups = USERS.map(|user| (user.to_owned(), "staff".to_owned()));
    let quota = ["storage = 1000000", "messages = 1000"].map(|line| ("quota", line));
    let setup = Setup {
        groups: groups.into(),
        ..Setup::of(&USERS)
    };
    let setup = setup
        .with(&quota)
        .with(&[("mail", "imap_sees_non_mail = yes")]);
    site.roost(setup).unwrap()
}

/// A server, and how one logs in.
#[derive(Clone, Copy)]
struct Server(SocketAddr, &'static str);

impl Server {
    fn of(roost: &Roost) -> Self {
        Self(roost.addr(), roost::PASSWORD)
    }

    fn of_peer(peer: &Dovecot) -> Self {
        Self(peer.addr(), dovecot::PASSWORD)
    }

    fn login(self, user: &str) -> Client {
        Client::login(self.0, user, self.1).unwrap()
    }
}

/// What everybody can know of the site.
#[derive(Debug, PartialEq, Eq)]
struct Picture {
    /// By user and mailbox of the owner; none where it is out of sight.
    rights: BTreeMap<(String, String), String>,
    /// By mailbox and identifier.
    entries: BTreeMap<(String, String), String>,
    usage: String,
}

impl Picture {
    fn of(server: Server) -> (Self, Account) {
        let mut rights = BTreeMap::new();
        for user in USERS {
            let mut client = server.login(user);
            for mailbox in SHARED {
                let name = match user {
                    OWNER => mailbox.to_owned(),
                    _ => format!("~{OWNER}/{mailbox}"),
                };
                let may = rights_to(&mut client, &name);
                rights.insert((user.to_owned(), mailbox.to_owned()), may);
            }
        }
        let mut owner = server.login(OWNER);
        let mut entries = BTreeMap::new();
        for mailbox in SHARED {
            for (identifier, letters) in entries_of(&mut owner, mailbox) {
                entries.insert((mailbox.to_owned(), identifier), letters);
            }
        }
        let usage = usage(&mut owner);
        let mut account = Account::read(&mut owner).unwrap();
        // What Dovecot has no face for: see `own_things`.
        account.mailboxes.remove(ALIAS);
        account.subscribed.remove(FOREIGN);
        let picture = Self {
            rights,
            entries,
            usage,
        };
        (picture, account)
    }
}

/// The letters of RFC 4314, in one order.
fn letters(rights: &str) -> String {
    let all = "lrwstipekxa".chars();
    all.filter(|&letter| rights.contains(letter)).collect()
}

fn line(client: &mut Client, command: &str, start: &str) -> Option<String> {
    let answer = client.command(command).unwrap();
    let line = answer.lines().find(|line| line.starts_with(start));
    line.filter(|_| answer.ok())
}

fn rights_to(client: &mut Client, mailbox: &str) -> String {
    let line = line(client, &format!("MYRIGHTS {mailbox}"), "* MYRIGHTS ");
    let may = line.and_then(|line| Some(line.rsplit_once(' ')?.1.to_owned()));
    may.map(|rights| letters(&rights)).unwrap_or_default()
}

/// Without those of the owner, which Dovecot does not list everywhere.
fn entries_of(client: &mut Client, mailbox: &str) -> Vec<(String, String)> {
    let line = line(client, &format!("GETACL {mailbox}"), "* ACL ").unwrap();
    let words: Vec<_> = line.split_whitespace().skip(3).collect();
    let pairs = words.chunks(2).map(|pair| {
        let identifier = pair[0].trim_matches('"').replace('$', "#");
        (identifier, letters(pair[1]))
    });
    pairs
        .filter(|(identifier, _)| identifier != OWNER && identifier != "owner")
        .collect()
}

fn usage(client: &mut Client) -> String {
    let line = line(client, "GETQUOTAROOT INBOX", "* QUOTA ").unwrap();
    let (_, list) = line.split_once('(').unwrap();
    list.to_owned()
}

/// What only Roost tells.
fn own_things(server: Server) -> Vec<String> {
    let mut owner = server.login(OWNER);
    let mut told = Vec::new();
    for command in [
        "GETMETADATA Team (/shared/comment /shared/vendor/roost/class)",
        "STATUS Short (MESSAGES UIDNEXT)",
        "LIST \"\" Short",
        "LSUB \"\" ~*",
    ] {
        told.extend(owner.ok(command).unwrap().lines());
    }
    told
}

fn append(client: &mut Client, mailbox: &str, flags: &str, n: u32) {
    assert!(client.append(mailbox, flags, &mail::small(n)).unwrap().ok());
}

/// What each server does when it is its turn; `n` is the number of the turn.
fn work(server: Server, n: u32) {
    let mut owner = server.login(OWNER);
    let mut bob = server.login("bob");
    append(&mut owner, "Team", "(\\Flagged)", n);
    append(&mut owner, "INBOX", "()", n);
    append(&mut bob, "~maria/Team", "(\\Seen)", 100 + n);
    owner.ok("SELECT Team").unwrap();
    owner.ok("STORE 1 +FLAGS (\\Deleted)").unwrap();
    owner.ok("EXPUNGE").unwrap();
    owner.ok(&format!("STORE 1 +FLAGS (Turn{n})")).unwrap();
    owner.ok("COPY 1 Team/sub").unwrap();
    owner.ok("CLOSE").unwrap();
    let last = if n.is_multiple_of(2) { "lr" } else { "l" };
    owner.ok(&format!("SETACL Team/sub carol {last}")).unwrap();
    owner.ok(&format!("SETACL INBOX user{n} lrs")).unwrap();
    let turns = format!("Turn{n}");
    owner.ok(&format!("CREATE {turns}")).unwrap();
    owner.ok(&format!("SUBSCRIBE {turns}")).unwrap();
}

/// The other server sees what this one showed.
fn same(before: &(Picture, Account), after: &(Picture, Account), when: &str) {
    assert_eq!(before.0, after.0, "{when}");
    if let Some(what) = difference(&before.1, &after.1) {
        panic!("{when}: {what}");
    }
}

#[test]
fn rights_usage_and_mail_are_the_same_in_turns() {
    if !in_namespace("Roost and Dovecot in turns on what is shared") {
        return;
    }
    let site = Site::new(&USERS).unwrap();
    let roost = roost_of(&site);
    let mut maria = Server::of(&roost).login(OWNER);
    for command in [
        "CREATE Team",
        "SETACL Team #staff lr",
        "SETACL Team bob lrswipte",
        "SETACL Team -carol r",
        "CREATE Team/sub",
        "SETACL Team/sub -#staff r",
        "SETACL Team/sub dave lrsk",
        "CREATE Private",
        "SETACL Private anyone l",
        "SUBSCRIBE Team",
        "SUBSCRIBE Team/sub",
        "SUBSCRIBE ~bob/Desk",
        "SETMETADATA Team (/shared/comment \"ours\")",
        "SETMETADATA Team (/shared/vendor/roost/class \"IPF.Note\")",
        "SETMETADATA Short (/private/vendor/roost/alias \"Team\")",
    ] {
        maria.ok(command).unwrap();
    }
    append(&mut maria, "Team", "(\\Answered Label)", 1);
    append(&mut maria, "Team", "()", 2);
    drop(maria);
    work(Server::of(&roost), 1);
    let mut seen = Picture::of(Server::of(&roost));
    let own = own_things(Server::of(&roost));
    assert_eq!(own.len(), 4, "{own:?}");
    roost.stop();
    let of = |user: &str, mailbox: &str| {
        let key = (user.to_owned(), mailbox.to_owned());
        seen.0.rights[&key].clone()
    };
    assert_eq!(of("bob", "Team"), "lrwstipe");
    assert_eq!(of("carol", "Team"), "l");
    assert_eq!(of("dave", "Private"), "l");

    for turn in 1..=2 {
        let peer = site
            .dovecot(&format!("{PLUGINS}{}", dovecot::OTHERS))
            .unwrap();
        let server = Server::of_peer(&peer);
        same(&seen, &Picture::of(server), &format!("Dovecot, {turn}"));
        work(server, 2 * turn);
        seen = Picture::of(server);
        drop(peer.stop());
        let roost = roost_of(&site);
        let server = Server::of(&roost);
        same(&seen, &Picture::of(server), &format!("Roost, {turn}"));
        let still = own_things(server);
        assert_eq!(still[0], own[0]);
        assert_eq!(still[2..], own[2..]);
        work(server, 2 * turn + 1);
        seen = Picture::of(server);
        roost.stop();
    }
    let names: BTreeSet<_> = seen.1.subscribed.iter().map(String::as_str).collect();
    assert!(
        names.contains("Team") && names.contains("Turn5"),
        "{names:?}"
    );
    let team: &state::Mailbox = &seen.1.mailboxes["Team"];
    assert!(!team.messages.is_empty());
}
