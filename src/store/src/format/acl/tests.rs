use super::*;

fn rights(letters: &str) -> Rights {
    Rights::parse(letters).unwrap()
}

/// What an asker may do with a mailbox of alice's.
fn of(acl: &Acl, asker: &str, groups: &[&str]) -> String {
    let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
    let subject = Subject {
        owner: "alice".into(),
        asker: (asker != "alice").then_some((asker, groups.as_slice())),
    };
    acl.rights(&subject).to_string()
}

fn written(acl: &Acl) -> String {
    String::from_utf8(acl.text()).unwrap()
}

#[test]
fn files_of_dovecot_are_written_as_they_were() {
    let text = "anyone l\nauthenticated r\ngroup=staff lr\nowner akxeilprwts\n\
                user=bob akxeilprwts\n-user=bob x\n\"user=carol \\\"ann\\\"\" lr\n\
                \"-user=carol \\\"ann\\\"\" r\ngroup-override=guests \n";
    let acl = Acl::parse(text.as_bytes());
    assert_eq!(written(&acl), text);
    let carol = Identifier::User("carol \"ann\"".into());
    assert_eq!(acl.get(false, &carol), rights("lr"));
    assert_eq!(acl.get(true, &carol), rights("r"));
}

#[test]
fn long_names_are_rights_and_unknown_ones_stay() {
    let acl = Acl::parse(b"user=bob l :read,write-seen mystery other\n");
    assert_eq!(of(&acl, "bob", &[]), "lrs");
    assert_eq!(written(&acl), "user=bob lrs :mystery other\n");
}

#[test]
fn one_identifier_is_one_entry() {
    let acl = Acl::parse(b"anyone l\nanonymous r\nuser=bob s\nuser=bob w\n");
    assert_eq!(written(&acl), "anyone lr\nuser=bob ws\n");
}

#[test]
fn what_is_not_understood_stays_and_gives_nothing() {
    let text = "# ours\nuser=bob lrz\nwhoever lr\nuser= lr\n\"user=x lr\nuser=carol l\n";
    let acl = Acl::parse(text.as_bytes());
    assert_eq!(of(&acl, "bob", &[]), "");
    assert_eq!(of(&acl, "x", &[]), "");
    assert_eq!(of(&acl, "carol", &[]), "l");
    assert_eq!(written(&acl), text);
}

#[test]
fn a_line_that_may_take_rights_takes_all() {
    let acl = Acl::parse(b"anyone lr\n-somebody lr\n");
    assert_eq!(of(&acl, "bob", &[]), "");
    assert_eq!(of(&acl, "alice", &[]), Rights::ALL.to_string());
    // What it takes is clear as far as we know the letters.
    let acl = Acl::parse(b"anyone lrs\n-user=bob rQ\n");
    assert_eq!(of(&acl, "bob", &[]), "ls");
}

#[test]
fn rights_are_a_union_less_what_is_taken() {
    let acl = Acl::parse(
        b"anyone l\nauthenticated p\ngroup=staff r\nuser=bob ws\n-user=bob p\n-group=staff w\n",
    );
    assert_eq!(of(&acl, "carol", &[]), "lp");
    assert_eq!(of(&acl, "carol", &["staff"]), "lrp");
    assert_eq!(of(&acl, "bob", &[]), "lws");
    assert_eq!(of(&acl, "bob", &["staff"]), "lrs");
}

#[test]
fn a_group_override_stands_for_all_others() {
    let acl = Acl::parse(b"anyone lrs\nuser=bob lrswt\ngroup-override=away l\n");
    assert_eq!(of(&acl, "bob", &["away"]), "l");
    assert_eq!(of(&acl, "bob", &[]), "lrwst");
}

