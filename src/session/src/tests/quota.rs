//! RFC 9208, and telling that an account is nearly full.

use super::{Client, Site};
use roost_store::{AccountOptions, QuotaOptions};
use roost_types::QuotaLimits;

/// 22 octets, 19 as they are stored.
const TEXT: &str = "Subject: new\r\n\r\nabc\r\n\r\n";

fn limited(site: &Site, storage: u64, messages: u64) {
    let quota = QuotaOptions {
        limits: Some(QuotaLimits { storage, messages }),
        max_mailboxes: 2,
        ..QuotaOptions::default()
    };
    let options = AccountOptions {
        quota,
        ..AccountOptions::default()
    };
    let maildir = site.dir.path().join("Maildir");
    site._store.account("alice", &maildir, options).unwrap();
}

fn append(client: &mut Client, mailbox: &str) -> String {
    client.say(&format!("a APPEND {mailbox} {{{}+}}\r\n{TEXT}", TEXT.len()))
}

#[test]
fn without_limits_the_root_has_none() {
    let site = Site::new();
    let mut client = site.client();
    client.expect(
        "a GETQUOTAROOT inbox",
        &[
            "* QUOTAROOT INBOX \"\"",
            "* QUOTA \"\" ()",
            "a OK Getquotaroot completed",
        ],
    );
    client.expect(
        "a GETQUOTA \"\"",
        &["* QUOTA \"\" ()", "a OK Getquota completed"],
    );
}

#[test]
fn usage_and_limits() {
    let site = Site::new();
    limited(&site, 10_000, 50);
    let mut client = site.client();
    append(&mut client, "INBOX");
    client.expect(
        "a GETQUOTA \"\"",
        &[
            "* QUOTA \"\" (STORAGE 1 10 MESSAGE 1 50 MAILBOX 1 2)",
            "a OK Getquota completed",
        ],
    );
    client.expect(
        "a GETQUOTAROOT Not/There",
        &[
            "* QUOTAROOT Not/There \"\"",
            "* QUOTA \"\" (STORAGE 1 10 MESSAGE 1 50 MAILBOX 1 2)",
            "a OK Getquotaroot completed",
        ],
    );
    client.expect(
        "a GETQUOTA other",
        &["a NO [NONEXISTENT] No such quota root"],
    );
    client.expect(
        "a SETQUOTA \"\" (STORAGE 100)",
        &["a NO [NOPERM] Only the administrator sets quotas"],
    );
    client.expect("a SETQUOTA \"\" STORAGE", &["a BAD ..."]);
    client.say("a SELECT INBOX");
    client.say("a STORE 1 +FLAGS.SILENT (\\Deleted)");
    client.expect(
        "a STATUS INBOX (DELETED DELETED-STORAGE)",
        &[
            "* STATUS INBOX (DELETED 1 DELETED-STORAGE 23)",
            "a OK Status completed",
        ],
    );
}

#[test]
fn sums_that_are_missing_are_counted_in_steps() {
    let site = Site::new();
    let mut client = site.client();
    client.fill("INBOX", 3);
    limited(&site, 0, 50);
    let got = client.say_after_step("a GETQUOTA \"\"", || {});
    assert!(
        got.starts_with("* QUOTA \"\" (MESSAGE 3 50 MAILBOX 1 2)\r\n"),
        "{got}"
    );
}

#[test]
fn a_full_account_says_so_before_the_message_comes() {
    let site = Site::new();
    limited(&site, 0, 3);
    let mut client = site.client();
    append(&mut client, "INBOX");
    append(&mut client, "INBOX");
    let third = append(&mut client, "INBOX");
    assert!(
        third.starts_with("* OK [ALERT] The mail account is 100 % full\r\na OK [APPENDUID "),
        "{third}"
    );
    client.expect("a APPEND INBOX {5}", &["a NO [OVERQUOTA] Quota exceeded"]);
    client.say("a SELECT INBOX");
    client.say("a CREATE Work");
    client.expect("a COPY 1 Work", &["a NO [OVERQUOTA] Quota exceeded"]);
    client.expect(
        "a MOVE 1 Work",
        &["* OK [COPYUID ...", "* 1 EXPUNGE", "a OK ..."],
    );
    let replaced = client.say(&format!("a REPLACE 1 Work {{{}+}}\r\n{TEXT}", TEXT.len()));
    assert!(replaced.contains("a OK"), "{replaced}");
    client.expect("a CREATE More", &["a NO [OVERQUOTA] Quota exceeded"]);
}

#[test]
fn an_alert_comes_once_and_again_after_there_was_room() {
    let site = Site::new();
    limited(&site, 0, 5);
    let mut client = site.client();
    let alerts = |answer: String| answer.matches("* OK [ALERT] ").count();
    for expected in [0, 0, 0, 1, 0] {
        assert_eq!(alerts(append(&mut client, "INBOX")), expected);
    }
    assert_eq!(alerts(client.say("a SELECT INBOX")), 0);
    client.say("a STORE 1:3 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(alerts(client.say("a EXPUNGE")), 0);
    for expected in [0, 1] {
        assert_eq!(alerts(append(&mut client, "INBOX")), expected);
    }
    // Another session hears of it as well, with its first word.
    let mut other = site.client();
    other.session.begins_with(site.account.quota().unwrap());
    let mut greeting = Vec::new();
    let tag = roost_imap::Tag::new(b"login").unwrap();
    other.session.greet(&tag, &mut greeting);
    let greeting = String::from_utf8(greeting).unwrap();
    assert!(
        greeting.ends_with("\r\n* OK [ALERT] The mail account is 80 % full\r\n"),
        "{greeting}"
    );
    assert_eq!(alerts(other.say("a EXAMINE INBOX")), 0);
}

#[test]
fn visitors_have_a_root_of_another_name_and_no_alerts() {
    let site = Site::new();
    limited(&site, 0, 1);
    append(&mut site.client(), "INBOX");
    let mut owner = site.client();
    let mut client = site.asker("bob");
    client.session.begins_with(site.account.quota().unwrap());
    client.expect("a GETQUOTA ~alice", &["a NO [NONEXISTENT] No such mailbox"]);
    let root = "a GETQUOTAROOT ~alice/INBOX";
    client.expect(root, &["a NO [NONEXISTENT] No such mailbox"]);
    owner.say("a SETACL INBOX bob l");
    client.expect(root, &["a NO [NOPERM] Permission denied"]);
    owner.say("a SETACL INBOX bob lr");
    let got = client.say(root);
    assert!(
        got.starts_with("* QUOTAROOT ~alice/INBOX ~alice\r\n* QUOTA ~alice ("),
        "{got}"
    );
    let got = client.say("a GETQUOTA ~alice");
    assert!(
        got.starts_with("* QUOTA ~alice (MESSAGE 1 1 MAILBOX 1 2)\r\n"),
        "{got}"
    );
    client.expect(
        "a GETQUOTA \"\"",
        &["a NO [NONEXISTENT] No such quota root"],
    );
    let selected = client.say("a SELECT ~alice/INBOX");
    assert!(
        selected.contains("a OK") && !selected.contains("ALERT"),
        "{selected}"
    );
}
