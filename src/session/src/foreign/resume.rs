//! A selected mailbox whose link was lost is selected anew for the next command
//! that uses it, if the client's numbers hold: the mailbox is the same, and
//! what the client knows of is still there, or known to be gone. What must stay
//! true: those below the UIDNEXT that it has been told, and those that are gone
//! since then by the history of the mailbox, are together as many as it knows.
//! The history names all that are gone, and all that are there and not shown,
//! so none of those that were not shown can have come back in the place of one
//! that went. Otherwise, or where the command has numbers that meant other
//! messages, the client is told that it has nothing selected.

use super::remote::number;
use super::{Event, Next, Remote, Task, Turn, lost};
use crate::error::Error;
use crate::link::{Ask, LinkId};
use crate::session::{Session, State};
use roost_imap::ResponseCode;
use roost_imap::write::{self, Status, Vanished};
use roost_types::{SeqNum, Uid, UidSet};

pub(super) struct Resume {
    inner: Box<dyn Task>,
    /// It names messages by their numbers.
    has_numbers: bool,
    stage: Stage,
    /// The mailbox as it is now.
    found: Remote,
    /// Messages that the client may know and that are gone.
    gone: UidSet,
    /// Messages that the client knows and that are still there.
    left: Option<Left>,
    /// Some went while they were counted.
    unsure: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begins,
    Selects,
    Counts,
    /// Flags may have changed meanwhile.
    Flags,
    Done,
}

/// What a search has found.
struct Left {
    count: u32,
    /// Where it was wanted.
    uids: UidSet,
}

impl Resume {
    /// Before `inner`, which uses the selected mailbox.
    pub fn new(inner: Box<dyn Task>, has_numbers: bool) -> Self {
        Self {
            inner,
            has_numbers,
            stage: Stage::Begins,
            found: Remote::new(String::new(), Ask::Shares, String::new(), false),
            gone: UidSet::new(),
            left: None,
            unsure: false,
        }
    }

    fn select(&mut self, turn: &mut Turn<'_>) -> Result<Next, Error> {
        let State::Foreign(remote) = &turn.session.state else {
            return Err(lost());
        };
        let (shown, name, examined) = (remote.shown.clone(), remote.name.clone(), remote.examined);
        let told = remote.told;
        let id = match turn.link(&shown) {
            Ok(id) => id,
            Err(ask) => return Ok(ask),
        };
        let select = if examined { "EXAMINE" } else { "SELECT" };
        let mut command = format!("{} {select} ", turn.tag).into_bytes();
        write::mailbox(&mut command, &name, turn.session.dialect());
        if told.highest_modseq > 0 && told.uid_validity > 0 {
            let since = format!(" (QRESYNC ({} {}))", told.uid_validity, told.highest_modseq);
            command.extend_from_slice(since.as_bytes());
        }
        self.stage = Stage::Selects;
        turn.send(id, &command)
    }

    fn answered(&mut self, turn: &mut Turn<'_>, id: LinkId, ok: bool) -> Result<Next, Error> {
        let State::Foreign(remote) = &turn.session.state else {
            return Err(lost());
        };
        let (told, saved) = (remote.told, remote.saved);
        match self.stage {
            Stage::Selects => {
                let same = self.found.told.uid_validity == told.uid_validity;
                // Without a history nobody knows what went.
                let told_of = told.highest_modseq > 0 || told.exists == 0;
                if !ok || !same || !told.is_sure() || !told_of || saved {
                    return give_up(turn, id);
                }
                let last = told.uid_next.saturating_sub(1).max(1);
                let known = Uid::new(last).unwrap_or(Uid::MIN);
                self.gone = self.gone.intersection(&UidSet::range(Uid::MIN, known));
                let all = if self.gone.is_empty() { "" } else { " ALL" };
                let by_uid = turn.session.enabled.uid_only || !self.gone.is_empty();
                let uid = if by_uid { "UID " } else { "" };
                let tag = turn.tag;
                let command = format!("{tag} {uid}SEARCH RETURN (COUNT{all}) UID 1:{last}");
                self.stage = Stage::Counts;
                turn.send(id, command.as_bytes())
            }
            Stage::Counts if ok && !self.unsure => match self.left.take() {
                Some(left) if left.count == told.exists && self.gone.is_empty() => {
                    self.resumed(turn, id)
                }
                Some(left) if !self.has_numbers && left.makes_up(&self.gone, told.exists) => {
                    self.tell_gone(turn, &left.uids)?;
                    self.resumed(turn, id)
                }
                _ => give_up(turn, id),
            },
            Stage::Flags if ok => self.go(turn),
            _ => give_up(turn, id),
        }
    }

