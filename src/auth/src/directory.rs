//! Users and groups as the host knows them, remembered for some seconds.
//!
//! A question to the name service takes some 140 system calls, or a round to
//! a directory server, and every login of an account has the same. Changes of
//! the host's accounts show after [`LIFE`]; passwords do not pass here.

use std::collections::HashMap;
use std::hash::Hash;
use std::io;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use roost_os::identity::{self, User};
use roost_os::{GroupId, UserId};

/// How long an answer is true.
const LIFE: Duration = Duration::from_secs(5);
/// Answers remembered of each kind.
const MOST: usize = 10_000;

static USERS: LazyLock<Memory<String, Option<User>>> = LazyLock::new(Memory::default);
static USERS_BY_ID: LazyLock<Memory<u32, Option<User>>> = LazyLock::new(Memory::default);
static GROUPS: LazyLock<Memory<String, Option<GroupId>>> = LazyLock::new(Memory::default);
static GROUPS_BY_ID: LazyLock<Memory<u32, Option<String>>> = LazyLock::new(Memory::default);
static GROUPS_OF: LazyLock<Memory<(String, u32), Vec<GroupId>>> = LazyLock::new(Memory::default);

/// See [`identity::user_by_name`].
pub fn user_by_name(name: &str) -> io::Result<Option<User>> {
    USERS.ask(name.to_owned(), || identity::user_by_name(name))
}

/// See [`identity::user_by_id`].
pub fn user_by_id(uid: UserId) -> io::Result<Option<User>> {
    USERS_BY_ID.ask(uid.0, || identity::user_by_id(uid))
}

/// See [`identity::group_by_name`].
pub fn group_by_name(name: &str) -> io::Result<Option<GroupId>> {
    GROUPS.ask(name.to_owned(), || identity::group_by_name(name))
}

/// See [`identity::group_by_id`].
pub fn group_by_id(gid: GroupId) -> io::Result<Option<String>> {
    GROUPS_BY_ID.ask(gid.0, || identity::group_by_id(gid))
}

/// See [`identity::groups_of`].
pub fn groups_of(name: &str, primary: GroupId) -> io::Result<Vec<GroupId>> {
    GROUPS_OF.ask((name.to_owned(), primary.0), || {
        identity::groups_of(name, primary)
    })
}

/// Answers and when they were given.
struct Memory<K, V>(Mutex<HashMap<K, (V, Instant)>>);

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq, V: Clone> Memory<K, V> {
    /// The answer from before, or that of `ask`; errors are not remembered.
    fn ask(&self, key: K, ask: impl FnOnce() -> io::Result<V>) -> io::Result<V> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((value, at)) = lock().get(&key)
            && at.elapsed() < LIFE
        {
            return Ok(value.clone());
        }
        let value = ask()?;
        let mut known = lock();
        if known.len() >= MOST {
            // Cheaper than to look for those that are too old.
            known.clear();
        }
        known.insert(key, (value.clone(), Instant::now()));
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_given_again_and_an_error_is_not() {
        let memory = Memory::default();
        assert_eq!(memory.ask("a", || Ok(1)).unwrap(), 1);
        assert_eq!(memory.ask("a", || Ok(2)).unwrap(), 1);
        assert!(
            memory
                .ask("b", || Err(io::ErrorKind::TimedOut.into()))
                .is_err()
        );
        assert_eq!(memory.ask("b", || Ok(3)).unwrap(), 3);
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let memory = Memory::default();
        for n in 0..2 * MOST {
            assert_eq!(memory.ask(n, || Ok(n)).unwrap(), n);
            assert!(memory.0.lock().unwrap().len() <= MOST);
        }
    }

    #[test]
    fn answers_are_those_of_the_host() {
        let root = user_by_id(UserId(0)).unwrap().unwrap();
        assert_eq!(user_by_name(&root.name).unwrap(), Some(root.clone()));
        assert!(groups_of(&root.name, root.gid).unwrap().contains(&root.gid));
        let name = group_by_id(root.gid).unwrap().unwrap();
        assert_eq!(group_by_name(&name).unwrap(), Some(root.gid));
        assert_eq!(user_by_name("no such user here").unwrap(), None);
        assert_eq!(group_by_name("no such group here").unwrap(), None);
    }
}
