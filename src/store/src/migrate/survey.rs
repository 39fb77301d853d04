//! What a Maildir holds and whose sidecars it has, found out by reading alone.
//!
//! What must stay true: nothing is written, created, renamed or locked, so that
//! it may be done while another server is at work.

use crate::error::Error;
use crate::format::courier::Since;
use crate::format::name::{FileName, is_message_name};
use crate::format::uidlist::Found;
use crate::format::{
    Dir, ExtraKeywords, KeywordFile, UidList, acl, annotations, courier, dirname, maildirsize,
    subscriptions,
};
use crate::options::Encoding;
use roost_os::dir::{self, FileKind};
use roost_os::file;
use roost_types::{MailboxName, QuotaLimits};
use std::path::Path;

/// Files by which a tree shows that it is no Maildir++.
const SUBDIRECTORIES: [&str; 3] = ["cur", "new", "tmp"];
/// Letters that messages can have in their names.
pub const LETTERS: usize = 26;

/// Whose UIDs count for a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    Dovecot,
    Courier,
    /// There are none yet: each message gets its first.
    New,
    /// There are some, of which nothing can be read.
    Damaged,
}

/// One mailbox.
#[derive(Clone, Debug)]
pub struct Surveyed {
    pub name: MailboxName,
    /// As its directory is called; empty: the root.
    pub directory: Vec<u8>,
    pub origin: Origin,
    /// 0: none yet.
    pub uid_validity: u32,
    /// 0: none yet.
    pub uid_next: u32,
    pub messages: u64,
    /// Messages that have no UID yet.
    pub without_uid: u64,
    pub keywords: usize,
    /// All letters are given to keywords, some of which may have no name that can
    /// be shown.
    pub full: bool,
    /// Its GUID, by which Dovecot finds it whatever it is called.
    pub guid: Option<String>,
    /// Entries of its access control list.
    pub rights: usize,
    /// What stands in the way, or needs somebody's eye.
    pub problems: Vec<String>,
}

impl Surveyed {
    /// More keywords than these may stand in Dovecot's index alone.
    pub fn may_have_more_keywords(&self) -> bool {
        self.origin == Origin::Dovecot && self.full
    }
}

/// One account.
#[derive(Clone, Default, Debug)]
pub struct Survey {
    pub mailboxes: Vec<Surveyed>,
    pub subscriptions: usize,
    pub quota: Option<QuotaLimits>,
    /// Of the account as a whole.
    pub problems: Vec<String>,
}

/// Reads everything beside the messages, and the names of the messages.
///
/// # Errors
/// Where the root itself cannot be read.
pub fn survey(maildir: &Path, encoding: Encoding) -> Result<Survey, Error> {
    let root = Dir::open(maildir)?;
    let listing = dir::list(&root).map_err(|e| Error::io(root.path(), e))?;
    let mut survey = Survey::default();
    let mut names: Vec<&[u8]> = Vec::new();
    let mut folders = 0;
    for entry in listing
        .iter()
        .filter(|e| is_directory(&root, e.name, e.kind))
    {
        if entry.name.starts_with(b".") {
            names.push(entry.name);
        } else if is_maildir(&root, entry.name) {
            folders += 1;
        }
    }
    if folders > 0 {
        survey.problems.push(format!(
            "{folders} mailboxes are laid out as LAYOUT=fs has them, and are not found: convert \
             them to Maildir++ first"
        ));
    }
    let encoding = dirname::detect(names.iter().copied(), encoding);
    survey
        .mailboxes
        .push(mailbox(&root, MailboxName::inbox(), b""));
    let mut seen = Vec::new();
    for directory in names {
        let Some(name) = dirname::decode(directory, encoding).filter(|n| !n.is_inbox()) else {
            continue;
        };
        if seen.contains(&name) {
            survey
                .problems
                .push(format!("two directories are both {name}"));
        }
        seen.push(name.clone());
        match root.open_sub(directory) {
            Ok(dir) => survey.mailboxes.push(mailbox(&dir, name, directory)),
            Err(e) => survey.problems.push(e.to_string()),
        }
    }
    survey.mailboxes.sort_by(|a, b| a.name.cmp(&b.name));
    of_account(&root, encoding, &mut survey);
    Ok(survey)
}

fn of_account(root: &Dir, encoding: Encoding, survey: &mut Survey) {
    match subscriptions::read(root, encoding) {
        Ok(names) => survey.subscriptions = names.len(),
        Err(e) => survey.problems.push(e.to_string()),
    }
    match maildirsize::read(root) {
        Ok(found) => survey.quota = found.map(|f| f.limits).filter(|l| !l.is_none()),
        Err(e) => survey.problems.push(e.to_string()),
    }
}

fn is_directory(root: &Dir, name: &[u8], kind: FileKind) -> bool {
    match kind {
        FileKind::Directory => true,
        FileKind::File | FileKind::Other => false,
        FileKind::Symlink | FileKind::Unknown => {
            file::stat_at(root, name).is_ok_and(|stat| stat.is_dir())
        }
    }
}

