//! A session's state, and how it goes from frame to frame.

mod answer;
mod drive;
mod fullness;
mod look;
pub(crate) mod notify;
mod silence;

use crate::activity::Activity;
use crate::changes::{Changes, Style};
use crate::cmd::append::Appending;
use crate::enabled::Enabled;
use crate::error::{Error, Fatal};
use crate::foreign::{Links, Relaying, Remote};
use crate::job::{Job, Reply};
use crate::names::{Given, NameProblem, Names, normalized};
use crate::selected::Selected;
use crate::settings::Settings;
use notify::{Notify, Telling};
use roost_imap::write::{self, Dialect, Status};
use roost_imap::{CommandKind, Request, ResponseCode, Tag, command};
use roost_store::{Account, Known};
use roost_types::{MailboxName, SessionId};
pub(crate) use silence::Silence;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// Whose session it is.
#[derive(Clone, Debug)]
pub struct Identity {
    pub session: SessionId,
    /// The account's name, for logs.
    pub user: String,
    /// Whose client it is, where that is not the account's owner.
    pub asker: Option<Box<Asker>>,
}

/// Who asks for mailboxes of an account that is not its own. The supervisor
/// says so; nothing that a client sends can change it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asker {
    /// The canonical name of its account.
    pub account: String,
    /// The groups that it is in, by name.
    pub groups: Vec<String>,
    /// The first level of the mailbox names, `~` and the owner as the asker's
    /// client writes it.
    pub shown: String,
    /// The name of the one mailbox that it asks for.
    pub alias: Option<Alias>,
}

/// A name of the asker's for a mailbox, which is shown to its client in the
/// place of the mailbox's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alias {
    /// As it stands on the asker's wire, in Unicode.
    pub name: String,
    /// The mailbox, in its own account.
    pub of: MailboxName,
}

/// What a session has done, for its last line in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Messages that got `\Deleted`.
    pub deleted: u64,
    pub expunged: u64,
    /// Messages added by APPEND.
    pub appended: u64,
    /// Header sections sent, and their octets.
    pub header_count: u64,
    pub header_bytes: u64,
    /// Bodies and their parts.
    pub body_count: u64,
    pub body_bytes: u64,
}

/// What the driver has to do next, after what was appended is written out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Call [`Session::step`].
    More,
    /// Give the next frame to [`Session::take`].
    Next,
    /// Call `Framer::accept_append`, then as `Next`.
    AcceptAppend,
    /// Call `Framer::refuse_append`, then as `Next`.
    RefuseAppend,
    /// The client is in IDLE: call `Framer::expect_done`; then as `Next`, but
    /// call [`Session::changed`] when [`Session::watch`] wakes.
    Idle,
    /// The OK to COMPRESS is the last that goes out as it is: from here on
    /// both sides are compressed, what the client has sent behind the command
    /// included (RFC 4978 §3). Then as `Next`.
    Compress,
    /// The session wants something of the supervisor, see [`Session::asks`].
    Ask,
    /// A session on another account has to be heard, or something sent to it,
    /// see [`Session::link_to_write`] and [`Session::link`].
    Relay,
    /// Close the connection.
    End(End),
}

/// Why a session ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Logout,
    /// The client's doing.
    Protocol,
    /// The mailbox went away, or a response could not be completed.
    Fatal,
}

/// Where the session stands; each state owns what belongs to it.
pub(crate) enum State {
    Authenticated,
    Selected(Box<Selected>),
    /// A mailbox of another account.
    Foreign(Box<Remote>),
    LoggedOut,
}

/// How far the command under way is.
pub(crate) enum Phase {
    /// Waits for a frame.
    Ready,
    /// Changes of the mailbox are told, then the command begins.
    Before(Box<(Request, Changes)>),
    Running {
        tag: Tag,
        kind: CommandKind,
        job: Box<dyn Job>,
        silence: Silence,
    },
    /// Changes are told, then the reply.
    After {
        tag: Tag,
        kind: CommandKind,
        reply: Reply,
        telling: Telling,
    },
    /// Changes are told, then the client may idle.
    IdleTelling {
        tag: Tag,
        telling: Telling,
        /// The continuation request has gone out.
        begun: bool,
    },
    Idle {
        tag: Tag,
    },
    /// Changes are told though there is no command.
    Pushing(Telling),
    Append(Box<Appending>),
    /// The command concerns another account.
    Foreign(Box<Relaying>),
    Ended(End),
}

