//! How many connections there are at once, and whose.

use std::sync::{Arc, Mutex, PoisonError};

use roost_os::UserId;

/// Of one user but root.
const OF_ONE_USER: usize = 16;
/// Of all but root and administrators: one user may have many numbers
/// (subuid(5)).
const OF_OTHERS: usize = 128;
/// Beyond these, for them.
const OF_ADMINS: usize = 32;

/// Whose they are.
#[derive(Clone, Default)]
pub struct Turns(Arc<Mutex<Vec<UserId>>>);

/// One of them, until dropped.
pub struct Turn {
    by: UserId,
    turns: Turns,
}

impl Turns {
    pub fn take(&self, by: UserId, admin: bool) -> Option<Turn> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.iter().filter(|&&user| user == by).count();
        let most = match admin {
            true => OF_OTHERS + OF_ADMINS,
            false => OF_OTHERS,
        };
        let may = by.is_root() || own < OF_ONE_USER;
        (may && taken.len() < most).then(|| {
            taken.push(by);
            Turn {
                by,
                turns: self.clone(),
            }
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = taken.iter().position(|&user| user == self.by) {
            taken.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_after_the_server_finds_room() {
        let turns = Turns::default();
        let take = |by| turns.take(UserId(by), by < 2);
        let mut of_one: Vec<_> = (0..OF_ONE_USER).map(|_| take(7).unwrap()).collect();
        assert!(take(7).is_none());
        drop(take(8).unwrap());
        of_one.pop();
        of_one.push(take(7).unwrap());
        let of_others: Vec<_> = (1000..9000).map_while(take).collect();
        assert_eq!(of_one.len() + of_others.len(), OF_OTHERS);
        let of_admins: Vec<_> = (0..1000).map_while(|_| take(1)).collect();
        assert_eq!(of_admins.len(), OF_ONE_USER);
        let of_root: Vec<_> = (0..1000).map_while(|_| take(0)).collect();
        assert_eq!(of_admins.len() + of_root.len(), OF_ADMINS);
    }
}
