use super::*;
use crate::command::{AclCommand, RightsMode};
use roost_types::Rights;

fn acl(text: &str) -> AclCommand {
    match parse(text.as_bytes()).unwrap().command {
        Command::Acl(command) => command,
        other => panic!("{other:?}"),
    }
}

fn set(text: &str) -> (RightsMode, String) {
    match acl(text) {
        AclCommand::Set { mode, rights, .. } => (mode, rights.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn commands_about_rights() {
    assert_eq!(
        acl("a getacl INBOX"),
        AclCommand::Get {
            mailbox: b"INBOX".to_vec()
        }
    );
    assert_eq!(
        acl("a DELETEACL \"a b\" -bob"),
        AclCommand::Delete {
            mailbox: b"a b".to_vec(),
            identifier: b"-bob".to_vec(),
        }
    );
    assert_eq!(acl("a LISTRIGHTS x {3}\r\nbob").mailbox(), b"x");
    assert_eq!(acl("a MYRIGHTS x").mailbox(), b"x");
}

#[test]
fn rights_of_setacl() {
    assert_eq!(
        set("a SETACL x bob lrs"),
        (RightsMode::Replace, "lrs".into())
    );
    assert_eq!(set("a SETACL x bob \"\""), (RightsMode::Replace, "".into()));
    assert_eq!(set("a SETACL x bob +"), (RightsMode::Add, "".into()));
    assert_eq!(
        set("a SETACL x bob -wd"),
        (RightsMode::Remove, "wte".into())
    );
    assert_eq!(set("a SETACL x bob +ca"), (RightsMode::Add, "kxa".into()));
    assert_eq!(Rights::parse("lrwstipekxa"), Some(Rights::ALL));
    for bad in ["lR", "lq", "l r", "+-l", "0"] {
        let text = format!("a SETACL x bob {bad}");
        assert!(parse(text.as_bytes()).is_err(), "{bad}");
    }
    for bad in ["a SETACL x bob", "a GETACL", "a GETACL x y", "a MYRIGHTS"] {
        assert!(parse(bad.as_bytes()).is_err(), "{bad}");
    }
}
