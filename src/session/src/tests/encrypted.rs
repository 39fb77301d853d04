//! COPY, MOVE and APPEND with ENCRYPTED. That what they store can be read
//! openssl shows.

use super::{Client, Site};
use crate::{Progress, Settings};
use std::path::Path;
use std::process::Command;

const MESSAGE: &str = "Received: from a by b\r\nFrom: ann@example.com\r\nSubject: secret\r\n\
    Content-Type: text/plain\r\n\r\nThe words themselves\r\n";

/// A key pair in a home directory, with its certificate where it belongs.
pub(crate) struct Keys {
    pub home: tempfile::TempDir,
}

impl Keys {
    pub fn new() -> Self {
        Self::with(&["-days", "9"])
    }

    fn with(more: &[&str]) -> Self {
        let keys = Self {
            home: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(keys.home.path().join(".roost")).unwrap();
        let fixed = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
            -keyout key.pem -out .roost/smime.pem -subj /CN=ann";
        let fixed: Vec<&str> = fixed.split_ascii_whitespace().collect();
        keys.openssl(&[&fixed, more].concat());
        keys
    }

    fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(self.home.path())
            .output()
            .expect("openssl is there");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl: {errors}");
        output.stdout
    }

    /// The certificate as a client gives it.
    pub fn base64(&self) -> String {
        let pem = std::fs::read_to_string(self.home.path().join(".roost/smime.pem")).unwrap();
        pem.lines().filter(|l| !l.starts_with('-')).collect()
    }

    pub fn decrypt(&self, message: &str) -> String {
        std::fs::write(self.home.path().join("message"), message).unwrap();
        let plain = self.openssl(&["cms", "-decrypt", "-in", "message", "-inkey", "key.pem"]);
        String::from_utf8(plain).unwrap()
    }
}

fn append(client: &mut Client, arguments: &str, message: &str) -> String {
    let size = message.len();
    client.say(&format!("a APPEND {arguments} {{{size}+}}\r\n{message}"))
}

/// A client whose INBOX has [`MESSAGE`] twice, the second with flags.
fn filled(site: &Site) -> Client {
    let mut client = site.client();
    append(&mut client, "INBOX", MESSAGE);
    let with_flags = "INBOX (\\Flagged $Work) \"23-Feb-2002 08:59:42 +0100\"";
    append(&mut client, with_flags, MESSAGE);
    client.say("a CREATE Safe");
    client.say("a SELECT INBOX");
    client
}

/// A client who lives where the keys are.
fn at_home(mut client: Client, keys: &Keys) -> Client {
    client.session = client.session.with_home(keys.home.path().to_owned());
    client
}

/// A message as FETCH gives it.
fn fetched(client: &mut Client, number: u32) -> String {
    let answer = client.say(&format!("f FETCH {number} BODY.PEEK[]"));
    let (_, text) = answer.split_once("}\r\n").unwrap();
    let (text, _) = text.rsplit_once(")\r\nf OK").unwrap();
    text.into()
}

fn status(client: &mut Client, mailbox: &str) -> String {
    client.say(&format!("s STATUS {mailbox} (MESSAGES)"))
}

#[test]
fn copies_have_flags_and_dates_and_open() {
    let site = Site::new();
    let keys = Keys::new();
    let mut client = filled(&site);
    let copy = format!("c COPY 1:2 Safe ENCRYPTED {}", keys.base64());
    client.expect(&copy, &["c OK [COPYUID ..."]);
    client.say("a SELECT Safe");
    client.expect(
        "f FETCH 1:2 (FLAGS INTERNALDATE)",
        &[
            "* 1 FETCH (FLAGS (\\Recent) INTERNALDATE ...",
            "* 2 FETCH (FLAGS (\\Flagged $Work \\Recent) INTERNALDATE \"23-Feb-2002 07:59:42 +0000\")",
            "f OK Fetch completed",
        ],
    );
    let stored = fetched(&mut client, 2);
    assert!(stored.starts_with("From: ann@example.com\r\nSubject: secret\r\nMIME-Version: "));
    assert!(!stored.contains("The words"), "{stored}");
    assert_eq!(keys.decrypt(&stored), MESSAGE);
    client.expect(
        "f FETCH 2 BODYSTRUCTURE",
        &[
            "* 2 FETCH (BODYSTRUCTURE (\"application\" \"pkcs7-mime\" (\"name\" \"smime.p7m\" \
             \"smime-type\" \"enveloped-data\") ...",
            "f OK Fetch completed",
        ],
    );
}

#[test]
fn moves_take_the_originals_away() {
    let site = Site::new();
    let keys = Keys::new();
    let mut client = at_home(filled(&site), &keys);
    client.expect(
        "m UID MOVE 1:9 Safe ENCRYPTED *",
        &[
            "* OK [COPYUID ...",
            "* 2 EXPUNGE",
            "* 1 EXPUNGE",
            "m OK Move completed",
        ],
    );
    assert!(status(&mut client, "Safe").contains("(MESSAGES 2)"));
    client.say("a SELECT Safe");
    let stored = fetched(&mut client, 1);
    assert_eq!(keys.decrypt(&stored), MESSAGE);
    // Also into the mailbox itself.
    client.say("m MOVE 1 Safe ENCRYPTED *");
    let twice = keys.decrypt(&fetched(&mut client, 2));
    assert_eq!(twice, stored);
    client.expect(
        "m UID MOVE 9999 Safe ENCRYPTED *",
        &["m OK No messages to move"],
    );
}

