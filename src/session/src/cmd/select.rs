//! SELECT and EXAMINE (RFC 9051 §6.3.2 and §6.3.3, RFC 3501 §6.3.1,
//! RFC 7162 §3.1.2, §3.1.8 and §3.2.5).

use super::Started;
use super::fetch::Fetch;
use crate::error::Error;
use crate::job::{Job, Reply, Step};
use crate::object_id;
use crate::rights;
use crate::selected::Selected;
use crate::session::{Named, Session, State};
use roost_imap::command::{QResync, SelectArgs, SelectParam};
use roost_imap::write::{self, Status};
use roost_imap::{CommandKind, ResponseCode};
use roost_types::{ModSeq, SeqNum, Uid, UidSet};

pub(super) fn start(
    session: &mut Session,
    args: SelectArgs,
    out: &mut Vec<u8>,
) -> Result<Started, Error> {
    let wanted = Wanted::of(session, args.params)?;
    // The mailbox before is closed even if the new one cannot be opened.
    if let State::Selected(_) | State::Foreign(_) = session.state {
        session.leave();
        let text = "Previous mailbox is closed";
        write::untagged(out, Status::Ok, Some(&ResponseCode::Closed), text);
    }
    session.enabled.condstore |= wanted.condstore;
    let named = session.name(&args.mailbox)?;
    let name = &named.given.name;
    let rights = session.rights_to_flags(name);
    let needed = rights::needs(CommandKind::Select).named;
    if let Err(error) = session.permit(name, needed) {
        session.forget_reader(name);
        return Err(error);
    }
    let condstore = session.enabled.condstore;
    let mut selected = Selected::open(session, name, (args.examine, rights), condstore)?;
    describe(session, &mut selected, out);
    list(session, &named, out)?;
    let read_only = selected.read_only() || !rights::can_change(rights);
    session.enter(selected);
    let (code, text) = match (read_only, args.examine) {
        (_, true) => (ResponseCode::ReadOnly, "Examine completed"),
        (true, false) => (ResponseCode::ReadOnly, "Select completed"),
        (false, false) => (ResponseCode::ReadWrite, "Select completed"),
    };
    let reply = Reply::ok_code(code, text);
    match wanted.resync {
        Some(known) => resync(session, &known, reply),
        None => Ok(Started::Done(reply)),
    }
}

/// Whether the parameters enable CONDSTORE; those that will not do are refused.
pub(crate) fn wants_condstore(session: &Session, params: Vec<SelectParam>) -> Result<bool, Error> {
    Ok(Wanted::of(session, params)?.condstore)
}

/// What the parameters ask for.
#[derive(Default)]
struct Wanted {
    condstore: bool,
    resync: Option<QResync>,
}

impl Wanted {
    fn of(session: &Session, params: Vec<SelectParam>) -> Result<Self, Error> {
        let mut wanted = Self::default();
        for param in params {
            match param {
                SelectParam::CondStore => wanted.condstore = true,
                SelectParam::QResync(_) if !session.enabled.qresync && !session.is_foreign() => {
                    return Err(Error::Bad("QRESYNC is not enabled"));
                }
                SelectParam::QResync(known) => wanted.resync = Some(known),
                SelectParam::Unknown(_) => return Err(Error::Bad("Unknown parameter")),
            }
        }
        Ok(wanted)
    }
}

/// Tells what has changed since the client saw the mailbox last, as
/// `UID FETCH known-uids (FLAGS) (CHANGEDSINCE modseq VANISHED)` would.
fn resync(session: &Session, known: &QResync, reply: Reply) -> Result<Started, Error> {
    let selected = session.selected()?;
    if selected.view().snapshot().uid_validity() != known.uid_validity || !selected.keeps_modseqs()
    {
        return Ok(Started::Done(reply));
    }
    let all = UidSet::range(Uid::MIN, Uid::MAX);
    let asked = known.known_uids.as_ref().unwrap_or(&all);
    // One that never came from here says nothing about what the client knows.
    let since = match known.modseq <= selected.view().snapshot().highest_modseq() {
        true => known.modseq,
        false => ModSeq(0),
    };
    let mut vanished = super::sync::vanished_since(selected, since, asked);
    if let Some(in_step) = in_step(selected, known) {
        vanished = vanished.difference(&UidSet::range(Uid::MIN, in_step));
    }
    // Whether the client has been shown these, its numbers do not tell.
    let left_out = selected.view().snapshot().left_out();
    vanished.extend_set(&left_out.intersection(asked));
    let fetch = Fetch::resync(session, since, asked, &vanished)?;
    Ok(Started::Job(Box::new(Resync { fetch, reply })))
}

/// The highest UID up to which the client has heard of every expunge: one
/// message has the numbers that it knows it by (RFC 7162 §3.2.5.2).
fn in_step(selected: &Selected, known: &QResync) -> Option<Uid> {
    let view = selected.view();
    known
        .known_messages
        .as_ref()?
        .from_the_end(view.len())
        .find(|&(seq, uid)| view.uid_at(seq) == Some(uid))
        .map(|(_, uid)| uid)
}

struct Resync {
    fetch: Fetch,
    reply: Reply,
}

impl Job for Resync {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        Ok(match self.fetch.step(session, out)? {
            Step::More => Step::More,
            Step::Done(_) => Step::Done(self.reply.clone()),
        })
    }

    fn mid_response(&self) -> bool {
        self.fetch.mid_response()
    }
}

fn describe(session: &Session, selected: &mut Selected, out: &mut Vec<u8>) {
    selected.write_flags_responses(out, session.enabled);
    let snapshot = selected.view().snapshot();
    write::exists(out, selected.view().len());
    if !session.rev2() {
        write::recent(out, selected.recent_count());
        if let Some(first) = snapshot.first_unseen()
            && !session.enabled.uid_only
        {
            unseen(out, first);
        }
    }
    let validity = ResponseCode::UidValidity(snapshot.uid_validity());
    write::untagged(out, Status::Ok, Some(&validity), "UIDs valid");
    let next = ResponseCode::UidNext(snapshot.uid_next());
    write::untagged(out, Status::Ok, Some(&next), "Predicted next UID");
    let mailbox = selected.mailbox();
    let id = object_id::mailbox(mailbox.guid(), &mailbox.name(), snapshot.uid_validity());
    let id = ResponseCode::MailboxId(id);
    write::untagged(out, Status::Ok, Some(&id), "Identity");
    selected.write_highest_modseq(out);
}

fn unseen(out: &mut Vec<u8>, first: SeqNum) {
    let code = ResponseCode::Unseen(first);
    write::untagged(out, Status::Ok, Some(&code), "First unseen");
}

/// IMAP4rev2 wants a LIST response, with accurate attributes.
fn list(session: &Session, named: &Named, out: &mut Vec<u8>) -> Result<(), Error> {
    if !session.rev2() {
        return Ok(());
    }
    let name = session.show(&named.given.name)?;
    let attributes = super::list::attributes_of(session, &named.given.name)?;
    let line = write::ListLine {
        lsub: false,
        attributes: &attributes,
        separator: Some(session.names.separator()),
        name: &name,
        child_info: &[],
        told: write::ListTold::default(),
        old_name: named.old.as_deref(),
    };
    write::list(out, &line, session.dialect());
    Ok(())
}
