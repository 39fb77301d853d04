//! The selected mailbox of a session.

use crate::attention::{Attention, Policy};
use crate::changes::{Changes, Knows, Style, Told};
use crate::enabled::Enabled;
use crate::error::{Error, Fatal};
use crate::flag_names;
use crate::rights;
use crate::session::Session;
use crate::told::ToldModSeq;
use crate::view::View;
use roost_imap::ResponseCode;
use roost_imap::write::{self, Status};
use roost_store::events::Counts;
use roost_store::{FlagChange, FlagMode, Mailbox, Reader, Row, Sight, Snapshot, Within};
use roost_types::{
    MailboxName, ModSeq, Rights, SeqNum, SeqSet, SequenceSet, SystemFlags, Uid, UidSet,
};
use std::sync::Arc;
use tokio::sync::watch;

/// A mailbox as one session has it open.
pub struct Selected {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) view: View,
    /// `\Seen` is the client's own and not the mailbox's.
    reader: Option<Arc<Reader>>,
    /// Opened by EXAMINE, or by somebody who may not even change the owner's
    /// `\Seen`: nothing at all of his may change, `\Recent` included.
    examined: bool,
    read_only: bool,
    rights: Rights,
    /// [`Account::acl_changes`] when they were looked at.
    pub(crate) rights_as_of: u64,
    /// Messages whose `\Recent` this session has claimed (RFC 3501 §2.3.2).
    recent: UidSet,
    /// What `$` stands for (RFC 5182).
    pub(crate) saved: UidSet,
    changes: watch::Receiver<u64>,
    told: ToldModSeq,
    /// The client wants to know of every new MODSEQ.
    condstore: bool,
    attention: Attention,
    sight: Sight,
    /// The view is of another sight.
    sight_changed: bool,
    /// A session of another account relays what is said.
    relayed: bool,
}

impl Selected {
    pub(crate) fn open(
        session: &Session,
        name: &MailboxName,
        (examine, rights): (bool, Rights),
        condstore: bool,
    ) -> Result<Self, Error> {
        let account = session.account();
        let rights_as_of = account.acl_changes();
        let mailbox = account.open(name)?;
        let changes = mailbox.changes();
        let reader = session.reader(&mailbox)?;
        // Opening it has brought it up to date.
        let sight = session.sight(rights);
        let picture = picture_for(reader.as_ref(), &mailbox.snapshot());
        let view = View::new(shown_to(reader.as_ref(), &mailbox, &picture, sight));
        let told = ToldModSeq::new(view.snapshot().highest_modseq());
        let mut selected = Self {
            told,
            condstore,
            examined: examine || reader.is_some() || !rights.contains(Rights::SEEN),
            reader,
            rights,
            rights_as_of,
            read_only: examine || mailbox.read_only(),
            mailbox,
            attention: Attention::new(view.len()),
            relayed: session.is_foreign(),
            view,
            recent: UidSet::new(),
            saved: UidSet::new(),
            changes,
            sight,
            sight_changed: false,
        };
        selected.claim_recent();
        Ok(selected)
    }

    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    pub fn view(&self) -> &View {
        &self.view
    }

    /// Nothing of the mailbox can be changed in this session.
    pub fn read_only(&self) -> bool {
        self.read_only
    }

    /// What the client may do with it.
    pub(crate) fn rights(&self) -> Rights {
        self.rights
    }

    /// True where they were others before. What is shown with these rights
    /// follows with the next step of the view.
    pub(crate) fn set_rights(&mut self, rights: Rights, sight: Sight) -> bool {
        self.sight_changed |= std::mem::replace(&mut self.sight, sight) != sight;
        std::mem::replace(&mut self.rights, rights) != rights
    }

    pub(crate) fn reader(&self) -> Option<&Arc<Reader>> {
        self.reader.as_ref()
    }

    /// The flags that the client may change.
    pub(crate) fn changeable(&self) -> Within {
        rights::flags(self.rights)
    }

    /// A receiver that wakes when the mailbox changes.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// The numbers that a client's set means.
    pub fn resolve(&self, set: &SequenceSet, uid: bool) -> Result<SeqSet, Error> {
        self.view
            .resolve(set, uid, &self.saved)
            .ok_or(Error::Bad("No message has such a number"))
    }

