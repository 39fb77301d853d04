//! ENABLE (RFC 5161, RFC 9051 §6.3.1, RFC 7162 §3.2.3, RFC 9586 §3.1).

use crate::enabled::MDN_NAMES;
use crate::job::Reply;
use crate::session::{Session, State};
use roost_imap::write;

/// What can be enabled.
const NAMES: [&str; 4] = ["IMAP4rev2", "CONDSTORE", "QRESYNC", "UIDONLY"];

/// Two names of one extension, which is to be enabled before a mailbox is
/// selected.
const SHOW_ALL: [&str; 2] = ["X-ROOST-SHOWALL", "EXTENSIONS"];

/// Names that are not known, or need not be enabled, are passed over: mutt
/// sends `ENABLE UTF8=ACCEPT` wherever there is ENABLE.
pub(super) fn run(session: &mut Session, names: &[String], out: &mut Vec<u8>) -> Reply {
    let asked = |name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    let unselected = matches!(session.state, State::Authenticated);
    let show_all = unselected && SHOW_ALL.into_iter().any(asked);
    let (known, here) = (NAMES.into_iter(), SHOW_ALL.into_iter().filter(|_| show_all));
    write::enabled(out, known.chain(here).filter(|name| asked(name)));
    session.enabled.show_all |= show_all;
    if show_all {
        session.activity.sees_all();
    }
    if asked("CONDSTORE") || asked("QRESYNC") {
        session.enable_condstore(out);
    }
    note(session, names);
    Reply::ok("Enabled")
}

/// Takes note of what is enabled from now on.
pub(crate) fn note(session: &mut Session, names: &[String]) {
    let asked = |name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    let enabled = &mut session.enabled;
    enabled.rev2 |= asked("IMAP4rev2");
    enabled.uid_only |= asked("UIDONLY");
    enabled.qresync |= asked("QRESYNC");
    enabled.condstore |= asked("CONDSTORE") || asked("QRESYNC");
    if session.is_foreign() {
        let [long, short] = MDN_NAMES.map(asked);
        session.enabled.short_mdn = short || session.enabled.short_mdn && !long;
    }
}