/// It has the directories of a mailbox and is none of those itself.
fn is_maildir(root: &Dir, name: &[u8]) -> bool {
    let inside = |sub: &str| [name, b"/", sub.as_bytes()].concat();
    let has = |sub| file::stat_at(root, &inside(sub)).is_ok_and(|stat| stat.is_dir());
    SUBDIRECTORIES.into_iter().all(has)
}

fn mailbox(dir: &Dir, name: MailboxName, directory: &[u8]) -> Surveyed {
    let mut found = Surveyed {
        name,
        directory: directory.to_vec(),
        origin: Origin::New,
        uid_validity: 0,
        uid_next: 0,
        messages: 0,
        without_uid: 0,
        keywords: 0,
        full: false,
        guid: None,
        rights: 0,
        problems: Vec::new(),
    };
    if let Err(e) = fill(dir, &mut found) {
        found.problems.push(e.to_string());
    }
    found
}

fn fill(dir: &Dir, found: &mut Surveyed) -> Result<(), Error> {
    let list = uids(dir, found)?;
    for sub in ["cur", "new"] {
        count(dir, sub, list.as_ref(), found)?;
    }
    if let Some(list) = &list {
        found.uid_validity = list.uid_validity().get();
        found.uid_next = list.uid_next().get();
        found.guid = list.guid().map(|guid| guid.to_string());
        found.keywords = match found.origin {
            Origin::Courier => courier::keyword_count(dir, list)?,
            _ => {
                let extra = ExtraKeywords::load(dir, list.uid_validity())?;
                let letters = KeywordFile::load(dir)?;
                found.full = letters.lines() >= LETTERS || extra.iter().next().is_some();
                letters.iter().count() + extra.iter().count()
            }
        };
        if list.is_damaged() {
            found
                .problems
                .push("part of the UID list cannot be read".to_owned());
        }
    }
    found.rights = acl::entries_in(dir)?;
    Ok(())
}

fn uids(dir: &Dir, found: &mut Surveyed) -> Result<Option<UidList>, Error> {
    use crate::format::{courier::UID_DB, uidlist::FILE};
    for (name, origin) in [(FILE, Origin::Dovecot), (UID_DB, Origin::Courier)] {
        match UidList::read(dir, name)? {
            Found::Nothing => {}
            Found::List(list) => {
                found.origin = origin;
                if origin == Origin::Dovecot {
                    look_for_courier(dir, &list, found)?;
                }
                return Ok(Some(list));
            }
            Found::Headless(_) => {
                found.origin = Origin::Damaged;
                let text = format!("{name} cannot be read: all messages get new UIDs");
                found.problems.push(text);
                return Ok(None);
            }
        }
    }
    Ok(None)
}

/// It may have worked on the mailbox again since.
fn look_for_courier(dir: &Dir, list: &UidList, found: &mut Surveyed) -> Result<(), Error> {
    let compared = courier::compared(dir, list)?;
    if compared.is_some_and(|(_, since)| since == Since::Differs) {
        let text = "Courier has given other UIDs since Roost was here (roostctl export --to \
                    courier was not done): UIDVALIDITY becomes new, clients fetch all again";
        found.problems.push(text.to_owned());
    }
    Ok(())
}

fn count(dir: &Dir, sub: &str, list: Option<&UidList>, found: &mut Surveyed) -> Result<(), Error> {
    let Some(_) = dir.stat(sub)? else {
        return Ok(());
    };
    let sub = dir.open_sub(sub.as_bytes())?;
    let listing = dir::list(&sub).map_err(|e| Error::io(sub.path(), e))?;
    for entry in listing.iter().filter(|e| is_message_name(e.name)) {
        found.messages += 1;
        let base = FileName::parse(entry.name).base();
        if list.is_none_or(|list| list.uid_of(base).is_none()) {
            found.without_uid += 1;
        }
    }
    Ok(())
}

/// What the formats of other servers have no place for.
#[derive(Clone, Default, Debug)]
pub struct Own {
    /// Mailboxes with annotations, the account itself included.
    pub annotated: usize,
    pub special_uses: usize,
    pub classes: usize,
    pub locks: usize,
    pub aliases: usize,
}

impl Own {
    /// Each with a word for people, as far as there is any.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let all = [
            ("annotations (METADATA)", self.annotated),
            ("special uses given by clients", self.special_uses),
            ("classes", self.classes),
            ("locks", self.locks),
            ("aliases", self.aliases),
        ];
        all.into_iter().filter(|(_, n)| *n > 0)
    }
}

/// Reads Roost's own files of an account.
///
/// # Errors
/// Where one cannot be read.
pub fn own(maildir: &Path, survey: &Survey) -> Result<Own, Error> {
    let root = Dir::open(maildir)?;
    let file = crate::format::FolderFile::load(&root)?;
    let mut annotated = 0;
    for mailbox in &survey.mailboxes {
        let dir = match mailbox.directory.as_slice() {
            b"" => root.clone(),
            name => root.open_sub(name)?,
        };
        annotated += usize::from(annotations::present(&dir)?);
    }
    Ok(Own {
        annotated,
        special_uses: file.special.len(),
        classes: file.classes.len(),
        locks: file.locked.len(),
        aliases: file.aliases.len(),
    })
}
