//! COMPRESS as far as the session has a part in it.

use super::Site;
use crate::Progress;
use roost_imap::Frame;

#[test]
fn once_and_deflate_alone() {
    let site = Site::new();
    let mut client = site.client();
    client.expect("a COMPRESS GZIP", &["a BAD Unknown compression mechanism"]);
    client.expect("b COMPRESS deflate", &["b OK DEFLATE active"]);
    client.expect(
        "c COMPRESS DEFLATE",
        &["c NO [COMPRESSIONACTIVE] Compression is already active"],
    );
}

#[test]
fn the_driver_is_told_behind_the_answer() {
    let site = Site::new();
    let mut client = site.client();
    client.fill("INBOX", 1);
    client.say("s SELECT INBOX");
    site.deliver("Subject: x\n\nx\n");
    let mut out = Vec::new();
    let command = Frame::Command(b"a COMPRESS DEFLATE".to_vec());
    let mut progress = client.session.take(command, &mut out);
    while progress == Progress::More {
        progress = client.session.step(&mut out);
    }
    assert_eq!(progress, Progress::Compress);
    // The news go before the OK, so that nothing is behind it.
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "* 2 EXISTS\r\n* 2 RECENT\r\na OK DEFLATE active\r\n"
    );
}

#[test]
fn a_command_that_runs_can_be_given_up_between_responses() {
    let site = Site::new();
    let mut client = site.client();
    client.fill("INBOX", 3);
    client.say("s SELECT INBOX");
    let mut out = Vec::new();
    assert!(!client.session.give_up(&mut out));
    let command = Frame::Command(b"a FETCH 1:* BODY.PEEK[]".to_vec());
    assert_eq!(client.session.take(command, &mut out), Progress::More);
    // What changed is told first, then the command begins.
    assert!(!client.session.give_up(&mut out));
    assert_eq!(client.session.step(&mut out), Progress::More);
    assert!(client.session.give_up(&mut out));
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "a NO Given up: the client logs out\r\n"
    );
    client.expect("b NOOP", &["b OK NOOP completed"]);
}
