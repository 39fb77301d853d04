//! How many connections of proxies wait for their headers: so many of all, and
//! of one address no more than a quarter, that one proxy cannot shut the others
//! out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

const ALL: usize = 1024;
const OF_ONE: usize = ALL / 4;

#[derive(Default)]
struct Counts {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

#[derive(Default)]
pub struct Awaited(Mutex<Counts>);

/// Of one connection, until it is dropped.
pub struct Place {
    awaited: Arc<Awaited>,
    peer: IpAddr,
}

impl Awaited {
    /// `None` when too many wait.
    pub fn place(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = counts.of.get(&peer).copied().unwrap_or(0);
        if counts.all >= ALL || of_one >= OF_ONE {
            return None;
        }
        counts.all += 1;
        counts.of.insert(peer, of_one + 1);
        Some(Place {
            awaited: Arc::clone(self),
            peer,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = (self.awaited.0.lock()).unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        if let Some(of_one) = counts.of.get_mut(&self.peer) {
            *of_one = of_one.saturating_sub(1);
            if *of_one == 0 {
                counts.of.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    #[test]
    fn one_proxy_leaves_room_for_others() {
        let awaited = Arc::new(Awaited::default());
        let take = |n| -> Vec<_> { std::iter::from_fn(|| awaited.place(peer(n))).collect() };
        let mut first = take(1);
        assert_eq!(first.len(), OF_ONE);
        assert!(awaited.place(peer(2)).is_some());
        first.pop();
        assert!(awaited.place(peer(1)).is_some());
        let others: Vec<_> = (2..=4).flat_map(take).collect();
        assert_eq!(others.len(), 3 * OF_ONE);
        assert_eq!(take(5).len(), 1, "what is left of all");
        drop((first, others));
        assert!(awaited.0.lock().unwrap().of.is_empty());
    }
}