    /// Tells which of the client's messages are gone; `left` are the others.
    fn tell_gone(&self, turn: &mut Turn<'_>, left: &UidSet) -> Result<(), Error> {
        let enabled = turn.session.enabled;
        let State::Foreign(remote) = &mut turn.session.state else {
            return Err(lost());
        };
        let gone = u32::try_from(self.gone.len()).unwrap_or(u32::MAX);
        remote.told.exists = remote.told.exists.saturating_sub(gone);
        if enabled.vanished() {
            let mut vanished = Vanished::new(&self.gone, false);
            while !vanished.write_line(turn.out) {}
            return Ok(());
        }
        for seq in numbers(&self.gone, left).into_iter().rev() {
            write::expunge(turn.out, seq);
        }
        Ok(())
    }

    /// The numbers hold.
    fn resumed(&mut self, turn: &mut Turn<'_>, id: LinkId) -> Result<Next, Error> {
        let found = self.found.told;
        let enabled = turn.session.enabled;
        let State::Foreign(remote) = &mut turn.session.state else {
            return Err(lost());
        };
        let before = std::mem::replace(&mut remote.told, found);
        remote.link = Some(id);
        if let Some(link) = turn.session.links_mut().get(id) {
            link.selected = true;
        }
        if found.exists != before.exists {
            write::exists(turn.out, found.exists);
        }
        if found.highest_modseq == before.highest_modseq || before.exists == 0 {
            return self.go(turn);
        }
        let (tag, known, last) = (turn.tag, before.exists, before.uid_next.saturating_sub(1));
        let set = match enabled.uid_only {
            true => format!("UID FETCH 1:{last}"),
            false => format!("FETCH 1:{known}"),
        };
        let command = match enabled.condstore {
            true => format!(
                "{tag} {set} (UID FLAGS) (CHANGEDSINCE {})",
                before.highest_modseq
            ),
            false => format!("{tag} {set} (FLAGS)"),
        };
        self.stage = Stage::Flags;
        turn.send(id, command.as_bytes())
    }

    /// On with what the client wants.
    fn go(&mut self, turn: &mut Turn<'_>) -> Result<Next, Error> {
        self.stage = Stage::Done;
        self.inner.on(turn, Event::Go)
    }
}

/// The client has to select the mailbox again.
fn give_up(turn: &mut Turn<'_>, id: LinkId) -> Result<Next, Error> {
    turn.session.leave_remote(Some(id));
    let text = "Mailbox was lost, and has changed since";
    Err(closed(turn.out, text))
}

/// The same, for its name stands for another mailbox.
pub(super) fn selected_anew(session: &mut Session, out: &mut Vec<u8>) -> Error {
    session.leave();
    closed(out, "Name stands for another mailbox now")
}

fn closed(out: &mut Vec<u8>, text: &str) -> Error {
    write::untagged(out, Status::Ok, Some(&ResponseCode::Closed), text);
    Error::refused(
        ResponseCode::Unavailable,
        "Mailbox has to be selected again",
    )
}

impl Left {
    /// What an ESEARCH response says; one that is too long says nothing.
    fn parse(line: &[u8]) -> Option<Self> {
        let line = str::from_utf8(line).ok()?;
        let rest = line.strip_prefix("* ESEARCH ")?.strip_suffix("\r\n")?;
        let value = |name: &str| {
            let mut words = rest.split(' ');
            words.find(|word| *word == name).and_then(|_| words.next())
        };
        let uids = match value("ALL") {
            Some(set) => uids(set.as_bytes())?,
            None => UidSet::new(),
        };
        let count = value("COUNT")?.parse().ok()?;
        Some(Self { count, uids })
    }

