use super::*;

fn some(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn with(shares: &Shares, account: &str, groups: &[&str]) -> Vec<String> {
    let groups = some(groups);
    shares.with(&Asker {
        account,
        groups: &groups,
    })
}

#[test]
fn owners_are_found_by_name_group_domain_and_by_anyone() {
    let dir = tempfile::tempdir().unwrap();
    let shares = Shares::load(dir.path().into(), None);
    shares.set("alice", &some(&["bob", "#sales people"]));
    shares.set("carol", &some(&["user=dave", "group=staff", "owner"]));
    shares.set("public", &some(&["anyone"]));
    shares.set("ann@one.example", &some(&["bob", "anyone@two.example"]));
    shares.set("eve@two.example", &some(&["anyone@"]));
    // A name without a domain is of the owner's.
    assert_eq!(with(&shares, "bob", &[]), ["alice", "public"]);
    assert_eq!(with(&shares, "dave", &[]), ["carol", "public"]);
    let groups = ["sales people", "staff"];
    assert_eq!(with(&shares, "fred", &groups), ["alice", "carol", "public"]);
    assert_eq!(with(&shares, "bob@one.example", &[]), ["ann", "public"]);
    let far = with(&shares, "bob@two.example", &[]);
    assert_eq!(far, ["ann@one.example", "eve", "public"]);
    assert_eq!(with(&shares, "owner", &[]), ["public"]);
    assert!(with(&shares, "public", &[]).is_empty(), "not oneself");
}

#[test]
fn the_file_holds_what_was_said_last() {
    let dir = tempfile::tempdir().unwrap();
    let shares = Shares::load(dir.path().into(), None);
    shares.set("alice", &some(&["bob", "carol"]));
    shares.set("dave", &some(&["bob"]));
    shares.set("alice", &some(&["#a b"]));
    shares.flush();
    let file = dir.path().join("shares");
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "alice #a b\ndave bob\n"
    );
    let again = Shares::load(dir.path().into(), None);
    assert_eq!(with(&again, "bob", &["a b"]), ["alice", "dave"]);
    // The same again writes nothing.
    std::fs::remove_file(&file).unwrap();
    again.set("dave", &some(&["bob"]));
    again.flush();
    assert!(!file.exists());
    again.set("dave", &[]);
    again.flush();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "alice #a b\n");
    again.forget();
    again.flush();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "");
    assert_eq!(again.lock().lines, 0);
}

#[test]
fn damaged_lines_are_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shares");
    let text = b"alice bob\nhalf\n dave\n\xff \xff\ndave  bob\ncarol bob\n";
    std::fs::write(&file, text).unwrap();
    let shares = Shares::load(dir.path().into(), None);
    assert_eq!(with(&shares, "bob", &[]), ["alice", "carol"]);
    let aside = std::fs::read(dir.path().join("shares.damaged")).unwrap();
    assert_eq!(aside, b"half\n dave\n\xff \xff\ndave  bob\n");
}

#[test]
fn nobody_can_fill_it_or_break_its_lines() {
    let dir = tempfile::tempdir().unwrap();
    let shares = Shares::load(dir.path().into(), None);
    let many: Vec<_> = (0..5000).map(|n| format!("u{n}")).collect();
    shares.set("alice", &many);
    assert_eq!(shares.lock().lines, MAX_IDENTIFIERS);
    let odd = ["bob\nroot x", "", " bob", "\u{7f}", &"x".repeat(256)];
    shares.set("alice", &some(&odd));
    shares.set("a b", &some(&["bob"]));
    shares.set("a\nb", &some(&["bob"]));
    assert_eq!(shares.lock().lines, 0);
}

#[test]
fn who_is_denied_what_others_get_does_not_hear_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let shares = Shares::load(dir.path().into(), None);
    shares.set("alice", &some(&["-bob", "-#crowd", "anyone"]));
    shares.set(
        "ann@one.example",
        &some(&["-bob", "-user=dave@x.example", "anyone"]),
    );
    shares.flush();
    let again = Shares::load(dir.path().into(), None);
    for shares in [shares, again] {
        assert_eq!(with(&shares, "bob", &[]), ["ann@one.example"]);
        assert_eq!(with(&shares, "bob@one.example", &[]), ["alice"]);
        assert_eq!(with(&shares, "dave@x.example", &["crowd"]), [""; 0]);
        assert_eq!(with(&shares, "carol", &[]), ["alice", "ann@one.example"]);
        shares.set("alice", &some(&["anyone"]));
        assert_eq!(with(&shares, "bob", &[]), ["alice", "ann@one.example"]);
    }
}

#[test]
fn the_first_of_many_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let shares = Shares::load(dir.path().into(), None);
    for n in 0..MAX_OWNERS + 5 {
        shares.set(&format!("user{n:05}"), &some(&["anyone", "bob"]));
    }
    let found = with(&shares, "bob", &[]);
    assert_eq!(found.len(), MAX_OWNERS);
    assert_eq!(found.first().unwrap(), "user00000");
    assert_eq!(found.last().unwrap(), "user00999");
}

#[test]
fn names_without_a_domain_are_of_the_default_one() {
    let dir = tempfile::tempdir().unwrap();
    let shares = Shares::load(dir.path().into(), Some("home.org"));
    shares.set("alice", &some(&["bob@home.org", "anyone@away.org"]));
    shares.set("carol@home.org", &some(&["bob", "-dave", "anyone@"]));
    shares.set("eve@away.org", &some(&["bob"]));
    assert_eq!(with(&shares, "bob", &[]), ["alice", "carol@home.org"]);
    assert_eq!(with(&shares, "bob@home.org", &[]), ["alice", "carol"]);
    assert_eq!(with(&shares, "bob@away.org", &[]), ["alice", "eve"]);
    assert_eq!(with(&shares, "fred", &[]), ["carol@home.org"]);
    assert_eq!(with(&shares, "dave", &[]), [""; 0]);
    // The same file, read for another domain.
    shares.set_default_domain(Some("away.org"));
    assert_eq!(with(&shares, "bob", &[]), ["alice", "eve@away.org"]);
    shares.set("alice", &[]);
    assert_eq!(with(&shares, "bob", &[]), ["eve@away.org"]);
    shares.set_default_domain(None);
    assert_eq!(with(&shares, "bob", &[]), [""; 0]);
    assert_eq!(shares.lock().lines, 4);
}
