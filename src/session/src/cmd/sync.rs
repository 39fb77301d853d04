//! What CONDSTORE, QRESYNC and UIDONLY want of commands, by their arguments
//! (RFC 7162, RFC 9586).

use crate::error::Error;
use crate::selected::Selected;
use crate::session::Session;
use roost_imap::Command;
use roost_imap::command::{FetchItem, SearchKey, SelectParam, StatusItem};
use roost_types::{ModSeq, Uid, UidSet};

/// Refuses what the client may not say, and takes note of commands that enable
/// CONDSTORE (RFC 7162 §3.1); SELECT does so itself.
pub(super) fn prepare(
    session: &mut Session,
    command: &Command,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    if session.enabled().uid_only && has_numbers(command) {
        return Err(Error::UidRequired);
    }
    if tells_vanished(command) && !session.enabled().qresync {
        return Err(Error::Bad("QRESYNC is not enabled"));
    }
    if enables(command) {
        if uses_modseqs(command) && !session.selected()?.keeps_modseqs() {
            return Err(Error::Bad("Mailbox keeps no mod-sequences"));
        }
        session.enable_condstore(out);
    }
    Ok(())
}

/// The same for a command that another account's session carries out.
pub(crate) fn prepare_foreign(session: &mut Session, command: &Command) -> Result<(), Error> {
    if session.enabled().uid_only && has_numbers(command) {
        return Err(Error::UidRequired);
    }
    if tells_vanished(command) && !session.enabled().qresync {
        return Err(Error::Bad("QRESYNC is not enabled"));
    }
    session.enabled.condstore |= enables(command);
    Ok(())
}

/// VANISHED (EARLIER) comes before every FETCH response, those of other
/// changes included (RFC 7162 §3.2.6).
pub(crate) fn tells_vanished(command: &Command) -> bool {
    matches!(command, Command::Fetch(args) if args.modifiers.vanished)
}

/// Whether message sequence numbers are in the arguments.
pub(crate) fn has_numbers(command: &Command) -> bool {
    match command {
        Command::Fetch(args) => !args.uid,
        Command::Store(args) => !args.uid,
        Command::Copy(args) | Command::Move(args) => !args.uid,
        Command::Search(args) => !args.uid || has_sequence(&args.key),
        Command::Sort(args) => !args.uid || has_sequence(&args.key),
        Command::Thread(args) => !args.uid || has_sequence(&args.key),
        Command::Select(args) => args
            .params
            .iter()
            .any(|p| matches!(p, SelectParam::QResync(q) if q.known_messages.is_some())),
        _ => false,
    }
}

/// The key compares message sequence numbers; `$` is none.
fn has_sequence(key: &SearchKey) -> bool {
    use roost_types::SequenceSet::Ranges;
    key.any(&|k| matches!(k, SearchKey::Sequence(Ranges(_))))
}

fn enables(command: &Command) -> bool {
    match command {
        Command::Status { items, .. } => items.contains(StatusItem::HighestModSeq),
        Command::List(args) => args
            .returns
            .status
            .is_some_and(|items| items.contains(StatusItem::HighestModSeq)),
        other => uses_modseqs(other),
    }
}

/// Not for mailboxes that are selected with NOMODSEQ (RFC 7162 §3.1.2.2).
fn uses_modseqs(command: &Command) -> bool {
    match command {
        // CHANGEDSINCE implies the item.
        Command::Fetch(args) => args.items.contains(&FetchItem::ModSeq),
        Command::Store(args) => args.unchanged_since.is_some(),
        Command::Search(args) => searches_modseq(&args.key),
        Command::Sort(args) => searches_modseq(&args.key),
        Command::Thread(args) => searches_modseq(&args.key),
        _ => false,
    }
}

/// The result of a search with this key tells its highest MODSEQ.
pub(super) fn searches_modseq(key: &SearchKey) -> bool {
    key.any(&|k| matches!(k, SearchKey::ModSeq(_)))
}

/// Those of `asked` that are not there any more, and of which it is not sure
/// that they were gone at `since` already. Where the history does not reach
/// back so far, that is all of them (RFC 7162 §3.2.6). Messages that are there
/// and not shown are told in any case, for an earlier session may have been
/// shown them. What this client still counts as a message is not among them:
/// that is told as gone when it may be told.
pub(super) fn vanished_since(selected: &Selected, since: ModSeq, asked: &UidSet) -> UidSet {
    let view = selected.view();
    let Some(last) = Uid::new(view.snapshot().uid_next().get() - 1) else {
        return UidSet::new();
    };
    let asked = asked.intersection(&UidSet::range(Uid::MIN, last));
    let gone = match selected.mailbox().vanished_since(since) {
        Some(mut gone) => {
            gone.extend_set(view.snapshot().left_out());
            gone.intersection(&asked)
        }
        None => asked,
    };
    let here = view.uids_of(&view.seqs_of(&gone));
    gone.difference(&here.live).difference(&here.ghosts)
}