#[test]
fn what_is_appended_is_encrypted() {
    let site = Site::new();
    let keys = Keys::new();
    let mut client = at_home(site.client(), &keys);
    let answer = append(&mut client, "INBOX ENCRYPTED * (\\Seen)", MESSAGE);
    assert!(answer.contains("a OK [APPENDUID "), "{answer}");
    // Two messages, octet by octet, with the certificate as a literal; what
    // has no CR keeps none.
    let (data, size) = (keys.base64(), MESSAGE.len());
    let bare = MESSAGE.replace("\r\n", "\n");
    let command = format!(
        "b APPEND INBOX (\\Draft) ENCRYPTED {{{}+}}\r\n{data} {{{size}+}}\r\n{MESSAGE} \
         (\\Answered) {{{}+}}\r\n{bare}\r\n",
        data.len(),
        bare.len(),
    );
    let answers: String = command.bytes().map(|octet| client.send(&[octet])).collect();
    assert!(answers.contains("b OK [APPENDUID "), "{answers}");
    client.say("a SELECT INBOX");
    client.expect(
        "f FETCH 1:* FLAGS",
        &[
            "* 1 FETCH (FLAGS (\\Seen \\Recent))",
            "* 2 FETCH (FLAGS (\\Draft \\Recent))",
            "* 3 FETCH (FLAGS (\\Answered \\Recent))",
            "f OK Fetch completed",
        ],
    );
    for (number, expected) in [(1, MESSAGE), (2, MESSAGE), (3, &bare)] {
        let stored = fetched(&mut client, number);
        assert_eq!(keys.decrypt(&stored), expected);
    }
}

#[test]
fn the_limit_is_for_the_message_as_it_was() {
    let site = Site::with(Settings {
        max_message_size: MESSAGE.len() as u64,
        ..Settings::default()
    });
    let keys = Keys::new();
    let mut client = at_home(site.client(), &keys);
    let answer = append(&mut client, "INBOX ENCRYPTED *", MESSAGE);
    assert!(answer.contains("a OK [APPENDUID "), "{answer}");
    let larger = format!("{MESSAGE}x");
    let answer = append(&mut client, "INBOX ENCRYPTED *", &larger);
    assert!(answer.starts_with("a NO [TOOBIG] "), "{answer}");
}

#[test]
fn what_is_no_certificate_is_refused() {
    let site = Site::new();
    let mut client = filled(&site);
    let keys = Keys::new();
    let refused = |client: &mut Client, data: &str, answer: &str| {
        for command in ["COPY 1", "UID COPY 1", "MOVE 1", "UID MOVE 1"] {
            client.expect(&format!("c {command} Safe ENCRYPTED {data}"), &[answer]);
        }
        let answer = answer.strip_prefix('c').unwrap().strip_suffix("...");
        let said = append(client, &format!("Safe ENCRYPTED {data}"), MESSAGE);
        let answer = answer.unwrap();
        assert!(said.starts_with(&format!("a{answer}")), "{said}");
    };
    refused(&mut client, "!", "c BAD ...");
    refused(&mut client, "QUJD", "c BAD Not a certificate...");
    // Nobody is at home.
    refused(
        &mut client,
        "*",
        "c NO [CANNOT] No certificate of your own...",
    );

    let signs = Keys::with(&["-days", "9", "-addext", "keyUsage=digitalSignature"]);
    let answer = "c NO [CANNOT] Certificate is not meant for encrypted mail...";
    refused(&mut client, &signs.base64(), answer);
    let mut client = at_home(client, &signs);
    refused(&mut client, "*", answer);

    let pem = keys.home.path().join(".roost/smime.pem");
    let mut client = at_home(client, &keys);
    let longer = [der(&keys), vec![0]].concat();
    let trailing = "c NO [CANNOT] Unexpected data behind the certificate...";
    refused(&mut client, &in_base64(&longer), trailing);
    std::fs::write(&pem, "nothing of the kind").unwrap();
    refused(&mut client, "*", "c NO [CANNOT] Not a certificate...");
    std::fs::remove_file(&pem).unwrap();
    refused(
        &mut client,
        "*",
        "c NO [CANNOT] No certificate of your own...",
    );
    std::fs::create_dir(&pem).unwrap();
    refused(
        &mut client,
        "*",
        "c NO [CANNOT] Your certificate cannot be read...",
    );

    assert!(status(&mut client, "Safe").contains("(MESSAGES 0)"));
    client.expect("c MOVE 1 Nowhere ENCRYPTED *", &["c NO [TRYCREATE] ..."]);
}