    /// The UIDs that a client's set of UIDs names, there or not.
    pub fn uids_in(&self, set: &SequenceSet) -> UidSet {
        match set {
            SequenceSet::Saved => self.saved.clone(),
            ranges @ SequenceSet::Ranges(_) => ranges.resolve(self.view.last_uid()),
        }
    }

    /// Whether the message has `\Recent` in this session.
    pub fn is_recent(&self, row: &Row) -> bool {
        match self.examined {
            true => row.recent,
            false => self.recent.contains(row.uid),
        }
    }

    /// The number of messages with `\Recent` in this session.
    pub fn recent_count(&self) -> u32 {
        match self.examined {
            true => self.view.snapshot().recent(),
            false => u32::try_from(self.view.seqs_of(&self.recent).len()).unwrap_or(u32::MAX),
        }
    }

    /// Looks at the disk and moves the view on. Where `expunges` may not be
    /// told, messages that are gone become ghosts.
    pub(crate) fn refresh(&mut self, expunges: bool) -> Result<Changes, Error> {
        let snapshot = self.mailbox.refresh().map_err(deleted)?;
        self.advance(&snapshot, expunges, Told::Nothing)
    }

    /// Looks at the disk and leaves the view where it is.
    pub(crate) fn look(&self) -> Result<(), Error> {
        self.mailbox.refresh().map(drop).map_err(deleted)
    }

    /// Moves the view on to a picture of the mailbox.
    pub(crate) fn advance(
        &mut self,
        picture: &Arc<Snapshot>,
        expunges: bool,
        told: Told<'_>,
    ) -> Result<Changes, Error> {
        let snapshot = &picture_for(self.reader.as_ref(), picture);
        let old = Arc::clone(self.view.snapshot());
        if snapshot.uid_validity() != old.uid_validity() {
            return Err(Fatal::UidValidityChanged.into());
        }
        // A step before may have brought the view further already.
        let newer = snapshot.generation() > old.generation();
        let nothing_new = !newer && !self.sight_changed;
        if nothing_new && !(expunges && self.view.has_ghosts()) {
            return Ok(Changes::default());
        }
        let snapshot = &match (nothing_new, newer) {
            (true, _) => Arc::clone(&old),
            (false, true) => self.shown(snapshot),
            (false, false) => {
                let newest = picture_for(self.reader.as_ref(), &self.mailbox.snapshot());
                self.shown(&newest)
            }
        };
        let last = self.view.last_uid();
        let asked = !matches!(told, Told::Nothing);
        let mut knows = Knows::new(told, &old, snapshot, self.condstore);
        let mut advance = self
            .view
            .advance(Arc::clone(snapshot), expunges, |a, b| knows.knows(a, b));
        if advance.added > 0 {
            let first_new = snapshot.len().saturating_sub(advance.added) + 1;
            let first_new = SeqNum::new(first_new).and_then(|seq| snapshot.uid_at(seq));
            if first_new <= last {
                return Err(Fatal::OutOfOrder.into());
            }
            self.claim_recent();
        }
        self.attention.filter(&mut advance, &self.view, asked);
        let untold = self.has_untold();
        self.told
            .advanced(snapshot.highest_modseq(), untold, advance.modseq);
        if !advance.expunged.is_empty() {
            self.told.expunged();
        }
        Ok(Changes::new(advance, self))
    }

    /// What of `whole` this session shows. Messages come at the end alone: one
    /// that was left out, and whose UID the client has passed, stays so.
    fn shown(&mut self, whole: &Arc<Snapshot>) -> Arc<Snapshot> {
        self.sight_changed = false;
        let shown = shown_to(self.reader.as_ref(), &self.mailbox, whole, self.sight);
        let old = self.view.snapshot();
        if old.left_out().is_empty() {
            return shown;
        }
        // What was passed earlier comes back again each time.
        self.mailbox.shown_without(&shown, &old.came_back(&shown))
    }

    /// Changes what the client is told; what it has missed so far is to be
    /// told now.
    pub(crate) fn set_policy(&mut self, policy: Policy) -> Changes {
        let advance = self.attention.change(policy, &self.view);
        let (highest, untold) = (self.view.snapshot().highest_modseq(), self.has_untold());
        let told = advance.changed.iter().map(|(_, row)| row.modseq).max();
        self.told.advanced(highest, untold, told);
        Changes::new(advance, self)
    }

