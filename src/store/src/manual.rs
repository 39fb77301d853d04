//! roost-maildir(5) names every file.

use crate::format::{
    acl, annotations, courier, dirname, extra_keywords, folders, keywords, maildirsize,
    subscriptions, uidlist, uidvalidity,
};

#[test]
fn the_manual_has_every_file() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../man/roost-maildir.5");
    let page = std::fs::read_to_string(page).unwrap();
    let named = |file: &str| {
        page.lines()
            .filter(|line| line.starts_with(".It Pa ") || line.starts_with(".Pa "))
            .flat_map(|line| line.split([' ', '/']))
            .any(|word| word == file)
    };
    for file in [
        acl::FILE,
        annotations::FILE,
        annotations::SERVER_FILE,
        courier::ACL,
        courier::KEYWORDS,
        courier::SUBSCRIBED,
        courier::UID_DB,
        dirname::INDEX_DIR,
        extra_keywords::FILE,
        folders::FILE,
        keywords::FILE,
        maildirsize::FILE,
        subscriptions::FILE,
        uidlist::FILE,
        uidvalidity::FILE,
        crate::migrate::courier::ASIDE,
    ] {
        assert!(named(file), "{file}");
    }
}
