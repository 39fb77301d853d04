//! Tells when certificate files may have changed. Their directories are
//! watched, not the files: renewals replace a file or turn a link round, and
//! a watch on the file itself would stay with the old one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// A renewal writes several files; one reload serves them all.
const SETTLE: Duration = Duration::from_millis(500);

/// Watches the directories of `files` until dropped.
pub struct CertificateWatch {
    _watcher: RecommendedWatcher,
    changed: mpsc::Receiver<()>,
}

impl CertificateWatch {
    /// # Errors
    /// Those of the kernel's watches; the caller goes on without, for SIGHUP
    /// reloads as well.
    pub fn new<'a>(files: impl IntoIterator<Item = &'a Path>) -> notify::Result<Self> {
        let (sender, changed) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let counts = match event {
                Ok(event) => !matches!(event.kind, EventKind::Access(_)),
                // Events may have got lost.
                Err(_) => true,
            };
            if counts {
                // A full channel says the same already.
                let _ = sender.try_send(());
            }
        })?;
        let directories: BTreeSet<PathBuf> = files
            .into_iter()
            .filter_map(Path::parent)
            .map(Path::to_owned)
            .collect();
        for directory in &directories {
            watcher.watch(directory, RecursiveMode::NonRecursive)?;
        }
        Ok(Self {
            _watcher: watcher,
            changed,
        })
    }

    /// Waits for a change and for the files to settle. Dropping the future
    /// while it settles may lose the change, so run it in a task of its own.
    pub async fn changed(&mut self) -> Option<()> {
        self.changed.recv().await?;
        tokio::time::sleep(SETTLE).await;
        // What came meanwhile is served by the same reload.
        let _ = self.changed.try_recv();
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tokio::time::timeout;

    #[tokio::test]
    async fn replacing_a_file_is_seen_and_reading_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("crt");
        fs::write(&path, "one").unwrap();
        let mut watch = CertificateWatch::new([path.as_path()]).unwrap();
        fs::read(&path).unwrap();
        let quiet = timeout(Duration::from_millis(300), watch.changed()).await;
        assert!(quiet.is_err());
        let new = dir.path().join("crt.new");
        fs::write(&new, "two").unwrap();
        fs::rename(&new, &path).unwrap();
        let seen = timeout(Duration::from_secs(5), watch.changed()).await;
        assert_eq!(seen.unwrap(), Some(()));
        let once = timeout(Duration::from_millis(300), watch.changed()).await;
        assert!(once.is_err());
    }
}