#[test]
fn the_owner_keeps_two_rights() {
    let acl = Acl::parse(b"-owner lax\n-user=alice ri\n-anyone wst\n-group=staff k\n");
    assert_eq!(of(&acl, "alice", &["staff"]), "lwstpeka");
    // He is the owner under his own foreign name as well.
    let owns = |owner, name| {
        let asker = Some((name, [].as_slice()));
        let subject = Subject {
            owner: Owner::from(owner),
            asker,
        };
        subject.is_owner()
    };
    assert!(owns("alice@example.org", "alice@Example.org"));
    assert!(owns("alice", "alice"));
    assert!(!owns("alice@example.org", "alice"));
    assert!(!owns("alice", "alice@example.org"));
}

#[test]
fn names_without_a_domain_are_of_the_owners() {
    let may = |text: &str, owner: &str, asker: &str| {
        let acl = Acl::parse(text.as_bytes());
        let subject = Subject {
            owner: owner.into(),
            asker: Some((asker, [].as_slice())),
        };
        !acl.rights(&subject).is_empty()
    };
    assert!(may("user=bob l\n", "alice@a.org", "bob@a.org"));
    // Who has no domain is a Unix user, and nobody of that name elsewhere.
    assert!(!may("user=bob@A.org l\n", "alice@a.org", "bob"));
    assert!(!may("user=bob l\n", "alice@a.org", "bob"));
    assert!(!may("group=anyone@a.org l\n", "alice@a.org", "bob"));
    assert!(!may("group=anyone@ l\n", "alice@a.org", "bob"));
    assert!(!may("user=bob l\n", "alice@a.org", "bob@b.org"));
    assert!(!may("user=bob@b.org l\n", "alice", "bob"));
    assert!(!may("user=bobby l\n", "alice", "bob"));
    assert!(may("group=anyone@b.org l\n", "alice", "bob@b.org"));
    assert!(!may("group=anyone@b.org l\n", "alice", "bob"));
    assert!(may("group=anyone@ l\n", "alice", "bob"));
    assert!(!may("group=anyone@ l\n", "alice", "bob@b.org"));
}

#[test]
fn the_default_domain_is_that_of_names_without_one() {
    let owner = |account| Owner {
        account,
        default_domain: Some("Home.org"),
    };
    let may = |text: &str, of, asker: &str| {
        let acl = Acl::parse(text.as_bytes());
        let subject = Subject {
            owner: owner(of),
            asker: Some((asker, [].as_slice())),
        };
        !acl.rights(&subject).is_empty()
    };
    for of in ["alice", "alice@home.org"] {
        for listed in ["user=bob l\n", "user=bob@HOME.org l\n", "group=anyone@ l\n"] {
            assert!(may(listed, of, "bob"), "{listed}");
            assert!(may(listed, of, "bob@home.org"), "{listed}");
            assert!(!may(listed, of, "bob@away.org"), "{listed}");
        }
    }
    // A name without a domain is of nobody elsewhere, whoever's list it is.
    for asker in ["bob", "bob@home.org"] {
        assert!(!may(
            "user=bob l\nuser=bob@away.org l\n",
            "alice@away.org",
            asker
        ));
        assert!(!may("group=anyone@ l\n", "alice@away.org", asker));
        assert!(!may("user=bob@away.org l\n", "alice", asker));
    }
    // Whose mail it is names of accounts alone say.
    let subject = Subject {
        owner: owner("alice"),
        asker: Some(("alice@home.org", [].as_slice())),
    };
    assert!(!subject.is_owner());

    let canonical = |text: &str, of| Identifier::parse(text, owner(of)).unwrap().to_string();
    assert_eq!(canonical("Bob@home.ORG", "alice"), "bob");
    assert_eq!(canonical("bob@away.org", "alice"), "bob@away.org");
    assert_eq!(canonical("bob", "alice@home.org"), "bob@home.org");
    assert_eq!(canonical("bob", "alice@away.org"), "bob@away.org");
    assert_eq!(canonical("anyone@", "alice"), "anyone@home.org");
    let alice = Entry::parse("alice@home.org", owner("alice")).unwrap();
    assert!(alice.is_owners());
}