    /// Above all messages that have been told, and up to which change
    /// everything has: for a session that relays, which selects the mailbox
    /// anew where its link is lost.
    pub(crate) fn mark(&self) -> Option<(Uid, ModSeq)> {
        let complete = match self.keeps_modseqs() {
            true => self.told.complete(),
            false => ModSeq(0),
        };
        self.relayed
            .then(|| (self.view.snapshot().uid_next(), complete))
    }

    /// New messages that have not been described yet.
    pub(crate) fn take_fresh(&mut self) -> UidSet {
        self.attention.take_fresh()
    }

    /// The client is adding these to a mailbox, perhaps this one.
    pub(crate) fn adds(&mut self, mailbox: &Mailbox, uids: &UidSet) {
        if std::ptr::eq(&*self.mailbox, mailbox) {
            self.attention.adds(uids);
        }
    }

    /// The mailbox as the client knows it.
    pub(crate) fn counts_told(&self) -> Counts {
        let shown = self.view.snapshot();
        let (mut counts, told) = match self.sight {
            Sight::USUAL => {
                let mut counts = Counts::of(&self.mailbox, shown);
                counts.messages = self.view.len();
                (counts, true)
            }
            // Others see less or more of it: all has been told, or nothing.
            _ => {
                let whole = picture_for(self.reader.as_ref(), &self.mailbox.snapshot());
                let newest = whole.generation() == shown.generation() && !self.view.has_ghosts();
                (Counts::now(&self.mailbox), newest)
            }
        };
        if !told || self.attention.has_untold(&self.view) {
            // Like no state that it can be in.
            counts.uid_next = Uid::MIN;
        }
        counts
    }

    /// The HIGHESTMODSEQ that a client of QRESYNC is owed with the answer to
    /// its command.
    pub(crate) fn modseq_due(&mut self) -> Option<ModSeq> {
        let untold = self.has_untold();
        self.told.due(untold)
    }

    /// Something has happened here that the client has not been told, for it
    /// may not be told now or is not wanted.
    fn has_untold(&self) -> bool {
        self.view.has_ghosts() || self.attention.has_untold(&self.view)
    }

    /// MODSEQs hold beyond this session.
    pub(crate) fn keeps_modseqs(&self) -> bool {
        self.mailbox.keeps_modseqs()
    }

    /// From now on the client is told MODSEQs.
    pub(crate) fn enable_condstore(&mut self, out: &mut Vec<u8>) {
        self.condstore = true;
        if self.keeps_modseqs() {
            self.write_highest_modseq(out);
        }
    }

    /// Appends HIGHESTMODSEQ, up to where everything has been told, or NOMODSEQ.
    pub(crate) fn write_highest_modseq(&mut self, out: &mut Vec<u8>) {
        if !self.keeps_modseqs() {
            let text = "No permanent mod-sequences";
            write::untagged(out, Status::Ok, Some(&ResponseCode::NoModSeq), text);
            return;
        }
        let complete = self.told.complete();
        self.told = ToldModSeq::new(complete);
        let code = ResponseCode::HighestModSeq(complete);
        write::untagged(out, Status::Ok, Some(&code), "Highest");
    }

    /// Appends a FETCH response with a message's flags, as it is told when
    /// somebody has changed them.
    pub(crate) fn write_change(&self, out: &mut Vec<u8>, seq: SeqNum, row: &Row, style: Style) {
        let mut line = style.open_change(out, seq, row.uid);
        line.item(out, "FLAGS");
        self.write_flags(out, row, style);
        if style.enabled.condstore {
            line.modseq(out, row.modseq);
        }
        line.close(out);
    }