/// One client, logged in. See the crate's description for how to drive it.
pub struct Session {
    pub(crate) identity: Identity,
    /// The owner's home directory, where that is known.
    home: Option<Box<PathBuf>>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) names: Names,
    /// COMPRESS has been answered OK.
    pub(crate) compressed: bool,
    pub(crate) enabled: Enabled,
    pub(crate) state: State,
    pub(crate) counters: Counters,
    /// `None` before the first NOTIFY.
    notify: Option<Box<Notify>>,
    pub(crate) phase: Phase,
    /// `None` as long as the client has named no mailbox of another account.
    pub(crate) links: Option<Box<Links>>,
    first_fullness: Option<Known>,
    /// The client knows that its account is nearly full.
    told_fullness: bool,
    /// BAD answers in a row.
    pub(crate) bad_commands: u32,
    /// What others may know of what it is doing.
    pub(crate) activity: Arc<Activity>,
    /// Let go of last: the next session finds mailboxes by it.
    pub(crate) account: Arc<Account>,
}

impl Session {
    pub fn new(identity: Identity, account: Arc<Account>, settings: Arc<Settings>) -> Self {
        Self {
            account,
            home: None,
            names: Names::new(&settings, identity.asker.as_deref()),
            activity: Arc::new(Activity::new(settings.sees_non_mail)),
            identity,
            settings,
            compressed: false,
            enabled: Enabled::default(),
            state: State::Authenticated,
            counters: Counters::default(),
            notify: None,
            phase: Phase::Ready,
            links: None,
            first_fullness: None,
            told_fullness: false,
            bad_commands: 0,
        }
    }

    /// Says where the account's owner is at home.
    pub fn with_home(mut self, home: PathBuf) -> Self {
        self.home = home.is_absolute().then(|| Box::new(home));
        self
    }

    pub(crate) fn home(&self) -> Option<&Path> {
        self.home.as_ref().map(|home| home.as_path())
    }

    /// Answers the command that logged the client in.
    pub fn greet(&mut self, tag: &Tag, out: &mut Vec<u8>) {
        let code = ResponseCode::Capability(crate::cmd::capability::names(self));
        write::tagged(out, tag, Status::Ok, Some(&code), "Logged in");
        self.tell_first_fullness(out);
    }

    /// Greets a client that has proved who it is before (RFC 9051 §7.1.4).
    pub fn greet_known(&mut self, out: &mut Vec<u8>) {
        let code = ResponseCode::Capability(crate::cmd::capability::names(self));
        write::untagged(out, Status::PreAuth, Some(&code), "Logged in");
        self.tell_first_fullness(out);
    }

    /// Shows the client a text, now (RFC 9051 §7.1).
    pub fn alert(&self, text: &str, out: &mut Vec<u8>) {
        let code = ResponseCode::Alert;
        let dialect = self.dialect();
        write::status_line(out, None, Status::Ok, Some(&code), text, dialect);
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The counters, for commands to add to.
    pub fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// How strings and mailbox names go on the wire.
    pub fn dialect(&self) -> Dialect {
        match self.rev2() {
            true => Dialect::Utf8,
            false => Dialect::Ascii,
        }
    }

    /// IMAP4rev2 has been enabled.
    pub fn rev2(&self) -> bool {
        self.enabled.rev2
    }

    /// How FETCH responses look for a command that uses UIDs or does not.
    pub fn style(&self, uid: bool) -> Style {
        Style {
            enabled: self.in_force(),
            uid,
            notified: self.notify.is_some(),
        }
    }

    /// What the client has enabled.
    pub fn enabled(&self) -> Enabled {
        self.enabled
    }

    /// What counts in the selected mailbox: without lasting MODSEQs there is
    /// neither MODSEQ nor, for their sake, VANISHED (RFC 7162 §3.2.3).
    fn in_force(&self) -> Enabled {
        match &self.state {
            State::Selected(selected) if !selected.keeps_modseqs() => Enabled {
                condstore: false,
                qresync: false,
                ..self.enabled
            },
            _ => self.enabled,
        }
    }

    /// A CONDSTORE enabling command has come: the first one, in a selected
    /// mailbox, is told its HIGHESTMODSEQ (RFC 7162 §3.1).
    pub(crate) fn enable_condstore(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.enabled.condstore, true)
            && let State::Selected(selected) = &mut self.state
        {
            selected.enable_condstore(out);
        }
    }

    /// The selected mailbox. The command table keeps commands that need one
    /// out of other states.
    pub fn selected(&self) -> Result<&Selected, Error> {
        match &self.state {
            State::Selected(selected) => Ok(selected),
            State::Authenticated | State::Foreign(_) | State::LoggedOut => {
                Err(Error::Bad(NO_MAILBOX))
            }
        }
    }

