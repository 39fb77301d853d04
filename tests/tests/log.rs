//! The log as other programs get it: syslogd, and what reads its files.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::roost::{Roost, Setup, folder};
use roost_tests::syslogd::Syslogd;
use std::path::Path;

fn start(dir: &Path, more: &[(&'static str, &str)]) -> (Roost, Syslogd) {
    let syslogd = Syslogd::new(dir);
    let setup = Setup {
        env: vec![("ROOST_LOG_SOCKET", syslogd.path().to_owned())],
        ..Setup::of(&["u"])
    };
    let setup = setup.with(&[("server", "log_target = syslog")]).with(more);
    (Roost::start(dir, &setup).unwrap(), syslogd)
}

/// `<PRI>Mmm dd hh:mm:ss ident[pid]: text` (RFC 3164 §4.1, without the host,
/// which syslogd knows): the severity and the text.
fn framed(record: &str) -> Option<(u8, &str)> {
    let (priority, rest) = record.strip_prefix('<')?.split_once('>')?;
    let priority: u8 = priority.parse().ok()?;
    let (time, rest) = rest.split_at_checked(16)?;
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    let month = "JanFebMarAprMayJunJulAugSepOctNovDec".contains(&shape[..3]);
    let time_fits = shape.ends_with(" 00 00:00:00 ") || shape.ends_with("  0 00:00:00 ");
    let (pid, text) = rest.strip_prefix("dovecot[")?.split_once("]: ")?;
    pid.parse::<u32>().ok()?;
    let one_line = !text.contains(['\r', '\n', '\0']);
    // Facility mail is 2.
    (month && time_fits && one_line && priority >> 3 == 2).then_some((priority & 7, text))
}

fn fail(roost: &Roost, user: &str) {
    let mut client = Client::connect(roost.addr()).unwrap();
    let answer = client.command(&format!("LOGIN {user} wrong")).unwrap();
    assert!(answer.tagged.starts_with("NO [AUTHENTICATIONFAILED]"));
}

#[test]
fn records_are_framed_for_syslogd_and_outlive_its_restart() {
    let dir = folder();
    let (roost, mut syslogd) = start(dir.path(), &[("server", "syslog_ident = dovecot")]);
    let mut client = roost.login("u");
    client.ok("SELECT INBOX").unwrap();
    client.command("LOGOUT").unwrap();
    syslogd.wait_for(">: Disconnected: Logged out");
    fail(&roost, "mallory");
    syslogd.wait_for("user=<mallory>, method=");
    for record in syslogd.records() {
        let (severity, text) = framed(record).unwrap_or_else(|| panic!("{record:?}"));
        assert!((3..=7).contains(&severity), "{record}");
        let tagged = text.starts_with("IMAP: ")
            || text.split_once("IMAP-").is_some_and(|(before, after)| {
                (before.is_empty() || before.ends_with('<'))
                    && after.len() >= 5
                    && after.bytes().take(5).all(|b| b.is_ascii_digit())
            });
        assert!(tagged, "{record}");
    }
    syslogd.restart(|| {
        for n in 0..3 {
            fail(&roost, &format!("away{n}"));
        }
    });
    for n in 0..5 {
        fail(&roost, &format!("back{n}"));
    }
    syslogd.wait_for("user=<back4>");
    let reports = |name: &str| {
        let field = format!("user=<{name}");
        syslogd
            .records()
            .iter()
            .filter(|r| r.contains(&field))
            .count()
    };
    assert_eq!(reports("back"), 5, "{:#?}", syslogd.records());
    assert!(reports("away") >= 2, "{:#?}", syslogd.records());
}