    /// Sets `\Seen` on those of `uids` that have it not, as FETCH of a body
    /// does (RFC 9051 §6.4.5); nothing in a read-only mailbox. Says which
    /// messages got it: their FETCH responses have to show FLAGS. Other
    /// changes met on the way are in [`Changes`], to be written first.
    pub fn mark_seen(&mut self, uids: &UidSet) -> Result<(UidSet, Changes), Error> {
        let mut unseen = UidSet::new();
        if !self.read_only && self.rights.contains(Rights::SEEN) {
            let lacks = |row: &Row| !row.flags.contains(SystemFlags::SEEN);
            for uid in uids.iter() {
                if let Some((_, row)) = self.view.snapshot().row_of(uid)
                    && lacks(&row)
                {
                    unseen.insert(uid);
                }
            }
        }
        if unseen.is_empty() {
            return Ok((unseen, Changes::default()));
        }
        let picture = match &self.reader {
            Some(reader) => match self.mailbox.mark_seen(reader, &unseen, true) {
                Ok(()) => self.mailbox.snapshot(),
                // That is no reason not to read them.
                Err(roost_store::Error::Limit(_)) => {
                    return Ok((UidSet::new(), Changes::default()));
                }
                Err(error) => return Err(deleted(error)),
            },
            None => self.mark_seen_for_all(&unseen)?,
        };
        let changes = self.advance(&picture, false, Told::Exact(&unseen))?;
        Ok((unseen, changes))
    }

    fn mark_seen_for_all(&self, unseen: &UidSet) -> Result<Arc<Snapshot>, Error> {
        let change = FlagChange {
            mode: FlagMode::Add,
            system: SystemFlags::SEEN,
            keywords: &[],
            unchanged_since: None,
        };
        let outcome = self.mailbox.store_flags(unseen, &change);
        Ok(outcome.map_err(deleted)?.snapshot)
    }

    /// Takes `\Recent` of what has come; failing at it is no reason to fail.
    fn claim_recent(&mut self) {
        if self.examined || self.view.snapshot().recent() == 0 {
            return;
        }
        match self.mailbox.claim_recent(self.view.snapshot()) {
            Ok(uids) => self.recent.extend_set(&uids),
            Err(error) => log::info!("{}: new messages: {error}", self.mailbox.name()),
        }
    }

    /// Appends a message's flag list as this session sees it.
    pub fn write_flags(&self, out: &mut Vec<u8>, row: &Row, style: Style) {
        let keywords = self.view.snapshot().keyword_names(row.keywords);
        let keywords = flag_names::shown(keywords, style.enabled.short_mdn);
        let recent = !style.enabled.rev2 && self.is_recent(row);
        write::flag_list_with_recent(out, row.flags, &*keywords, recent);
    }

    /// Appends FLAGS and PERMANENTFLAGS.
    pub(crate) fn write_flags_responses(&self, out: &mut Vec<u8>, enabled: Enabled) {
        let keywords = self.view.snapshot().keywords();
        let keywords = flag_names::shown(keywords, enabled.short_mdn);
        write::flags_response(out, SystemFlags::ALL, &*keywords);
        let (code, text) = match self.read_only {
            true => (
                ResponseCode::PermanentFlags {
                    system: SystemFlags::NONE,
                    keywords: Vec::new(),
                    create: false,
                },
                "Read-only mailbox",
            ),
            false => {
                let Within {
                    system,
                    keywords: all,
                } = self.changeable();
                let code = ResponseCode::PermanentFlags {
                    system,
                    keywords: if all { keywords.to_vec() } else { Vec::new() },
                    create: all,
                };
                (code, "Flags permitted")
            }
        };
        write::untagged(out, Status::Ok, Some(&code), text);
    }
}

/// A picture of the mailbox as the client sees it.
fn picture_for(reader: Option<&Arc<Reader>>, picture: &Arc<Snapshot>) -> Arc<Snapshot> {
    match reader {
        Some(reader) => reader.picture(picture),
        None => Arc::clone(picture),
    }
}

/// What of a picture that is the client's is shown.
fn shown_to(
    reader: Option<&Arc<Reader>>,
    mailbox: &Mailbox,
    picture: &Arc<Snapshot>,
    sight: Sight,
) -> Arc<Snapshot> {
    match reader {
        Some(reader) => reader.shown(picture, sight),
        None => mailbox.shown(picture, sight),
    }
}

/// In the selected mailbox, its absence ends the session.
pub(crate) fn deleted(error: roost_store::Error) -> Error {
    match error {
        roost_store::Error::NoSuchMailbox => Fatal::MailboxDeleted.into(),
        other => other.into(),
    }
}
