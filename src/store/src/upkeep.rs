//! Work that nobody waits for: indexes written, mailboxes closed. On a thread
//! of its own, one thing after another, so that neither a session nor the
//! watching of all other mailboxes stands still for it; the thread ends when
//! there is nothing left.

use crate::mailbox::lock;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};

type Work = Box<dyn FnOnce() + Send>;

#[derive(Default, Clone)]
pub(crate) struct Upkeep(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    idle: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    at_work: bool,
    worker: Option<ThreadId>,
}

impl Upkeep {
    /// Does `work` soon; at once where no thread is to be had.
    pub fn later(&self, work: impl FnOnce() + Send + 'static) {
        let mut queue = lock(&self.0.queue);
        queue.waiting.push_back(Box::new(work));
        if std::mem::replace(&mut queue.at_work, true) {
            return;
        }
        drop(queue);
        let this = self.clone();
        let thread = thread::Builder::new().name("roost-upkeep".into());
        if let Err(e) = thread.spawn(move || this.work()) {
            log::info!("upkeep: {e}");
            self.work();
        }
    }

    /// Returns when all is done.
    pub fn finish(&self) {
        let mut queue = lock(&self.0.queue);
        while queue.at_work && queue.worker != Some(thread::current().id()) {
            let woken = self.0.idle.wait(queue);
            queue = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(&self) {
        while let Some(work) = self.next() {
            // A panic is logged by its hook; what waits is done all the same.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        }
    }

    fn next(&self) -> Option<Work> {
        let mut queue = lock(&self.0.queue);
        let next = queue.waiting.pop_front();
        queue.at_work = next.is_some();
        queue.worker = next.as_ref().map(|_| thread::current().id());
        if next.is_none() {
            self.0.idle.notify_all();
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn everything_is_done() {
        let (done, seen) = mpsc::channel();
        let upkeep = Upkeep::default();
        for n in 0..100 {
            let done = done.clone();
            upkeep.later(move || {
                done.send(n).unwrap();
                assert!(n % 10 > 0, "one of ten fails");
            });
        }
        drop(done);
        upkeep.finish();
        assert_eq!(seen.try_iter().count(), 100);
        let (done, seen) = mpsc::channel();
        let again = upkeep.clone();
        upkeep.later(move || {
            again.finish();
            done.send(()).unwrap();
        });
        seen.recv().unwrap();
    }
}
