//! STORE and UID STORE (RFC 9051 §6.4.6).

use crate::changes::{Changes, Silent, Told};
use crate::error::Error;
use crate::job::{Job, Reply, STEP_MESSAGES, Step, UidPieces};
use crate::selected::deleted;
use crate::session::Session;
use roost_imap::ResponseCode;
use roost_imap::command::{StoreArgs, StoreMode};
use roost_imap::write::{self, FetchLine};
use roost_store::{FlagChange, FlagMode};
use roost_types::{SystemFlags, UidSet};

pub(super) const READ_ONLY: &str = "Mailbox is selected read-only";

pub(super) fn start(session: &Session, args: StoreArgs) -> Result<Box<dyn Job>, Error> {
    let selected = session.selected()?;
    let seqs = selected.resolve(&args.set, args.uid)?;
    if selected.read_only() {
        return Err(Error::refused(ResponseCode::ReadOnly, READ_ONLY));
    }
    let uids = selected.view().uids_of(&seqs);
    Ok(Box::new(Store {
        gone: !args.uid && !uids.ghosts.is_empty(),
        stored: false,
        pieces: UidPieces::new(&uids.live),
        all: uids.live,
        withheld: UidSet::new(),
        telling: None,
        args,
    }))
}

struct Store {
    args: StoreArgs,
    all: UidSet,
    pieces: UidPieces,
    /// See [`Silent`].
    withheld: UidSet,
    /// Messages were named by their numbers that are there no more.
    gone: bool,
    /// Messages were there.
    stored: bool,
    telling: Option<(UidSet, Changes)>,
}

impl Job for Store {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        if let Some((uids, mut changes)) = self.telling.take() {
            let style = session.style(self.args.uid);
            if !changes.write(out, session.selected()?, style) {
                self.telling = Some((uids, changes));
                return Ok(Step::More);
            }
            if !self.args.silent {
                self.answer(session, &uids, out)?;
            }
        }
        match self.pieces.next(STEP_MESSAGES) {
            Some(uids) => self.store(session, uids).map(|()| Step::More),
            None => self.done().map(Step::Done),
        }
    }
}

impl Store {
    /// RFC 2180 §4.2: messages that were named by number and are gone make it
    /// NO, but not where a client would take that for all its messages.
    fn done(&self) -> Result<Reply, Error> {
        match (self.gone, self.args.silent && self.stored) {
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
            mode: match self.args.mode {
                StoreMode::Add => FlagMode::Add,
                StoreMode::Remove => FlagMode::Remove,
                StoreMode::Replace => FlagMode::Replace,
            },
            system: self.args.flags.system,
            keywords: &self.args.flags.keywords,
            unchanged_since: None,
        };
        let selected = session.selected_mut()?;
        let outcome = selected
            .mailbox
            .store_flags(&uids, &change)
            .map_err(deleted)?;
        self.gone |= !self.args.uid && !outcome.missing.is_empty();
        self.stored |= outcome.missing.len() < uids.len();
        let told = match self.args.silent {
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
            session.counters.deleted += uids.len() - outcome.missing.len();
        }
        self.telling = Some((uids, changes));
        Ok(())
    }

    /// The new flags of messages, changed or not.
    fn answer(&self, session: &Session, uids: &UidSet, out: &mut Vec<u8>) -> Result<(), Error> {
        let selected = session.selected()?;
        let style = session.style(self.args.uid);
        let view = selected.view();
        for (first, last) in view.seqs_of(uids).ranges() {
            for message in view.rows(first).take_while(|m| m.seq <= last) {
                if message.ghost {
                    continue;
                }
                let mut line = FetchLine::open(out, message.seq);
                if style.uid || style.rev2 {
                    line.item(out, "UID");
                    write::number(out, message.row.uid.get());
                }
                line.item(out, "FLAGS");
                selected.write_flags(out, &message.row, style);
                line.close(out);
            }
        }
        Ok(())
    }
}
