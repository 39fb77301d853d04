//! What a server takes: the proportional set size of all its processes, so
//! that pages shared between them count once.

use crate::error::{Result, fail};
use std::collections::HashMap;
use std::fs;

/// Octets of `root` and everything that it started.
pub fn of_tree(root: i32) -> Result<u64> {
    match sum(root, "Pss:")? {
        0 => fail("no process to weigh"),
        total => Ok(total),
    }
}

/// Of these, what is mapped from files: programs and libraries.
pub fn of_files(root: i32) -> Result<u64> {
    sum(root, "Pss_File:")
}

fn sum(root: i32, name: &str) -> Result<u64> {
    let each = |pid| field(&format!("/proc/{pid}/smaps_rollup"), name);
    Ok(tree(root)?.into_iter().filter_map(each).sum::<u64>() * 1024)
}

/// The most that any of the processes has had resident, in octets.
pub fn largest_peak(root: i32) -> Result<u64> {
    let peaks = tree(root)?
        .into_iter()
        .filter_map(|pid| field(&format!("/proc/{pid}/status"), "VmHWM:"));
    peaks
        .max()
        .map_or_else(|| fail("no process to weigh"), |kib| Ok(kib * 1024))
}

/// KiB behind `name`. None once the process has ended.
fn field(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines()
        .find_map(|l| l.strip_prefix(name)?.trim().strip_suffix(" kB"))?
        .parse()
        .ok()
}

/// `root` and its descendants.
fn tree(root: i32) -> Result<Vec<i32>> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, tail)| tail.split_whitespace().nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut all = vec![root];
    let mut at = 0;
    while let Some(pid) = all.get(at) {
        if let Some(more) = children.remove(pid) {
            all.extend(more);
        }
        at += 1;
    }
    Ok(all)
}