    /// With those that are gone they are all that the client knows.
    fn makes_up(&self, gone: &UidSet, known: u32) -> bool {
        let listed = self.uids.len() == u64::from(self.count);
        listed && u64::from(self.count) + gone.len() == u64::from(known)
    }
}

/// The numbers that messages had, `left` being the others, by rising UIDs.
fn numbers(gone: &UidSet, left: &UidSet) -> Vec<SeqNum> {
    let mut others = left.ranges().peekable();
    let mut before = 0u32;
    let mut numbers = Vec::new();
    for uid in gone.iter() {
        while let Some((first, last)) = others.next_if(|(_, last)| *last < uid) {
            before += last.get() - first.get() + 1;
        }
        let within = others.peek().filter(|(first, _)| *first < uid);
        let within = within.map_or(0, |(first, _)| uid.get() - first.get());
        numbers.extend(SeqNum::new(before + within + 1));
        before += 1;
    }
    numbers
}

/// A set as responses have it.
fn uids(set: &[u8]) -> Option<UidSet> {
    let mut uids = UidSet::new();
    for range in set.split(|&b| b == b',') {
        let mut ends = range
            .split(|&b| b == b':')
            .map(|end| Uid::new(number(end)?));
        let first = ends.next()??;
        let last = ends.next().unwrap_or(Some(first))?;
        uids.insert_range(first, last);
    }
    Some(uids)
}

impl Task for Resume {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error> {
        if self.stage == Stage::Done {
            return self.inner.on(turn, event);
        }
        match event {
            Event::Go => self.select(turn),
            Event::Text(id, text) => {
                match self.stage {
                    Stage::Flags => turn.pass(text),
                    Stage::Counts if text.begins => {
                        let before = self.found.told.exists;
                        self.found.hears(text.bytes);
                        self.unsure |= self.found.told.exists < before;
                        self.left = Left::parse(text.bytes).or(self.left.take());
                    }
                    _ if text.begins => {
                        self.found.describes(text.bytes);
                        let earlier = text.bytes.strip_prefix(b"* VANISHED (EARLIER) ");
                        if let Some(gone) = earlier.and_then(|set| uids(set.trim_ascii())) {
                            self.gone.extend_set(&gone);
                        }
                    }
                    _ => {}
                }
                Ok(Next::Read(id))
            }
            Event::Literal(id, octets) => {
                if self.stage == Stage::Flags {
                    turn.pass_octets(octets);
                }
                Ok(Next::Read(id))
            }
            Event::Tagged(id, status, _) => self.answered(turn, id, status == Status::Ok),
            other => turn.usual(&other),
        }
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        self.inner.progress()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_those_that_are_gone() {
        let seqs = |gone: &[u8], left: &[u8]| {
            let left = uids(left).unwrap_or_default();
            let numbers = numbers(&uids(gone).unwrap(), &left);
            numbers.into_iter().map(SeqNum::get).collect::<Vec<_>>()
        };
        assert_eq!(seqs(b"1", b""), [1]);
        assert_eq!(seqs(b"5,8:9,20", b"1:4,7,10:15"), [5, 7, 8, 15]);
        assert_eq!(seqs(b"2:3", b"1,4"), [2, 3]);
        assert_eq!(uids(b"1:*"), None);
        let left = Left::parse(b"* ESEARCH (TAG \"a\") UID COUNT 3 ALL 1:2,9\r\n").unwrap();
        assert!(left.makes_up(&uids(b"3:4").unwrap(), 5));
        assert!(!left.makes_up(&uids(b"3:4").unwrap(), 6));
        assert!(Left::parse(b"* ESEARCH (TAG \"a\") UID COUNT 3 ALL 1:2,").is_none());
    }
}
