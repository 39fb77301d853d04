//! From frames to responses: what happens around a command.

use super::notify::Telling;
use super::silence::Silence;
use super::{Phase, Progress, Session, State};
use crate::changes::Changes;
use crate::cmd::append::Ended;
use crate::cmd::{self, Started};
use crate::error::{Answer, Error, Fatal, answer};
use crate::foreign::{ClientFrame, Place};
use crate::job::{Job, Reply, Step};
use crate::rights::{self, Standing};
use roost_imap::frame::AppendStart;
use roost_imap::write::{self, Status};
use roost_imap::{CommandKind, Frame, Request, Tag, command, parse};
use std::mem;

impl Session {
    /// Takes what the client sent. Only to be called when the last
    /// [`Progress`] asked for it.
    pub fn take(&mut self, frame: Frame, out: &mut Vec<u8>) -> Progress {
        let progress = self.take_frame(frame, out);
        self.pauses();
        progress
    }

    /// Does the next piece of work.
    pub fn step(&mut self, out: &mut Vec<u8>) -> Progress {
        let progress = self.go_on(out);
        self.pauses();
        progress
    }

    /// Has those who watch know of the end of a command, and of a mailbox that
    /// it has opened or closed.
    pub(crate) fn pauses(&mut self) {
        if !matches!(self.phase, Phase::Ready | Phase::Ended(_)) {
            return;
        }
        let ended = self.activity.ends();
        if matches!(ended, Some((CommandKind::Enable, _))) {
            self.enable_for_watches();
        }
        let selected = matches!(self.state, State::Selected(_) | State::Foreign(_));
        if let Some((kind, took)) = ended
            && self.identity.asker.is_none()
        {
            self.settings.tally.ended(kind, took);
        }
        if ended.is_some_and(|(kind, _)| changes_selection(kind))
            || self.activity.is_selected() != selected
        {
            self.activity.selects(self.selected_name().as_deref());
        }
    }

    fn take_frame(&mut self, mut frame: Frame, out: &mut Vec<u8>) -> Progress {
        match &mut frame {
            Frame::AppendStart(start) => self.settle_flags(&mut start.message.flags),
            Frame::AppendNext(message) => self.settle_flags(&mut message.flags),
            _ => {}
        }
        match frame {
            Frame::Command(bytes) => self.command(bytes, out),
            Frame::NeedContinuation => {
                write::continuation(out, "OK");
                Progress::Next
            }
            Frame::AppendStart(start) => {
                self.activity.begins(cmd::append::kind_of(&start));
                let place = match self.renew_rights(false, out) {
                    Ok(Standing::PutOut) if start.replaced.is_some() => Err(rights::put_out()),
                    Ok(_) => self.append_place(&start),
                    Err(fatal) => return self.fatal(fatal, out),
                };
                match place {
                    Ok(Place::Here) => self.begin_append(*start, Ok(()), out),
                    Ok(Place::There(shown)) => self.relay_append(shown, *start, out),
                    Ok(place) => self.relay_replace(place, *start, out),
                    Err(error) => self.begin_append(*start, Err(error), out),
                }
            }
            Frame::AppendData(bytes) if self.relays() => {
                self.relay_frame(ClientFrame::Data(bytes), out)
            }
            Frame::AppendNext(message) if self.relays() => {
                self.relay_frame(ClientFrame::Next(message), out)
            }
            Frame::AppendEnd if self.relays() => self.relay_frame(ClientFrame::End, out),
            Frame::Done if self.relays() => self.relay_frame(ClientFrame::Done, out),
            Frame::AppendData(bytes) => self.appending(|a, _, out| a.data(&bytes, out), out),
            Frame::AppendNext(message) => {
                self.appending(|a, session, out| a.next(session, &message, out), out)
            }
            Frame::AppendEnd => self.append_end(out),
            Frame::Done => self.idle_done(out),
            Frame::TooLong { tag } => {
                let tag = self.blamed(tag);
                self.relay_ends();
                self.bad(tag.as_ref(), None, "Command is too long", out)
            }
            Frame::Bad { tag, reason } => {
                let tag = self.blamed(tag);
                self.relay_ends();
                self.bad(tag.as_ref(), None, reason, out)
            }
            Frame::Fatal { reason } => {
                self.tell_failure(out);
                self.fatal(Fatal::Protocol(reason), out)
            }
            Frame::Line(_) | Frame::Cancel => self.fatal(Fatal::Protocol("Unexpected line"), out),
        }
    }