fn der(keys: &Keys) -> Vec<u8> {
    keys.openssl(&["x509", "-in", ".roost/smime.pem", "-outform", "DER"])
}

fn in_base64(octets: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(octets)
}

#[test]
fn the_administrator_may_keep_certificates() {
    let keys = Keys::new();
    let dir = tempfile::tempdir().unwrap();
    let site = Site::with(Settings {
        certificate_dir: Some(dir.path().to_owned()),
        ..Settings::default()
    });
    let mut client = filled(&site);
    let none = "c NO [CANNOT] No certificate of your own to encrypt with";
    client.expect("c COPY 1 Safe ENCRYPTED *", &[none]);
    let own = keys.home.path().join(".roost/smime.pem");
    std::fs::copy(own, dir.path().join("alice.pem")).unwrap();
    client.expect("c COPY 1 Safe ENCRYPTED *", &["c OK [COPYUID ..."]);
    // A user's own goes first.
    let other = Keys::new();
    let mut client = at_home(client, &other);
    client.expect("c COPY 1 Safe ENCRYPTED *", &["c OK [COPYUID ..."]);
    client.say("a SELECT Safe");
    assert_eq!(keys.decrypt(&fetched(&mut client, 1)), MESSAGE);
    assert_eq!(other.decrypt(&fetched(&mut client, 2)), MESSAGE);
}

#[test]
fn who_asks_for_mail_of_others_has_no_certificate_there() {
    let site = Site::new();
    let keys = Keys::new();
    let mut client = at_home(filled(&site), &keys);
    client.say("a SETACL INBOX bob lrs");
    client.say("a SETACL Safe bob lri");
    client.session.identity.asker = Some(Box::new(super::asks_alice("bob")));
    let said = client.say("c COPY 1 Safe ENCRYPTED *");
    let none = "c NO [CANNOT] No certificate of your own to encrypt with\r\n";
    assert!(said.ends_with(none), "{said}");
}

/// What lies in a mailbox's directories.
fn files(site: &Site, mailbox: &str) -> Vec<Vec<u8>> {
    let maildir = site.dir.path().join("Maildir").join(mailbox);
    let files = |sub: &str| -> Vec<Vec<u8>> {
        let entries = std::fs::read_dir(maildir.join(sub)).unwrap();
        let read = |path: &Path| std::fs::read(path).unwrap();
        entries.map(|e| read(&e.unwrap().path())).collect()
    };
    ["tmp", "new", "cur"].map(files).concat()
}

/// A message of several steps, so that something can happen between them.
fn with_large(site: &Site) -> Client {
    let mut client = filled(site);
    let large = format!("{MESSAGE}{}", "all work and no play\r\n".repeat(50_000));
    append(&mut client, "INBOX", &large);
    client.say("a NOOP");
    client
}

#[test]
fn nothing_is_left_of_a_copy_that_is_given_up() {
    let site = Site::new();
    let keys = Keys::new();
    let mut client = at_home(with_large(&site), &keys);
    client.begin("c UID COPY 1:* Safe ENCRYPTED *");
    // The large one is counted in these, and then some of it is written.
    for _ in 0..7 {
        assert_eq!(client.session.step(&mut Vec::new()), Progress::More);
    }
    let lying = files(&site, ".Safe");
    assert_eq!(lying.len(), 3);
    let plain = |file: &Vec<u8>| String::from_utf8_lossy(file).contains("The words");
    assert!(!lying.iter().any(plain));
    drop(client);
    assert!(files(&site, ".Safe").is_empty());
}

#[test]
fn a_message_that_goes_meanwhile() {
    let keys = Keys::new();
    for (command, answer, count) in [
        ("COPY", "c NO [EXPUNGEISSUED] ", "(MESSAGES 0)"),
        ("MOVE", "c NO [EXPUNGEISSUED] ", "(MESSAGES 0)"),
        // Passed over (RFC 9051 §6.4.9).
        ("UID COPY", "c OK [COPYUID ", "(MESSAGES 2)"),
    ] {
        let site = Site::new();
        let mut client = at_home(with_large(&site), &keys);
        let mut other = site.client();
        // After a step the third is looked at.
        let said = client.say_after_step(&format!("c {command} 1:3 Safe ENCRYPTED *"), || {
            other.say("a SELECT INBOX");
            other.say("a UID STORE 3 +FLAGS (\\Deleted)");
            other.say("a UID EXPUNGE 3");
        });
        assert!(said.contains(answer), "{command}: {said}");
        assert!(status(&mut client, "Safe").contains(count), "{command}");
        assert!(
            status(&mut other, "INBOX").contains("(MESSAGES 2)"),
            "{command}"
        );
    }
}

#[test]
fn a_mailbox_that_is_read_only_is_not_moved_from() {
    let site = Site::new();
    let keys = Keys::new();
    let mut client = at_home(filled(&site), &keys);
    client.say("a EXAMINE INBOX");
    client.expect("m MOVE 1 Safe ENCRYPTED *", &["m NO [READ-ONLY] ..."]);
    client.expect("m COPY 1 Safe ENCRYPTED *", &["m OK [COPYUID ..."]);
}
