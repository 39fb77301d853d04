//! How a mailbox comes to its UID list: read, salvaged, taken over from
//! Courier, or made.

use super::uidlist::{FILE, Found};
use super::{FormatError, UidList, UidListLock, courier};
use crate::options::Fsync;
use roost_types::UidValidity;

/// The list of the mailbox whose lock is held. Where there is none it is taken
/// over from Courier's files (keywords too; files in `cur` are renamed to
/// carry their letters) or made with a UIDVALIDITY from `new_validity`; where
/// Courier has worked again since, its new UIDs count; a
/// damaged one is set aside and rewritten from what parses, with a new
/// UIDVALIDITY only if the old one, or the next UID, cannot be read.
pub fn open(
    lock: &mut UidListLock,
    fsync: Fsync,
    new_validity: impl FnOnce() -> Result<UidValidity, FormatError>,
) -> Result<UidList, FormatError> {
    let dir = lock.dir().clone();
    let mut list = match UidList::read(&dir, FILE)? {
        Found::List(list) => courier::reconciled(lock, fsync, list, new_validity)?,
        Found::Headless(rest) => UidList::from_headless(&dir, rest, new_validity()?),
        Found::Nothing => match courier::take_over(lock, fsync)? {
            Some(list) => list,
            None => UidList::empty(&dir, new_validity()?),
        },
    };
    list.settle(lock, fsync)?;
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Dir;
    use roost_types::Uid;
    use std::time::Duration;

    #[test]
    fn a_new_mailbox_gets_a_list_at_once() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let mut lock = UidListLock::acquire(&dir, Duration::ZERO).unwrap();
        let validity = UidValidity::new(1_795_324_062).unwrap();
        let list = open(&mut lock, Fsync::Always, || Ok(validity)).unwrap();
        let text = std::fs::read_to_string(temp.path().join(FILE)).unwrap();
        let guid = list.guid().unwrap();
        assert_eq!(text, format!("3 V1795324062 N1 G{guid}\n"));
        let again = open(&mut lock, Fsync::Always, || panic!("not asked")).unwrap();
        assert_eq!(again.guid(), Some(guid));
        assert_eq!(again.uid_next(), Uid::MIN);
    }
}
