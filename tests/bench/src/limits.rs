//! What the machine itself takes for what a command cannot do without.

use crate::error::{Error, Result};
use crate::threads::parallel;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::unistd::{fdatasync, fsync, linkat};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

fn seconds(f: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    f()?;
    Ok(start.elapsed().as_secs_f64())
}

fn fresh(dir: &Path) -> Result<PathBuf> {
    let dir = dir.join("limits");
    let _ = fs::remove_dir_all(&dir);
    for sub in ["cur", "other"] {
        fs::create_dir_all(dir.join(sub))?;
    }
    Ok(dir)
}

fn name(n: usize, flags: &str) -> String {
    format!(
        "{}.M{n:06}P{n}.bench,S=1234,W=1250:2,{flags}",
        1_700_000_000 + n
    )
}

/// Seconds for links, renames within and between directories, and unlinks of
/// `count` files in directories of as many, by one thread.
pub struct Names {
    pub link: f64,
    pub rename: f64,
    /// The same by two threads at once, in one directory.
    pub rename_by_two: f64,
    pub move_: f64,
    pub unlink: f64,
}

pub fn names(dir: &Path, count: usize) -> Result<Names> {
    let dir = fresh(dir)?;
    File::create(dir.join("file"))?;
    let (cur, other) = (File::open(dir.join("cur"))?, File::open(dir.join("other"))?);
    let rename =
        |from: &File, a: &str, to: &File, b: &str| rename_some(0..count, (from, a), (to, b));
    let source = dir.join("file");
    let found = Names {
        link: seconds(|| {
            (0..count).try_for_each(|n| {
                linkat(
                    AT_FDCWD,
                    &source,
                    &cur,
                    name(n, "S").as_str(),
                    nix::fcntl::AtFlags::empty(),
                )
            })?;
            Ok(fsync(&cur)?)
        })?,
        rename: seconds(|| Ok(rename(&cur, "S", &cur, "FS")?))?,
        rename_by_two: seconds(|| {
            parallel(2, |thread| {
                let half = (thread * count / 2)..((thread + 1) * count / 2);
                Ok(rename_some(half, (&cur, "FS"), (&cur, "RS"))?)
            })
            .map(drop)
        })?,
        move_: seconds(|| {
            rename(&cur, "RS", &other, "FS")?;
            fsync(&other)?;
            Ok(fsync(&cur)?)
        })?,
        unlink: seconds(|| {
            let path = dir.join("other");
            Ok((0..count).try_for_each(|n| fs::remove_file(path.join(name(n, "FS"))))?)
        })?,
    };
    fs::remove_dir_all(dir)?;
    Ok(found)
}

/// From one directory and flags to others.
fn rename_some(which: Range<usize>, from: (&File, &str), to: (&File, &str)) -> nix::Result<()> {
    which.into_iter().try_for_each(|n| {
        renameat2(
            from.0,
            name(n, from.1).as_str(),
            to.0,
            name(n, to.1).as_str(),
            RenameFlags::RENAME_NOREPLACE,
        )
    })
}

/// Small files in a second, each with what Dovecot's APPEND waits for: the
/// file, the directory and the UID list.
pub fn durable_files(dir: &Path, count: usize, octets: &[u8]) -> Result<f64> {
    let dir = fresh(dir)?;
    let mut list = File::create(dir.join("list"))?;
    let cur = File::open(dir.join("cur"))?;
    let taken = seconds(|| {
        for n in 0..count {
            let from = dir.join("other").join(name(n, ""));
            let mut file = File::create(&from)?;
            file.write_all(octets)?;
            fdatasync(&file)?;
            fs::rename(&from, dir.join("cur").join(name(n, "S")))?;
            fsync(&cur)?;
            list.write_all(name(n, "\n").as_bytes())?;
            fdatasync(&list)?;
        }
        Ok(())
    })?;
    fs::remove_dir_all(dir)?;
    Ok(count as f64 / taken)
}

/// Seconds for opening, looking at and reading the first octets of every file,
/// on all cores.
pub fn beginnings<'a>(files: impl Iterator<Item = &'a Path>, octets: usize) -> Result<f64> {
    let files: Vec<&Path> = files.collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let read = || -> Result<()> {
        let mut buffer = vec![0; octets];
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut file = File::open(path)?;
            file.metadata()?;
            let _octets = file.read(&mut buffer)?;
        }
        Ok(())
    };
    seconds(|| {
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..cores).map(|_| scope.spawn(read)).collect();
            read()?;
            others.into_iter().try_for_each(|other| {
                other
                    .join()
                    .map_err(|_| Error("a reading thread ended".into()))?
            })
        })
    })
}