    pub fn selected_mut(&mut self) -> Result<&mut Selected, Error> {
        match &mut self.state {
            State::Selected(selected) => Ok(selected),
            State::Authenticated | State::Foreign(_) | State::LoggedOut => {
                Err(Error::Bad(NO_MAILBOX))
            }
        }
    }

    /// Wakes when the selected mailbox changes.
    pub fn watch(&self) -> Option<watch::Receiver<u64>> {
        self.selected().ok().map(Selected::watch)
    }

    /// What the session is doing, for monitors.
    pub fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// The name of the selected mailbox on the client's wire, as text.
    fn selected_name(&self) -> Option<String> {
        match &self.state {
            State::Selected(selected) => self.names.show(&selected.mailbox().name()),
            State::Foreign(remote) => Some(remote.name.clone()),
            State::Authenticated | State::LoggedOut => None,
        }
    }

    /// Whether a BYE can be written now: not in the middle of a response.
    pub fn can_say_bye(&self) -> bool {
        match &self.phase {
            Phase::Running { job, .. } => !job.mid_response(),
            Phase::After { telling, .. }
            | Phase::IdleTelling { telling, .. }
            | Phase::Pushing(telling) => !telling.mid_response(),
            Phase::Foreign(relaying) => !relaying.mid_response(),
            _ => true,
        }
    }

    fn protocol_state(&self) -> command::State {
        match self.state {
            State::Selected(_) | State::Foreign(_) => command::State::Selected,
            State::Authenticated | State::LoggedOut => command::State::Authenticated,
        }
    }

    /// The mailbox that an argument names, for commands that make one: in
    /// normal form C.
    pub(crate) fn new_name(&self, raw: &[u8]) -> Result<Named, Error> {
        let text = Names::decode(raw, self.dialect())?;
        Ok(match normalized(&text) {
            Some(normal) => Named {
                given: self.names.parse(&normal)?,
                old: Some(text),
            },
            None => Named {
                given: self.names.parse(&text)?,
                old: None,
            },
        })
    }

    /// The mailbox that an argument names: as written if there is one, else
    /// in normal form C.
    pub(crate) fn name(&self, raw: &[u8]) -> Result<Named, Error> {
        let text = Names::decode(raw, self.dialect())?;
        if let Some(normal) = normalized(&text)
            && let Ok(given) = self.names.parse(&text)
            && self.account.folders()?.get(&given.name).is_none()
        {
            return Ok(Named {
                given: self.names.parse(&normal)?,
                old: Some(text),
            });
        }
        Ok(Named {
            given: self.names.parse(&text)?,
            old: None,
        })
    }

    /// A name as text for the wire.
    pub(crate) fn show(&self, name: &MailboxName) -> Result<String, Error> {
        Ok(self.names.show(name).ok_or(NameProblem::Outside)?)
    }

    /// Writes the LIST response that tells a client of IMAP4rev2 under which
    /// name its own denormalized one goes (RFC 9051 §6.3.9.7).
    pub(crate) fn tell_normalized(&self, named: &Named, gone: bool, out: &mut Vec<u8>) {
        let (true, Some(old), Some(name)) =
            (self.rev2(), &named.old, self.names.show(&named.given.name))
        else {
            return;
        };
        let line = list_line(&name, Some(old), gone, self.names.separator());
        write::list(out, &line, self.dialect());
    }

    pub(crate) fn log_problem(&self, error: &Error) {
        let session = self.identity.session.0;
        log::info!(session = session; "{}: {error}", self.identity.user);
    }
}

/// A name from an argument.
pub(crate) struct Named {
    pub given: Given,
    /// What the client wrote, where that is not in normal form.
    pub old: Option<String>,
}

fn list_line<'a>(
    name: &'a str,
    old_name: Option<&'a str>,
    gone: bool,
    separator: char,
) -> write::ListLine<'a> {
    write::ListLine {
        lsub: false,
        attributes: match gone {
            true => &[write::MailboxAttribute::NonExistent],
            false => &[],
        },
        separator: Some(separator),
        name,
        child_info: &[],
        told: write::ListTold::default(),
        old_name,
    }
}

const NO_MAILBOX: &str = "No mailbox selected";

/// How a session ended, for the driver.
pub(crate) fn end_of(fatal: Fatal) -> End {
    match fatal {
        Fatal::MailboxDeleted
        | Fatal::UidValidityChanged
        | Fatal::OutOfOrder
        | Fatal::Truncated => End::Fatal,
        Fatal::TooManyBad | Fatal::Protocol(_) => End::Protocol,
    }
}
