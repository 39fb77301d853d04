//! Sidecars that are damaged, deleted or replaced while a session has the
//! mailbox open, and Maildirs that are not what they should be.

use super::{Place, login, read};
use roost_tests::client::Client;
use roost_tests::mail;
use roost_tests::maildir;
use roost_tests::process::is_root;
use roost_tests::roost::Roost;
use roost_tests::state::Mailbox;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn append(client: &mut Client, number: u32) -> u32 {
    let answer = client.append("INBOX", "", &mail::small(number)).unwrap();
    assert!(answer.ok(), "{}", answer.tagged);
    let uid = answer.tagged.split([' ', ']']).nth(3);
    uid.and_then(|u| u.parse().ok()).expect("APPENDUID")
}

/// Ten messages with keywords; the last one is expunged.
fn furnish(roost: &Roost) -> (Client, Mailbox) {
    let mut client = login(roost);
    for n in 1..=10 {
        append(&mut client, n);
    }
    let before = {
        client.ok("SELECT INBOX").unwrap();
        client.ok("STORE 1:5 +FLAGS (Alpha)").unwrap();
        client.ok("STORE 3:7 +FLAGS (Beta)").unwrap();
        client.ok("STORE 10 +FLAGS (\\Deleted)").unwrap();
        client.ok("EXPUNGE").unwrap();
        read(&mut client, "INBOX")
    };
    client.ok("SELECT INBOX").unwrap();
    (client, before)
}

/// What the messages of `before` are like later.
fn unchanged(before: &Mailbox, after: &Mailbox) {
    assert_eq!(before.uid_validity, after.uid_validity);
    for (uid, message) in &before.messages {
        assert_eq!(Some(message), after.messages.get(uid), "UID {uid}");
    }
}

/// Something happens to the files while a session has the mailbox open.
fn survives(damage: impl FnOnce(&Place, &Path)) -> Place {
    let place = Place::new();
    let mut roost = place.roost();
    let (mut client, before) = furnish(&roost);
    damage(&place, &place.maildir());
    let uid = append(&mut client, 11);
    assert!(uid > 10, "UID {uid} was given out before");
    client.ok("NOOP").unwrap();
    client.ok("STORE 9 +FLAGS (Gamma)").unwrap();
    client.ok("STORE 9 -FLAGS (Gamma)").unwrap();
    unchanged(&before, &read(&mut client, "INBOX"));
    roost.crash_and_restart().unwrap();
    let mut client = login(&roost);
    unchanged(&before, &read(&mut client, "INBOX"));
    assert!(append(&mut client, 12) > uid);
    place
}

fn set_aside(place: &Place) -> bool {
    let entries = fs::read_dir(place.maildir()).unwrap().flatten();
    entries
        .into_iter()
        .any(|e| e.file_name().to_string_lossy().contains(".damaged"))
}

#[test]
fn a_uid_list_cut_off_in_a_line() {
    let place = survives(|_, maildir| {
        let path = maildir.join("dovecot-uidlist");
        let list = fs::OpenOptions::new().write(true).open(path).unwrap();
        let size = list.metadata().unwrap().len();
        list.set_len(size / 2).unwrap();
    });
    assert!(set_aside(&place));
}

#[test]
fn a_uid_list_overwritten_with_noise() {
    let place = survives(|_, maildir| {
        let path = maildir.join("dovecot-uidlist");
        let mut text = fs::read(&path).unwrap();
        text[..60].fill(b'\0');
        fs::write(path, text).unwrap();
    });
    assert!(set_aside(&place));
}

#[test]
fn an_empty_uid_list() {
    survives(|_, maildir| fs::write(maildir.join("dovecot-uidlist"), "").unwrap());
}

#[test]
fn a_deleted_uid_list() {
    survives(|_, maildir| fs::remove_file(maildir.join("dovecot-uidlist")).unwrap());
}

#[test]
fn deleted_names_of_keywords() {
    survives(|_, maildir| fs::remove_file(maildir.join("dovecot-keywords")).unwrap());
}

#[test]
fn names_of_keywords_overwritten_with_noise() {
    survives(|_, maildir| fs::write(maildir.join("dovecot-keywords"), "\0\0\0\n1").unwrap());
}

#[test]
fn a_letter_without_a_name_goes_to_no_new_keyword() {
    let place = Place::new();
    let mut roost = place.roost();
    let (client, _) = furnish(&roost);
    drop(client);
    roost.crash_and_restart().unwrap();
    // The names are lost while nobody knows them, the index included.
    fs::remove_dir_all(place.maildir().join("roost-index")).unwrap();
    fs::remove_file(place.maildir().join("dovecot-keywords")).unwrap();
    let mut client = login(&roost);
    client.ok("SELECT INBOX").unwrap();
    client.ok("STORE 9 +FLAGS (Gamma)").unwrap();
    for n in 0..2 {
        let inbox = read(&mut client, "INBOX");
        let with = |name: &str| -> Vec<u32> {
            let has = |flags: &[String]| flags.iter().any(|f| f == name);
            let carriers = inbox.messages.iter().filter(|(_, m)| has(&m.flags));
            carriers.map(|(&uid, _)| uid).collect()
        };
        assert_eq!(with("gamma"), [9], "look {n}");
        assert_eq!(with("unknown-0"), [1, 2, 3, 4, 5]);
        roost.crash_and_restart().unwrap();
        client = login(&roost);
    }
}

