use super::*;
use roost_accounts::{Defaults, Id};
use std::time::{Duration, SystemTime};

const FILE: &str = "\
# accounts
alice:{PLAIN}secret:1000:1000::/home/alice::userdb_mail=maildir:~/x:INDEX=/var/i userdb_quota_rule=*:storage=1G

Bob@Example.org:$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.:vmail:vmail::/srv/bob
carol:{MD5}xxx:1:1::/x
dave
alice:{PLAIN}other:1:1::/y
erin:{PLAIN}p:::::: allow_nets=192.0.2.0/24,::1 nologin
frank:{PLAIN}p:1:1::/z::nopassword
grace:{PLAIN}p:1:1::/z::userdb_mail=mbox:~/mail
";

fn find(table: &Table, name: &str) -> Option<Arc<Entry>> {
    table.find(std::iter::once(name.to_owned()))
}

#[test]
fn fields_of_good_lines() {
    let table = Table::read(FILE.as_bytes(), true, &Defaults::default()).unwrap();
    assert_eq!(table.len(), 3);
    let alice = find(&table, "alice").unwrap();
    assert!(alice.password.verify(b"secret"));
    assert_eq!(alice.uid, Some(Id::Number(1000)));
    assert_eq!(alice.home.as_deref(), Some(Path::new("/home/alice")));
    assert_eq!(alice.mail.as_deref(), Some("~/x"));
    assert_eq!(alice.quota.map(|q| q.storage), Some(1 << 30));
    let bob = find(&table, "bob@example.org").unwrap();
    assert!(bob.password.verify(b"secret"));
    assert_eq!(bob.gid, Some(Id::Name("vmail".into())));
    assert_eq!(
        (bob.home.as_deref(), &bob.mail),
        (Some(Path::new("/srv/bob")), &None)
    );
    let erin = find(&table, "erin").unwrap();
    assert!(erin.no_login && erin.uid.is_none() && erin.home.is_none());
    assert!(erin.allows("192.0.2.9".parse().unwrap()));
    assert!(!erin.allows("198.51.100.1".parse().unwrap()));
}

#[test]
fn bad_lines_are_named_and_skipped() {
    let table = Table::read(FILE.as_bytes(), true, &Defaults::default()).unwrap();
    assert_eq!(
        table.problems,
        [
            "line 5: unsupported password scheme MD5",
            "line 6: fields missing",
            "line 7: user named twice; the first line counts",
            "line 9: unsupported field nopassword",
            "line 10: unsupported mail location: only maildir:PATH is",
        ]
    );
}

#[test]
fn damage_of_any_kind_spares_the_rest() {
    let mut file = b"a:{PLAIN}1\n\xff\xfe:{PLAIN}2\nlong:".to_vec();
    file.extend(std::iter::repeat_n(b'x', 100_000));
    file.extend(b"\nb:{PLAIN}3\r\nc:{PLAIN}4");
    let table = Table::read(&file[..], true, &Defaults::default()).unwrap();
    assert_eq!(
        table.problems,
        ["line 2: not UTF-8", "line 3: line too long"]
    );
    for (name, password) in [("a", b"1"), ("b", b"3"), ("c", b"4")] {
        assert!(
            find(&table, name).unwrap().password.verify(password),
            "{name}"
        );
    }
}

#[test]
fn a_changed_file_is_read_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users");
    std::fs::write(&path, "alice:{PLAIN}one\n").unwrap();
    let file = PasswdFile::new(&path, true, Defaults::default());
    let first = file.current().unwrap();
    assert!(Arc::ptr_eq(&first, &file.current().unwrap()));
    std::fs::write(&path, "alice:{PLAIN}two\n").unwrap();
    let later = SystemTime::now() + Duration::from_secs(2);
    File::open(&path).unwrap().set_modified(later).unwrap();
    let second = file.current().unwrap();
    assert!(find(&second, "alice").unwrap().password.verify(b"two"));
    std::fs::remove_file(&path).unwrap();
    assert!(file.current().is_err());
}

#[test]
fn decoys_and_made_up_secrets_are_stable_and_look_like_the_files_own() {
    let scram = "4096,tYCOk+iL1dNo09EQvwPFww==,XEhMfMuyLt20nihFGZuzZuUukZhK6TEDd4uSZS2WZec=,\
                 zxTVp0mA44edEqwt4zGOm98qRMYSfodsmvJjU6dyZN8=";
    let salted = scram.replacen("4096,tYCOk+iL1dNo09EQvwPFww==", "5000,AAECAwQFBgcI", 1);
    let text = format!("a:{{SCRAM-SHA-256}}{salted}\nb:{{SCRAM-SHA-256}}{scram}\n");
    let table = Table::read(text.as_bytes(), true, &Defaults::default()).unwrap();
    let made_up = table.made_up_secrets(b"key", "nobody");
    assert_eq!((made_up.salt().len(), made_up.iterations()), (9, 5000));
    assert_eq!(
        made_up.salt(),
        table.made_up_secrets(b"key", "nobody").salt()
    );
    assert_eq!(
        made_up.salt(),
        table.derived_secrets(b"key", "nobody", b"x").salt()
    );
    assert_eq!(
        table.decoy(&[7; 32]).unwrap().name,
        table.decoy(&[7; 32]).unwrap().name
    );
    assert!(Table::default().decoy(&[7; 32]).is_none());
}

proptest::proptest! {
    #[test]
    fn any_damage_to_a_file_leaves_its_other_lines(
        junk in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
    ) {
        let mut file = b"first:{PLAIN}1:1:1::/h\n".to_vec();
        file.extend(&junk);
        file.extend(b"\nlast:{PLAIN}2:1:1::/h\n");
        let table = Table::read(&file[..], true, &Defaults::default()).unwrap();
        proptest::prop_assert!(find(&table, "first").is_some());
        proptest::prop_assert!(find(&table, "last").is_some());
    }

    #[test]
    fn lines_of_any_text_are_taken_or_refused(
        line in "[a-z:{}$.=/ A-Z0-9-]{0,120}",
        hash in "\\$(6|5|2y|argon2id|1)\\$[./a-zA-Z0-9$=,]{0,100}",
    ) {
        for line in [line, format!("a:{hash}:1:1::/h"), format!("a:{{CRYPT}}{hash}:1:1::/h")] {
            if let Ok(Some(entry)) = Entry::parse(line.as_bytes(), true, Stored::parse) {
                proptest::prop_assert!(!entry.name.is_empty());
            }
        }
    }
}
