//! New messages that get `$Media`.

use crate::support::*;
use roost_store::{CopyMode, Details, FlagMode, Options};
use roost_types::{SystemFlags, Uid};
use std::io::{self, Read};

/// Here it is any message that says so.
fn has_media(message: &mut dyn Read) -> io::Result<bool> {
    let mut text = String::new();
    message.read_to_string(&mut text)?;
    Ok(text.contains("music"))
}

fn marking() -> Options {
    Options {
        has_media: Some(has_media),
        ..options()
    }
}

/// UIDs of the messages with the keyword.
fn marked(picture: &roost_store::Snapshot) -> Vec<u32> {
    let all = view(picture).into_iter();
    let has = |words: &[String]| words.iter().any(|w| w == "$Media");
    all.filter(|(_, (_, words))| has(words))
        .map(|(uid, _)| uid)
        .collect()
}

#[test]
fn what_is_delivered_and_what_is_added() {
    let site = Site::with(marking());
    let work = site.create("Work");
    let dir = site.root().join(".Work");
    deliver(&dir, "1000000001.M1P1.h", "Subject: a\n\nmusic\n");
    deliver(&dir, "1000000002.M1P1.h", "Subject: b\n\nnoise\n");
    work.refresh().unwrap();
    // The watcher may be at it.
    wait_until("marked", || {
        let picture = work.snapshot();
        picture.len() == 2 && marked(&picture) == [1]
    });
    assert_eq!(work.snapshot().recent(), 2, "nobody has claimed them");
    assert_eq!(files(&dir.join("new")), ["1000000002.M1P1.h"]);
    append(&work, "Subject: c\n\nmusic\n", SystemFlags::SEEN, &["x"]);
    append(&work, "Subject: d\n\nnoise\n", SystemFlags::SEEN, &[]);
    append(
        &work,
        "Subject: e\n\nmusic\n",
        SystemFlags::NONE,
        &["$MEDIA"],
    );
    assert_eq!(marked(&work.snapshot()), [1, 3, 5]);
    // What is taken away is not given again, nor are copies looked at.
    store(
        &work,
        &[1, 3],
        FlagMode::Remove,
        SystemFlags::NONE,
        &["$Media"],
    );
    site.create("Other");
    work.copy(&uids(&[1, 5]), &site.open("Other"), CopyMode::Copy)
        .unwrap();
    assert_eq!(marked(&work.refresh().unwrap()), [5]);
    assert_eq!(marked(&site.open("Other").refresh().unwrap()), [2]);
}

#[test]
fn what_came_while_nobody_looked() {
    let mut site = Site::with(marking());
    site.create("Work");
    site.restart_with(marking());
    let dir = site.root().join(".Work");
    deliver(&dir, "1000000001.M1P1.h", "Subject: a\n\nmusic\n");
    let old = dir.join("cur").join("1000000000.M1P1.h:2,S");
    std::fs::write(&old, "Subject: old\n\nmusic\n").unwrap();
    let status = site.account.status(&name("Work"), Details::All).unwrap();
    assert_eq!(status.more.map(|more| more.unseen_media), Some(1));
    // What has been there is no arrival.
    let picture = site.open("Work").refresh().unwrap();
    let uid = marked(&picture)[0];
    let base = file_of(&dir, uid);
    assert!(base.starts_with("1000000001."), "{base}");
    // The watcher marks what nobody asks for.
    let held = site.open("Work");
    deliver(&dir, "1000000003.M1P1.h", "Subject: b\n\nmusic\n");
    wait_until("marked", || marked(&held.snapshot()).len() == 2);
    // A message that cannot be read keeps no other from being marked.
    deliver(&dir, "1000000004.M1P1.h", "Subject: c\n\nmusic \u{fffd}\n");
    std::fs::write(dir.join("new/1000000005.M1P1.h"), b"\xff\n\nmusic").unwrap();
    held.refresh().unwrap();
    wait_until("marked", || marked(&held.snapshot()).len() == 3);
    assert_eq!(held.snapshot().last_uid().map(Uid::get), Some(5));
}

#[test]
fn without_the_option_nobody_looks() {
    let site = Site::new();
    let work = site.create("Work");
    let dir = site.root().join(".Work");
    deliver(&dir, "1000000001.M1P1.h", "Subject: a\n\nmusic\n");
    append(&work, "Subject: c\n\nmusic\n", SystemFlags::SEEN, &[]);
    assert!(marked(&work.refresh().unwrap()).is_empty());
    assert_eq!(files(&dir.join("new")).len(), 1);
}
