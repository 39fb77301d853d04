//! Every manual page is well formed, and those of Roost that it refers to are
//! there.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::process::Finish;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn pages() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../man");
    let mut pages: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    pages.sort();
    pages
}

#[test]
fn mandoc_has_nothing_to_say() {
    if Command::new("mandoc").arg("-V").finish().is_err() {
        eprintln!("left out: no mandoc");
        return;
    }
    let mut mandoc = Command::new("mandoc");
    let output = mandoc.args(["-T", "lint"]).args(pages()).finish().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    // Which other pages there are depends on the machine.
    let said: Vec<_> = text
        .lines()
        .filter(|l| !l.contains("referenced manual not found"))
        .filter(|l| !l.contains("outdated mandoc.db"))
        .collect();
    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn pages_of_ours_are_there() {
    let mut seen = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for line in text.lines().filter_map(|l| l.strip_prefix(".Xr ")) {
            let mut words = line.split(' ');
            let (name, section) = (words.next().unwrap(), words.next().unwrap());
            if name.starts_with("roost") {
                let target = page.with_file_name(format!("{name}.{section}"));
                assert!(target.exists(), "{} refers to {line}", page.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 0);
}