#[test]
fn an_account_has_one_entry_whatever_form_of_its_name_stands_there() {
    let owner = Owner {
        account: "alice",
        default_domain: Some("home.org"),
    };
    let changed = |text: &str, who: &str, change: (Mode, &str)| {
        let mut acl = Acl::parse(text.as_bytes());
        let entry = Entry::parse(who, owner).unwrap();
        assert!(acl.apply(&entry, owner, (change.0, rights(change.1))));
        written(&acl)
    };
    // What Dovecot knows him by stays.
    let full = "user=bob@home.org lr\n-user=bob@home.org x\n";
    assert_eq!(
        changed(full, "bob", (Mode::Replace, "l")),
        "user=bob@home.org l\n-user=bob@home.org x\n"
    );
    assert_eq!(
        changed("user=bob lr\n", "BOB@Home.org", (Mode::Add, "s")),
        "user=bob lrs\n"
    );
    let both = "user=bob l\nuser=bob@away.org l\nuser=bob@home.org r\n";
    assert_eq!(
        changed(both, "bob", (Mode::Remove, "l")),
        "user=bob r\nuser=bob@away.org l\n"
    );
    let mut acl = Acl::parse(both.as_bytes());
    acl.delete(&Entry::parse("bob@home.org", owner).unwrap(), owner);
    assert_eq!(written(&acl), "user=bob@away.org l\n");
}

#[test]
fn groups_of_a_domain() {
    let acl = Acl::parse(b"group=staff@b.org l\n");
    assert_eq!(of(&acl, "bob@b.org", &["staff"]), "l");
    assert_eq!(of(&acl, "bob@c.org", &["staff"]), "");
    assert_eq!(of(&acl, "bob@c.org", &["staff@b.org"]), "l");
}

#[test]
fn identifiers_as_people_write_them() {
    let canonical = |text: &str, owner: &str| {
        let id = Identifier::parse(text, owner.into()).ok()?;
        Some((id.to_string(), id.file_text()))
    };
    let both = |shown: &str, file: &str| Some((shown.to_owned(), file.to_owned()));
    assert_eq!(canonical("anyone", "alice"), both("anyone", "anyone"));
    assert_eq!(
        canonical("anonymous", "alice"),
        both("anonymous", "user=anonymous")
    );
    assert_eq!(canonical("Bob", "alice"), both("bob", "user=bob"));
    assert_eq!(
        canonical("bob", "alice@a.org"),
        both("bob@a.org", "user=bob@a.org")
    );
    assert_eq!(
        canonical("bob@", "alice@a.org"),
        both("bob@a.org", "user=bob@a.org")
    );
    assert_eq!(
        canonical("bob@B.org", "alice"),
        both("bob@b.org", "user=bob@b.org")
    );
    assert_eq!(canonical("#Staff", "alice"), both("#Staff", "group=Staff"));
    assert_eq!(canonical("$staff", "alice"), both("#staff", "group=staff"));
    assert_eq!(
        canonical("!#away", "alice"),
        both("!#away", "group-override=away")
    );
    assert_eq!(
        canonical("#s@B.org", "alice"),
        both("#s@b.org", "group=s@b.org")
    );
    assert_eq!(
        canonical("anyone@", "alice@a.org"),
        both("anyone@a.org", "group=anyone@a.org")
    );
    assert_eq!(
        canonical("anyone@B.org", "x"),
        both("anyone@b.org", "group=anyone@b.org")
    );
    assert_eq!(
        canonical("user=owner", "x"),
        both("user=owner", "user=owner")
    );
    let long = "x".repeat(MAX_IDENTIFIER + 1);
    for bad in [
        "",
        "#",
        "!#",
        "-bob",
        "a=b",
        "a\nb",
        "@b.org",
        long.as_str(),
    ] {
        assert_eq!(canonical(bad, "alice"), None, "{bad}");
    }
    // Who is called like something else is told apart from it.
    assert_eq!(Identifier::User("anyone".into()).to_string(), "user=anyone");
    assert_eq!(Identifier::User("#x".into()).to_string(), "user=#x");
}