    fn go_on(&mut self, out: &mut Vec<u8>) -> Progress {
        match mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Ready => self.waits(),
            Phase::Before(before) => {
                let (request, mut changes) = *before;
                let uid = uses_uids(request.command.kind());
                if self.tell(&mut changes, uid, out) {
                    return self.start(request, out);
                }
                self.phase = Phase::Before(Box::new((request, changes)));
                Progress::More
            }
            Phase::Running {
                tag,
                kind,
                mut job,
                mut silence,
            } => {
                match self.renew_rights_amid(job.mid_response(), out) {
                    Ok(Standing::PutOut) if self.out_of_place(kind).is_some() => {
                        drop(job);
                        return self.failed(tag, kind, &rights::put_out(), out);
                    }
                    Ok(_) => {}
                    Err(fatal) => return self.fatal(fatal, out),
                }
                let before = out.len();
                match job.step(self, out) {
                    Ok(Step::More) => {
                        if out.len() > before {
                            silence.ends();
                        } else if !job.mid_response() {
                            silence.lasts(&tag, || job.progress(), out);
                        }
                        self.phase = Phase::Running {
                            tag,
                            kind,
                            job,
                            silence,
                        };
                        Progress::More
                    }
                    Ok(Step::Done(reply)) => self.finish(tag, kind, reply, out),
                    Err(error) => self.failed(tag, kind, &error, out),
                }
            }
            Phase::After {
                tag,
                kind,
                reply,
                mut telling,
            } => match self.tell_all(&mut telling, uses_uids(kind), out) {
                Ok(true) => self.reply(&tag, kind, &reply, out),
                Ok(false) => {
                    self.phase = Phase::After {
                        tag,
                        kind,
                        reply,
                        telling,
                    };
                    Progress::More
                }
                Err(fatal) => self.fatal(fatal, out),
            },
            Phase::IdleTelling {
                tag,
                mut telling,
                begun,
            } => match self.tell_all(&mut telling, false, out) {
                Ok(true) => {
                    if !begun {
                        write::continuation(out, "idling");
                    }
                    self.phase = Phase::Idle { tag };
                    Progress::Idle
                }
                Ok(false) => {
                    self.phase = Phase::IdleTelling {
                        tag,
                        telling,
                        begun,
                    };
                    Progress::More
                }
                Err(fatal) => self.fatal(fatal, out),
            },
            Phase::Pushing(mut telling) => match self.tell_all(&mut telling, false, out) {
                Ok(true) => Progress::Next,
                Ok(false) => {
                    self.phase = Phase::Pushing(telling);
                    Progress::More
                }
                Err(fatal) => self.fatal(fatal, out),
            },
            idle @ Phase::Idle { .. } => {
                self.phase = idle;
                Progress::Idle
            }
            append @ Phase::Append(_) => {
                self.phase = append;
                Progress::Next
            }
            foreign @ Phase::Foreign(_) => {
                self.phase = foreign;
                self.relay_step(out)
            }
            Phase::Ended(end) => {
                self.phase = Phase::Ended(end);
                Progress::End(end)
            }
        }
    }

    /// Gives up the command that runs, for the client wants to leave: it is
    /// answered NO. False where it cannot be given up, in the middle of a
    /// response above all.
    pub fn give_up(&mut self, out: &mut Vec<u8>) -> bool {
        let given_up = match mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Running { tag, job, .. } if !job.mid_response() => {
                let text = "Given up: the client logs out";
                write::tagged(out, &tag, Status::No, None, text);
                true
            }
            Phase::Foreign(relaying) if !relaying.mid_response() => {
                let text = "Given up: the client logs out";
                write::tagged(out, &relaying.tag, Status::No, None, text);
                drop(relaying);
                self.relay_ends();
                true
            }
            other => {
                self.phase = other;
                false
            }
        };
        self.pauses();
        given_up
    }

    /// Tells a client in IDLE, or one that has asked for it by NOTIFY, what
    /// has changed; nothing in other states.
    pub fn changed(&mut self, out: &mut Vec<u8>) -> Progress {
        if matches!(self.phase, Phase::Idle { .. } | Phase::Ready)
            && let Err(fatal) = self.renew_rights(false, out)
        {
            return self.fatal(fatal, out);
        }
        match mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Idle { tag } => match self.look(self.policy().messages) {
                Ok(changes) => {
                    self.phase = Phase::IdleTelling {
                        tag,
                        telling: Telling::new(changes),
                        begun: true,
                    };
                    self.step(out)
                }
                Err(fatal) => self.fatal(fatal, out),
            },
            Phase::Ready if self.pushes() => match self.look(self.policy().expunges_at_once) {
                Ok(changes) => {
                    self.phase = Phase::Pushing(Telling::new(changes));
                    self.step(out)
                }
                Err(fatal) => self.fatal(fatal, out),
            },
            Phase::Foreign(mut relaying) => {
                relaying.wake();
                self.phase = Phase::Foreign(relaying);
                self.waits()
            }
            other => {
                self.phase = other;
                self.step(out)
            }
        }
    }

    fn command(&mut self, bytes: Vec<u8>, out: &mut Vec<u8>) -> Progress {
        let mut request = match parse(&bytes) {
            Ok(request) => request,
            Err(error) => {
                let out_of_place = error.kind.and_then(|kind| self.out_of_place(kind));
                let text = out_of_place.unwrap_or(error.text);
                return self.bad(error.tag.as_ref(), None, text, out);
            }
        };
        let kind = request.command.kind();
        if let Some(text) = self.out_of_place(kind) {
            return self.bad(Some(&request.tag), None, text, out);
        }
        self.bad_commands = 0;
        self.activity.begins(kind);
        self.settle_names(&mut request.command);
        if kind != CommandKind::Logout {
            match self.renew_rights(false, out) {
                Ok(Standing::PutOut) if self.out_of_place(kind).is_some() => {
                    return self.failed(request.tag, kind, &rights::put_out(), out);
                }
                Ok(_) => {}
                Err(fatal) => return self.fatal(fatal, out),
            }
        }
        match self.place(&request.command) {
            Ok(Place::Here) => {}
            place => return self.relay_command(request, place, bytes, out),
        }
        let looked = match leaves_mailbox(kind) || looks_afterwards(kind) {
            true => Ok(Changes::default()),
            false if cmd::tells_vanished(&request.command) => self.look_only(),
            false => self.look(false),
        };
        let changes = match looked {
            Ok(changes) => changes,
            Err(fatal) => return self.fatal(fatal, out),
        };
        self.phase = Phase::Before(Box::new((request, changes)));
        Progress::More
    }

    /// Why a command is not allowed now.
    fn out_of_place(&self, kind: CommandKind) -> Option<&'static str> {
        if kind.allowed_in(self.protocol_state()) {
            return None;
        }
        Some(match kind.allowed_in(command::State::Selected) {
            true => super::NO_MAILBOX,
            false => "Already authenticated",
        })
    }

    fn run_in_steps(&mut self, tag: Tag, kind: CommandKind, job: Box<dyn Job>) -> Progress {
        self.phase = Phase::Running {
            tag,
            kind,
            job,
            silence: Silence::begins(self.settings.running_interval),
        };
        Progress::More
    }

    fn start(&mut self, request: Request, out: &mut Vec<u8>) -> Progress {
        let Request { tag, command } = request;
        let kind = command.kind();
        match cmd::start(self, &tag, command, out) {
            Ok(Started::Done(reply)) => self.finish(tag, kind, reply, out),
            Ok(Started::Job(job)) => self.run_in_steps(tag, kind, job),
            Ok(Started::Idle) => match self.news(self.policy().messages) {
                Ok(changes) => {
                    self.phase = Phase::IdleTelling {
                        tag,
                        telling: Telling::new(changes),
                        begun: false,
                    };
                    Progress::More
                }
                Err(fatal) => self.fatal(fatal, out),
            },
            Err(error) => self.failed(tag, kind, &error, out),
        }
    }

    /// The command that a bad line is answered for: in IDLE, the IDLE, which
    /// it ends (RFC 9051 §6.3.13).
    fn blamed(&self, tag: Option<Tag>) -> Option<Tag> {
        match &self.phase {
            Phase::Idle { tag } => Some(tag.clone()),
            Phase::Foreign(relaying) if relaying.kind == CommandKind::Idle => {
                Some(relaying.tag.clone())
            }
            _ => tag,
        }
    }

    fn idle_done(&mut self, out: &mut Vec<u8>) -> Progress {
        match mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Idle { tag } => {
                let reply = Reply::ok("Idle completed");
                self.finish(tag, CommandKind::Idle, reply, out)
            }
            _ => self.bad(None, None, "No IDLE under way", out),
        }
    }

    /// An APPEND or REPLACE here, or one that is refused.
    pub(crate) fn begin_append(
        &mut self,
        start: AppendStart,
        allowed: Result<(), Error>,
        out: &mut Vec<u8>,
    ) -> Progress {
        let (appending, progress) = cmd::append::begin(self, start, allowed, out);
        self.phase = Phase::Append(Box::new(appending));
        progress
    }

    fn appending(
        &mut self,
        go: impl FnOnce(&mut cmd::append::Appending, &Session, &mut Vec<u8>) -> Progress,
        out: &mut Vec<u8>,
    ) -> Progress {
        match mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Append(mut appending) => {
                let progress = go(&mut appending, self, out);
                self.phase = Phase::Append(appending);
                progress
            }
            other => {
                self.phase = other;
                self.fatal(Fatal::Protocol("Unexpected message"), out)
            }
        }
    }

    /// A message that was refused before it came is too large even to be read
    /// away: the client shall know why before the connection ends.
    fn tell_failure(&mut self, out: &mut Vec<u8>) {
        if let Phase::Append(appending) = mem::replace(&mut self.phase, Phase::Ready)
            && let Some((tag, error)) = appending.failure()
            && let Answer::Tagged(reply) = answer(&error)
        {
            write::tagged(out, &tag, reply.status, reply.code.as_ref(), &reply.text);
        }
    }

    fn append_end(&mut self, out: &mut Vec<u8>) -> Progress {
        match mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Append(appending) => {
                self.bad_commands = 0;
                // The messages may have taken long to come.
                let put_out = match self.renew_rights(false, out) {
                    Ok(standing) => standing == Standing::PutOut,
                    Err(fatal) => return self.fatal(fatal, out),
                };
                let (tag, kind, result) = (*appending).end(self, out);
                match result {
                    Err(_) if put_out && kind != CommandKind::Append => {
                        self.failed(tag, kind, &rights::put_out(), out)
                    }
                    Ok(Ended::Done(reply)) => self.finish(tag, kind, reply, out),
                    Ok(Ended::Job(job)) => self.run_in_steps(tag, kind, job),
                    Err(error) => self.failed(tag, kind, &error, out),
                }
            }
            _ => self.fatal(Fatal::Protocol("Unexpected end of message"), out),
        }
    }
}

/// Commands after which nobody wants to know what changed in the mailbox that
/// was selected before.
fn leaves_mailbox(kind: CommandKind) -> bool {
    use CommandKind as K;
    matches!(
        kind,
        K::Select | K::Examine | K::Close | K::Unselect | K::Logout
    )
}

/// Commands behind which another mailbox may be selected, or the same by
/// another name.
fn changes_selection(kind: CommandKind) -> bool {
    kind == CommandKind::Rename || leaves_mailbox(kind)
}

/// FETCH responses to these carry UIDs (RFC 9051 §6.4.9).
fn uses_uids(kind: CommandKind) -> bool {
    kind.name().starts_with("UID ")
}

/// STORE: flags of others that were told before it is carried out would seem
/// to be its outcome. NOTIFY decides what is told.
pub(super) fn looks_afterwards(kind: CommandKind) -> bool {
    matches!(
        kind,
        CommandKind::Store | CommandKind::UidStore | CommandKind::Notify
    )
}