#[test]
fn another_uidvalidity_is_another_mailbox() {
    let place = Place::new();
    let roost = place.roost();
    let (mut client, before) = furnish(&roost);
    let path = place.maildir().join("dovecot-uidlist");
    let text = fs::read_to_string(&path).unwrap();
    let (old, new) = (before.uid_validity, before.uid_validity + 7);
    let aside = place.maildir().join("edited");
    let edited = text.replacen(&format!("V{old}"), &format!("V{new}"), 1);
    place.write(&aside, edited.as_bytes());
    fs::rename(aside, path).unwrap();
    place.write(
        &place.maildir().join("new/1700000001.M1P1.test"),
        &mail::small(7),
    );
    // The session is ended, or serves nothing more under the old numbers.
    if let Ok(answer) = client.command("NOOP")
        && answer.ok()
    {
        let append = client.append("INBOX", "", &mail::small(50));
        assert!(
            append.is_err()
                || append
                    .unwrap()
                    .tagged
                    .contains(&format!("APPENDUID {new} "))
        );
    }
    let mut client = login(&roost);
    let after = read(&mut client, "INBOX");
    assert_eq!(after.uid_validity, new);
    assert!(after.messages.len() > before.messages.len());
}

#[test]
fn a_maildir_that_may_only_be_read() {
    if !is_root() {
        eprintln!("left out: the user would own what it may not write");
        return;
    }
    let place = Place::new();
    let roost = place.roost();
    let (client, before) = furnish(&roost);
    client_ends(client);
    let maildir = place.maildir();
    let own = |path: &Path, mode: u32| {
        std::os::unix::fs::chown(path, Some(0), Some(0)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for sub in ["cur", "new", "tmp", ""] {
        own(&maildir.join(sub), 0o755);
    }
    for file in ["dovecot-uidlist", "dovecot-keywords"] {
        own(&maildir.join(file), 0o644);
    }
    let mut roost = roost;
    roost.crash_and_restart().unwrap();
    let mut client = login(&roost);
    let answer = client.ok("SELECT INBOX").unwrap();
    assert!(answer.tagged.contains("READ-ONLY"), "{}", answer.tagged);
    for command in ["STORE 1 +FLAGS (\\Flagged)", "EXPUNGE", "CREATE More"] {
        let answer = client.command(command).unwrap();
        assert!(
            answer.tagged.starts_with("NO"),
            "{command}: {}",
            answer.tagged
        );
    }
    let answer = client.append("INBOX", "", &mail::small(50)).unwrap();
    assert!(answer.tagged.starts_with("NO"), "{}", answer.tagged);
    client.ok("FETCH 1:* (FLAGS BODY[])").unwrap();
    unchanged(&before, &read(&mut client, "INBOX"));
}

fn client_ends(mut client: Client) {
    client.command("LOGOUT").unwrap();
}

#[test]
fn a_folder_without_cur_and_one_that_is_a_link() {
    let place = Place::new();
    let roost = place.roost();
    let mut client = login(&roost);
    client.ok("CREATE Odd").unwrap();
    client.append("Odd", "", &mail::small(1)).unwrap();
    fs::remove_dir_all(place.maildir().join(".Odd/cur")).unwrap();
    let answer = client.command("SELECT Odd").unwrap();
    assert!(answer.ok(), "{}", answer.tagged);
    assert!(
        client
            .append("Odd", "(\\Seen)", &mail::small(2))
            .unwrap()
            .ok()
    );
    client.ok("UNSELECT").unwrap();

    let elsewhere = place.site.dir.path().join("elsewhere");
    for dir in ["", "cur", "new", "tmp"] {
        fs::create_dir(elsewhere.join(dir)).unwrap();
        maildir::give(&elsewhere.join(dir));
    }
    symlink(&elsewhere, place.maildir().join(".Linked")).unwrap();
    assert!(
        client
            .append("Linked", "(\\Seen)", &mail::small(3))
            .unwrap()
            .ok()
    );
    client.ok("SELECT Linked").unwrap();
    client.ok("COPY 1 Odd").unwrap();
    client.ok("UNSELECT").unwrap();
    client.ok("RENAME Linked Again").unwrap();
    client.ok("DELETE Again").unwrap();
    let files = fs::read_dir(elsewhere.join("cur")).unwrap().count();
    assert_eq!(files, 1, "the link goes, what it led to stays");
}
