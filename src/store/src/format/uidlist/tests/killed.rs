//! A writer killed at any moment: every UID it was told stays, and the lock it
//! left does not stop the next one for long.

use super::*;
use std::io::BufRead;
use std::process::{Command, Stdio};

const CHILD: &str = "ROOST_TEST_KILLED_WRITER";
const NAME: &str = "a_killed_writer_loses_nothing";

/// Assigns and rewrites for ever, telling each UID once it has it.
fn write_for_ever(path: &str) {
    let dir = Dir::open(std::path::Path::new(path)).unwrap();
    let mut list = UidList::load(&dir).unwrap().unwrap();
    for round in 0u32.. {
        let mut lock = UidListLock::acquire(&dir, Duration::from_secs(20)).unwrap();
        let names: Vec<String> = (0..3)
            .map(|i| crate::format::name::unique() + &format!("-{i}"))
            .collect();
        let records = names.iter().map(|name| NewRecord {
            base: name.as_bytes(),
            guid: None,
        });
        let mut uids = Vec::new();
        list.assign(&mut lock, Fsync::Never, records, &mut uids)
            .unwrap();
        if round % 3 == 2 {
            list.rewrite(&mut lock, Fsync::Never, |_, _| true).unwrap();
        }
        for (uid, name) in uids.iter().zip(&names) {
            println!("told {uid} {name} .");
        }
    }
}

#[test]
fn a_killed_writer_loses_nothing() {
    if let Ok(path) = std::env::var(CHILD) {
        return write_for_ever(&path);
    }
    let p = place(REAL.as_bytes());
    let (_crate, module) = module_path!().split_once("::").unwrap();
    let this_test = format!("{module}::{NAME}");
    let mut told = BTreeMap::new();
    for round in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &this_test, "--nocapture"])
            .env(CHILD, p.temp.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let before = told.len();
        // The first lines come when the lock of the one before was broken.
        for line in lines.by_ref().map_while(Result::ok) {
            take(&line, &mut told);
            if told.len() >= before + 30 + round * 7 {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lines
            .map_while(Result::ok)
            .for_each(|line| take(&line, &mut told));
        assert!(told.len() > before);
        let on_disk = records(&p.load());
        for (uid, name) in &told {
            assert_eq!(on_disk.get(uid), Some(name));
        }
    }
    let mut list = p.load();
    let next = p.assign(&mut list, &["last"])[0];
    assert!(told.keys().all(|&uid| uid < next));
}

fn take(line: &str, told: &mut BTreeMap<u32, String>) {
    let Some((_, rest)) = line.split_once("told ") else {
        return;
    };
    // Killed within a line, it told nothing.
    let Some((uid, name)) = rest
        .strip_suffix(" .")
        .and_then(|rest| rest.split_once(' '))
    else {
        return;
    };
    let again = told.insert(uid.parse().unwrap(), name.to_owned());
    assert_eq!(again, None, "UID {uid} told twice");
}