#[test]
fn what_becomes_an_entry_can_be_read_and_named_again() {
    let owner = "alice@example.com";
    for sign in ["", "-"] {
        for length in [200, 240, 243, 244, 255] {
            let typed = format!("{sign}{}", "x".repeat(length));
            let Ok(entry) = Entry::parse(&typed, owner.into()) else {
                assert!(length + "@example.com".len() > MAX_IDENTIFIER);
                continue;
            };
            let mut acl = Acl::default();
            assert!(acl.set(entry.negative, &entry.identifier, Rights::READ));
            assert_eq!(Acl::parse(written(&acl).as_bytes()), acl);
            assert_eq!(Entry::parse(&entry.to_string(), owner.into()), Ok(entry));
        }
    }
}

#[test]
fn a_list_that_nobody_could_read_again_is_not_written() {
    let (temp, dir) = place(Some("user=bob lr\n"));
    let change = |acl: Acl| {
        Acl::change(&dir, Fsync::Never, Duration::ZERO, &Acl::default(), |now| {
            *now = acl;
            Ok::<_, FormatError>(())
        })
    };
    let mut acl = Acl::default();
    for n in 0..MAX_ENTRIES {
        let name = format!("{n:03}{}", "\u{e9}\\ ".repeat(60));
        assert!(acl.set(false, &Identifier::User(name), Rights::ALL));
    }
    let refused = change(acl.clone());
    assert!(matches!(refused, Err(FormatError::Full { .. })));
    let text = std::fs::read_to_string(temp.path().join(FILE)).unwrap();
    assert_eq!(text, "user=bob lr\n");
    // As many as there is room for.
    while written(&acl).len() as u64 > MAX_FILE {
        let last = acl.iter().last().map(|(_, id, _)| id.clone()).unwrap();
        acl.remove(false, &last);
    }
    change(acl.clone()).unwrap();
    assert_eq!(Acl::load(&dir).unwrap(), Some(acl));
}

#[test]
fn there_is_a_limit() {
    let mut acl = Acl::default();
    for n in 0..MAX_ENTRIES {
        assert!(acl.set(false, &Identifier::User(n.to_string()), Rights::READ));
    }
    assert!(!acl.set(true, &Identifier::Anyone, Rights::READ));
    assert!(acl.set(false, &Identifier::User("7".into()), Rights::NONE));
    assert!(acl.set(true, &Identifier::Anyone, Rights::READ));
}

fn place(text: Option<&str>) -> (tempfile::TempDir, Dir) {
    let temp = tempfile::tempdir().unwrap();
    if let Some(text) = text {
        std::fs::write(temp.path().join(FILE), text).unwrap();
    }
    let dir = Dir::open(temp.path()).unwrap();
    (temp, dir)
}

#[test]
fn changes_keep_what_others_wrote_meanwhile() {
    let (temp, dir) = place(Some("user=bob lr\nstrange\n"));
    let set = |id: &'static str, letters: &'static str| {
        Acl::change::<FormatError>(
            &dir,
            Fsync::Always,
            Duration::ZERO,
            &Acl::default(),
            |acl| {
                let id = Identifier::parse(id, "alice".into()).unwrap();
                assert!(acl.set(false, &id, rights(letters)));
                Ok(())
            },
        )
        .unwrap()
    };
    set("carol", "l");
    set("bob", "");
    let text = std::fs::read_to_string(temp.path().join(FILE)).unwrap();
    assert_eq!(text, "strange\nuser=carol l\n");
    assert!(!temp.path().join("dovecot-acl.lock").exists());
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 1);
}

#[test]
fn nothing_is_written_where_nothing_changed() {
    let (temp, dir) = place(None);
    let none = Acl::default();
    let same = |_: &mut Acl| Ok::<_, FormatError>(());
    Acl::change(&dir, Fsync::Always, Duration::ZERO, &none, same).unwrap();
    assert!(!temp.path().join(FILE).exists());
}

#[test]
fn a_file_beyond_the_limit_is_an_error() {
    let (_temp, dir) = place(Some(&"#".repeat(1 + MAX_FILE as usize)));
    assert!(matches!(Acl::load(&dir), Err(FormatError::TooLarge { .. })));
}
