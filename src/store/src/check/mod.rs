//! Whether Maildir, sidecars and index agree, and what to do where not.
//!
//! The Maildir is looked at by itself first, without opening mailboxes: that
//! alone would mend what is damaged. Only a mailbox whose files are in order is
//! opened, and what the sessions see of it compared with the files.
//!
//! What must stay true: looking changes nothing; mending loses nothing: what is
//! damaged is set aside, not deleted.

mod account;
mod compare;
mod files;
mod index;
mod quota;

use crate::account::Account;
use crate::error::Error;
use crate::format::Dir;
use roost_types::MailboxName;
use std::sync::Arc;

/// What findings call Roost's own files of a mailbox, or of the account.
const INDEX: &str = "index";

/// Details told of one kind of trouble in one mailbox.
const MAX_DETAILS: usize = 20;

/// Something that disagrees.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// `None`: of the account as a whole.
    pub mailbox: Option<MailboxName>,
    /// The file or folder that is wrong.
    pub file: String,
    pub text: String,
    pub mended: bool,
}

/// A finding before it is known what becomes of it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Problem {
    file: String,
    text: String,
    cure: Cure,
}

/// How a problem is mended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cure {
    /// Opening the mailbox does it.
    Open,
    /// The file is set aside: who needs it makes it anew.
    SetAside,
    /// The index is built anew.
    Reindex,
    /// What is kept of mailboxes that are gone is removed.
    Sweep,
    /// Only a person can tell.
    None,
}

impl Problem {
    fn new(file: &str, cure: Cure, text: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            text: text.into(),
            cure,
        }
    }

    fn finding(self, mailbox: Option<&MailboxName>, mended: bool) -> Finding {
        Finding {
            mailbox: mailbox.cloned(),
            file: self.file,
            text: self.text,
            mended,
        }
    }
}

/// A mailbox whose index is new.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Indexed {
    pub mailbox: MailboxName,
    pub messages: u32,
}

impl Account {
    /// Compares Maildir, sidecars and index of these mailboxes, of all and of
    /// the account itself if there are none, and says what disagrees. With
    /// `mend`, what can be mended without loss is, before it is told.
    pub fn check(
        self: &Arc<Self>,
        names: &[MailboxName],
        mend: bool,
        tell: &mut dyn FnMut(Finding),
    ) -> Result<(), Error> {
        if names.is_empty() {
            self.check_account(mend, tell)?;
        }
        for name in self.chosen(names)? {
            let found = self.problems(&name)?;
            if !mend {
                for problem in found {
                    tell(problem.finding(Some(&name), false));
                }
                continue;
            }
            self.mend(&name, &found)?;
            let left = if found.is_empty() {
                found.clone()
            } else {
                self.problems(&name)?
            };
            for problem in found {
                let mended = !left.contains(&problem);
                tell(problem.finding(Some(&name), mended));
            }
            for problem in self.later(&name, &left)? {
                tell(problem.finding(Some(&name), false));
            }
        }
        Ok(())
    }

    /// Throws the index of these mailboxes away, of all if there are none, and
    /// builds it anew. Sessions keep their mailboxes; change numbers rise. With
    /// all, what is kept of mailboxes that are gone is removed.
    pub fn reindex(
        self: &Arc<Self>,
        names: &[MailboxName],
        tell: &mut dyn FnMut(Indexed),
    ) -> Result<(), Error> {
        for mailbox in self.chosen(names)? {
            let messages = self.renew_index(&mailbox)?.snapshot().len();
            tell(Indexed { mailbox, messages });
        }
        if names.is_empty() {
            self.sweep_index()?;
        }
        Ok(())
    }

    /// The mailboxes meant; a name that is none is an error.
    fn chosen(&self, names: &[MailboxName]) -> Result<Vec<MailboxName>, Error> {
        let folders = self.folders()?;
        if names.is_empty() {
            let all = folders.iter().filter(|f| f.selectable);
            return Ok(all.map(|f| f.name.clone()).collect());
        }
        for name in names {
            match folders.get(name) {
                Some(folder) if folder.selectable => {}
                Some(_) => return Err(Error::NotSelectable),
                None => return Err(Error::NoSuchMailbox),
            }
        }
        Ok(names.to_vec())
    }

    fn problems(self: &Arc<Self>, name: &MailboxName) -> Result<Vec<Problem>, Error> {
        let dir = Dir::open(&self.directory_of(name)?)?;
        let mut found = files::look(&dir)?;
        if found.iter().any(|p| p.cure != Cure::None) {
            return Ok(found);
        }
        // Opening would throw away what cannot be used.
        if let Some(fault) = self.index_fault(name, &dir)? {
            found.push(Problem::new(INDEX, Cure::Reindex, fault));
            return Ok(found);
        }
        let mailbox = self.open_for_a_moment(name)?;
        found.extend(compare::look(&mailbox, &dir)?);
        Ok(found)
    }

    /// What shows only after the first problems were mended.
    fn later(
        self: &Arc<Self>,
        name: &MailboxName,
        left: &[Problem],
    ) -> Result<Vec<Problem>, Error> {
        let again = self.problems(name)?;
        Ok(again.into_iter().filter(|p| !left.contains(p)).collect())
    }

    fn mend(self: &Arc<Self>, name: &MailboxName, found: &[Problem]) -> Result<(), Error> {
        let needs = |cure| found.iter().any(|p| p.cure == cure);
        if needs(Cure::Open) {
            self.open_for_a_moment(name)?.put_in_order()?;
        }
        if needs(Cure::Reindex) {
            self.renew_index(name)?;
        }
        Ok(())
    }
}
