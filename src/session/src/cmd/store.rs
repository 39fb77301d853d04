//! STORE and UID STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).

use super::conditional;
use crate::changes::{Changes, Silent, Told};
use crate::error::Error;
use crate::job::{Job, Reply, STEP_MESSAGES, Step, UidPieces};
use crate::rights;
use crate::selected::Selected;
use crate::session::Session;
use crate::view::View;
use roost_imap::command::{StoreArgs, StoreMode};
use roost_imap::{Ids, ResponseCode};
use roost_store::{FlagChange, FlagMode, Within};
use roost_types::{ModSeq, SystemFlags, UidSet};

pub(super) const READ_ONLY: &str = "Mailbox is selected read-only";

pub(super) fn start(session: &Session, mut args: StoreArgs) -> Result<Box<dyn Job>, Error> {
    let selected = session.selected()?;
    let seqs = selected.resolve(&args.set, args.uid)?;
    if selected.read_only() {
        return Err(Error::refused(ResponseCode::ReadOnly, READ_ONLY));
    }
    let (mode, silent) = within_rights(selected, &mut args)?;
    let view = selected.view();
    let uids = view.uids_of(&seqs);
    Ok(Box::new(Store {
        gone: !args.uid && !uids.ghosts.is_empty(),
        stored: false,
        pieces: UidPieces::new(&uids.live),
        all: uids.live,
        withheld: UidSet::new(),
        modified: UidSet::new(),
        begun: view.snapshot().highest_modseq(),
        telling: None,
        mode,
        silent,
        args,
    }))
}

/// What is left of the change where only some of the flags may be changed, and
/// whether the client can know what comes of it (RFC 4314 §4).
fn within_rights(selected: &Selected, args: &mut StoreArgs) -> Result<(FlagMode, bool), Error> {
    let may = selected.changeable();
    let (system, had_keywords) = (args.flags.system, !args.flags.keywords.is_empty());
    args.flags.system = system & may.system;
    if !may.keywords {
        args.flags.keywords.clear();
    }
    let all = args.flags.system == system && (may.keywords || !had_keywords);
    let (any, whole) = match args.mode {
        StoreMode::Replace => (
            may.keywords || !may.system.is_empty(),
            all && may == Within::ALL,
        ),
        _ => (
            all || !args.flags.system.is_empty() || !args.flags.keywords.is_empty(),
            all,
        ),
    };
    if !any {
        return Err(rights::refused());
    }
    let mode = match args.mode {
        StoreMode::Add => FlagMode::Add,
        StoreMode::Remove => FlagMode::Remove,
        StoreMode::Replace if whole => FlagMode::Replace,
        StoreMode::Replace => FlagMode::ReplaceOf(may),
    };
    Ok((mode, args.silent && whole))
}

struct Store {
    args: StoreArgs,
    mode: FlagMode,
    silent: bool,
    all: UidSet,
    pieces: UidPieces,
    /// See [`Silent`].
    withheld: UidSet,
    /// Messages were named by their numbers that are there no more.
    gone: bool,
    /// Messages were there.
    stored: bool,
    /// Left as they are because of UNCHANGEDSINCE.
    modified: UidSet,
    /// The highest MODSEQ before the command.
    begun: ModSeq,
    telling: Option<Telling>,
}

/// What a piece led to, on its way to the client.
struct Telling {
    uids: UidSet,
    changes: Changes,
    /// In `changes` with their flags.
    flagged: UidSet,
}

impl Job for Store {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        if let Some(mut telling) = self.telling.take() {
            let style = session.style(self.args.uid);
            if !telling.changes.write(out, session.selected()?, style) {
                self.telling = Some(telling);
                return Ok(Step::More);
            }
            self.answer(session, &telling, out)?;
        }
        match self.pieces.next(STEP_MESSAGES) {
            Some(uids) => self.store(session, uids).map(|()| Step::More),
            None => self.done(session.selected()?.view()).map(Step::Done),
        }
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        Some(self.pieces.progress())
    }
}

impl Store {
    fn done(&self, view: &View) -> Result<Reply, Error> {
        if !self.modified.is_empty() {
            let code = ResponseCode::Modified(match self.args.uid {
                true => Ids::Uids(self.modified.clone()),
                false => Ids::Seqs(view.seqs_of(&self.modified)),
            });
            return Ok(match self.gone {
                true => Reply::no(code, "Some of the messages no longer exist"),
                false => Reply::ok_code(code, "Some of the messages have changed before"),
            });
        }
        // RFC 2180 §4.2: messages that were named by number and are gone make
        // it NO, but not where a client would take that for all its messages.
        match (self.gone, self.silent && self.stored) {
            (false, _) => Ok(Reply::ok("Store completed")),
            (true, true) => Ok(Reply::ok_code(
                ResponseCode::ExpungeIssued,
                "Store completed, some of the messages have been deleted",
            )),
            (true, false) => Err(roost_store::Error::Expunged.into()),
        }
    }

    fn store(&mut self, session: &mut Session, uids: UidSet) -> Result<(), Error> {
        let change = FlagChange {
            mode: self.mode,
            system: self.args.flags.system,
            keywords: &self.args.flags.keywords,
            unchanged_since: self.args.unchanged_since,
        };
        let selected = session.selected_mut()?;
        let outcome = conditional::store(selected, &uids, &change)?;
        self.gone |= !self.args.uid && !outcome.missing.is_empty();
        self.stored |= outcome.missing.len() < uids.len();
        let told = match self.silent {
            true => Told::Silent(Silent {
                change: &change,
                all: &self.all,
                piece: &uids,
                withheld: &mut self.withheld,
            }),
            false => Told::Exact(&self.all),
        };
        let changes = selected.advance(&outcome.snapshot, false, told)?;
        if self.args.mode != StoreMode::Remove
            && self.args.flags.system.contains(SystemFlags::DELETED)
        {
            let untouched = outcome.missing.len() + outcome.modified.len();
            session.counters.deleted += uids.len().saturating_sub(untouched);
        }
        self.modified.extend_set(&outcome.modified);
        self.telling = Some(Telling {
            uids,
            flagged: changes.flagged(),
            changes,
        });
        Ok(())
    }

    /// The state of messages, changed or not: without the flags where the
    /// client computes those itself.
    fn answer(&self, session: &Session, telling: &Telling, out: &mut Vec<u8>) -> Result<(), Error> {
        let style = session.style(self.args.uid);
        if self.silent && !style.enabled.condstore {
            return Ok(());
        }
        let selected = session.selected()?;
        let view = selected.view();
        for (first, last) in view.seqs_of(&telling.uids).ranges() {
            for message in view.rows(first).take_while(|m| m.seq <= last) {
                let row = &message.row;
                if message.ghost || telling.flagged.contains(row.uid) {
                    continue;
                }
                if !self.silent || self.modified.contains(row.uid) {
                    selected.write_change(out, message.seq, row, style);
                } else if self.args.unchanged_since.is_some() || row.modseq > self.begun {
                    let mut line = style.open_change(out, message.seq, row.uid);
                    line.modseq(out, row.modseq);
                    line.close(out);
                }
            }
        }
        Ok(())
    }
}
