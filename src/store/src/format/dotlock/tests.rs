use super::*;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

struct Place {
    dir: Dir,
    lock: PathBuf,
    file: PathBuf,
    _temp: tempfile::TempDir,
}

fn place() -> Place {
    let temp = tempfile::tempdir().unwrap();
    Place {
        dir: Dir::open(temp.path()).unwrap(),
        lock: temp.path().join("f.lock"),
        file: temp.path().join("f"),
        _temp: temp,
    }
}

fn age_by(path: &std::path::Path, seconds: u64) {
    let then = SystemTime::now() - Duration::from_secs(seconds);
    let file = File::options().write(true).open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(then)).unwrap();
}

const SHORT: Duration = Duration::from_millis(50);

#[test]
fn a_lock_names_its_process_and_goes_with_it() {
    let p = place();
    let lock = DotLock::acquire(&p.dir, "f", SHORT).unwrap();
    let expected = format!("{}:{}", std::process::id(), own_host());
    assert_eq!(std::fs::read_to_string(&p.lock).unwrap(), expected);
    assert!(DotLock::try_acquire(&p.dir, "f").unwrap().is_none());
    let held = DotLock::acquire(&p.dir, "f", SHORT);
    assert!(matches!(held, Err(FormatError::Locked { .. })));
    drop(lock);
    assert!(!p.lock.exists());
    assert!(DotLock::try_acquire(&p.dir, "f").unwrap().is_some());
}

#[test]
fn the_lock_of_a_dead_process_is_broken_after_its_grace() {
    let p = place();
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let dead = child.id();
    child.wait().unwrap();
    let start = Instant::now();
    std::fs::write(&p.lock, format!("{dead}:{}", own_host())).unwrap();
    assert!(DotLock::try_acquire(&p.dir, "f").unwrap().is_none());
    DotLock::acquire(&p.dir, "f", Duration::from_secs(20)).unwrap();
    assert!(start.elapsed() > Duration::from_millis(900));
}

#[test]
fn living_and_foreign_holders_are_respected() {
    let p = place();
    let parent = std::os::unix::process::parent_id();
    std::fs::write(&p.file, "x").unwrap();
    for content in [
        format!("{parent}:{}", own_host()),
        "1:elsewhere.example".to_owned(),
        "garbage".to_owned(),
    ] {
        std::fs::write(&p.lock, &content).unwrap();
        age_by(&p.lock, 500);
        // The age of a lock is that of its last change of any kind, and
        // setting an old mtime is one.
        let taken = DotLock::acquire(&p.dir, "f", SHORT);
        assert!(
            matches!(taken, Err(FormatError::Locked { .. })),
            "{content}"
        );
        assert_eq!(std::fs::read_to_string(&p.lock).unwrap(), content);
    }
}

#[test]
fn age_counts_the_newest_of_lock_and_file() {
    let p = place();
    std::fs::write(&p.lock, "1:elsewhere").unwrap();
    let stat = p.dir.stat("f.lock").unwrap().unwrap();
    let old = Stat {
        mtime_sec: stat.mtime_sec - 130,
        ctime_sec: stat.ctime_sec - 130,
        ..stat
    };
    assert!(age(&old, SystemTime::now()) >= STALE);
    let touched = Stat {
        ctime_sec: stat.ctime_sec,
        ..old
    };
    assert!(age(&touched, SystemTime::now()) < STALE);
}

#[test]
fn a_lock_unchanged_under_our_eyes_is_stale_whatever_the_clocks_say() {
    let p = place();
    std::fs::write(&p.lock, "1:elsewhere").unwrap();
    let lock = p.dir.stat("f.lock").unwrap().unwrap();
    let mark = Mark { lock, file: None };
    let seen = |mark| Watch {
        seen: Some((mark, Instant::now().checked_sub(STALE).unwrap())),
    };
    assert!(seen(mark).is_stale(&p.dir, "f", "f.lock").unwrap());
    let other = Mark {
        lock: Stat {
            ctime_nsec: lock.ctime_nsec + 1,
            ..lock
        },
        file: None,
    };
    assert!(!seen(other).is_stale(&p.dir, "f", "f.lock").unwrap());
}

#[test]
fn a_lock_replaced_since_it_was_judged_is_put_back() {
    let p = place();
    std::fs::write(&p.lock, "1:elsewhere").unwrap();
    let mut watch = Watch::default();
    watch.is_stale(&p.dir, "f", "f.lock").unwrap();
    std::fs::rename(&p.lock, &p.file).unwrap();
    std::fs::write(&p.lock, "2:elsewhere").unwrap();
    assert!(!watch.break_lock(&p.dir, "f.lock").unwrap());
    assert_eq!(std::fs::read_to_string(&p.lock).unwrap(), "2:elsewhere");
    watch.is_stale(&p.dir, "f", "f.lock").unwrap();
    assert!(watch.break_lock(&p.dir, "f.lock").unwrap());
    let left: Vec<_> = std::fs::read_dir(p.lock.parent().unwrap())
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "only the file: {left:?}");
}

#[test]
fn a_lock_left_by_an_earlier_process_of_our_number_is_stale() {
    let p = place();
    std::fs::write(&p.lock, format!("{}:{}", std::process::id(), own_host())).unwrap();
    assert!(holder_is_dead(&p.dir, "f.lock").unwrap());
    std::fs::remove_file(&p.lock).unwrap();
    let _lock = DotLock::acquire(&p.dir, "f", SHORT).unwrap();
    assert!(!holder_is_dead(&p.dir, "f.lock").unwrap());
}

#[test]
fn a_lock_taken_over_is_neither_kept_nor_removed() {
    let p = place();
    let mut lock = DotLock::acquire(&p.dir, "f", SHORT).unwrap();
    lock.keep_alive().unwrap();
    // Another inode, as when someone breaks the lock and takes it.
    std::fs::rename(&p.lock, &p.file).unwrap();
    std::fs::write(&p.lock, "7:elsewhere").unwrap();
    assert!(matches!(
        lock.keep_alive(),
        Err(FormatError::LockLost { .. })
    ));
    drop(lock);
    assert_eq!(std::fs::read_to_string(&p.lock).unwrap(), "7:elsewhere");
}

#[test]
fn one_holder_at_a_time() {
    let p = place();
    let inside = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..40 {
                    let lock = DotLock::acquire(&p.dir, "f", Duration::from_secs(60));
                    let _lock = lock.unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    inside.fetch_sub(1, Ordering::SeqCst);
                }
            });
        }
    });
}

#[test]
fn both_ways_of_making_a_lock_make_the_same() {
    let p = place();
    for make in [link_whole, create_then_write] {
        drop(make(&p.dir, "f.lock", b"7:h").unwrap());
        assert_eq!(std::fs::read_to_string(&p.lock).unwrap(), "7:h");
        let mode = std::fs::metadata(&p.lock).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, Perm::of(&p.dir).unwrap().file_mode);
        let again = make(&p.dir, "f.lock", b"8:h").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        std::fs::remove_file(&p.lock).unwrap();
    }
}
