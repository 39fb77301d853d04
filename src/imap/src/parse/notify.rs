//! NOTIFY (RFC 5465 §8).
//!
//! The RFC's examples leave out the parentheses around the events that its
//! grammar has; both are taken.

use super::cursor::{Cursor, MAX_LIST_ITEMS, MAX_NOTIFY_GROUPS, MAX_NOTIFY_NAMES, Result, Syntax};
use super::fetch::fetch_atts;
use crate::command::{
    Command, Events, FetchItem, Filter, NotifyArgs, NotifyGroup, NotifySelected, NotifySet,
};

/// How deep the parameters of an unknown event may go.
const EXT_DEPTH: usize = 5;

/// `SP (notify-set / notify-none)`
pub(super) fn notify(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    if c.eat_word("NONE") {
        return Ok(Command::Notify(NotifyArgs::None));
    }
    if !c.eat_word("SET") {
        return Err(Syntax("SET or NONE expected"));
    }
    c.sp()?;
    let mut set = NotifySet::default();
    if c.eat_word("STATUS") {
        set.status = true;
        c.sp()?;
    }
    let mut unsupported = false;
    let mut count = 0;
    loop {
        if count == MAX_NOTIFY_GROUPS {
            return Err(Syntax("Too many event groups"));
        }
        count += 1;
        unsupported |= event_group(c, &mut set)?;
        if !c.more() {
            break;
        }
    }
    Ok(Command::Notify(match unsupported {
        true => NotifyArgs::Unsupported,
        false => NotifyArgs::Set(set),
    }))
}

enum Which {
    Selected { delayed: bool },
    Others(Filter),
}

/// `"(" filter-mailboxes SP events ")"`; true if events are not supported.
fn event_group(c: &mut Cursor<'_>, set: &mut NotifySet) -> Result<bool> {
    let whole = c.rest();
    c.expect(b'(', "Event group expected")?;
    c.blanks();
    let which = filter_mailboxes(c)?;
    c.sp()?;
    let asked = events(c)?;
    c.blanks();
    c.expect(b')', "End of the event group expected")?;
    if asked.unsupported {
        return Ok(true);
    }
    match which {
        Which::Selected { delayed } => {
            if set.selected.is_some() {
                return Err(Syntax("Selected mailbox is spoken of twice"));
            }
            let (events, fetch) = asked.of_selected()?;
            set.selected = Some(NotifySelected {
                delayed,
                events,
                fetch,
                text: whole
                    .strip_suffix(c.rest())
                    .map(<[u8]>::to_vec)
                    .unwrap_or_default(),
            });
        }
        Which::Others(filter) => {
            let events = asked.of_others()?;
            set.groups.push(NotifyGroup { filter, events });
        }
    }
    Ok(false)
}

/// `filter-mailboxes`
fn filter_mailboxes(c: &mut Cursor<'_>) -> Result<Which> {
    Ok(Which::Others(match c.upper_atom()?.as_str() {
        "SELECTED" => return Ok(Which::Selected { delayed: false }),
        "SELECTED-DELAYED" => return Ok(Which::Selected { delayed: true }),
        "INBOXES" => Filter::Inboxes,
        "PERSONAL" => Filter::Personal,
        "SUBSCRIBED" => Filter::Subscribed,
        "SUBTREE" => Filter::Subtree(one_or_more_mailbox(c)?),
        "MAILBOXES" => Filter::Mailboxes(one_or_more_mailbox(c)?),
        _ => return Err(Syntax("Unknown mailbox filter")),
    }))
}

/// `SP one-or-more-mailbox`
fn one_or_more_mailbox(c: &mut Cursor<'_>) -> Result<Vec<Vec<u8>>> {
    c.sp()?;
    if c.peek() != Some(b'(') {
        return Ok(vec![c.mailbox()?]);
    }
    let mut names = Vec::new();
    c.list(MAX_NOTIFY_NAMES, |c| {
        names.push(c.mailbox()?);
        Ok(())
    })?;
    match names.is_empty() {
        true => Err(Syntax("Mailbox name expected")),
        false => Ok(names),
    }
}

/// `events`
fn events(c: &mut Cursor<'_>) -> Result<Asked> {
    let mut asked = Asked::default();
    if c.eat_word("NONE") {
        return Ok(asked);
    }
    let mut count = 0;
    if c.peek() == Some(b'(') {
        c.list(MAX_LIST_ITEMS, |c| {
            count += 1;
            asked.event(c)
        })?;
    } else {
        while count < MAX_LIST_ITEMS && c.peek() != Some(b')') {
            count += 1;
            asked.event(c)?;
            c.blanks();
        }
    }
    match count {
        0 => Err(Syntax("Event expected")),
        _ => Ok(asked),
    }
}

/// Events as they stand in a group.
#[derive(Default)]
struct Asked {
    new: bool,
    expunge: bool,
    events: Events,
    fetch: Vec<FetchItem>,
    unsupported: bool,
}

impl Asked {
    /// `event`
    fn event(&mut self, c: &mut Cursor<'_>) -> Result<()> {
        match c.upper_atom()?.as_str() {
            "MESSAGENEW" => {
                self.new = true;
                return self.fetch_atts(c);
            }
            "MESSAGEEXPUNGE" => self.expunge = true,
            "FLAGCHANGE" => self.events.flags = true,
            "MAILBOXNAME" => self.events.names = true,
            "SUBSCRIPTIONCHANGE" => self.events.subscriptions = true,
            // AnnotationChange and the changes of metadata among them.
            _ => {
                self.unsupported = true;
                if behind_blanks(c, b'(') {
                    c.skip_value(EXT_DEPTH)?;
                }
            }
        }
        Ok(())
    }

    /// `[SP "(" fetch-att *(SP fetch-att) ")"]`
    fn fetch_atts(&mut self, c: &mut Cursor<'_>) -> Result<()> {
        if !behind_blanks(c, b'(') {
            return Ok(());
        }
        fetch_atts(c, &mut self.fetch)
    }

    /// What stands together only (RFC 5465 §5).
    fn checked(mut self) -> Result<Self> {
        if self.new != self.expunge {
            return Err(Syntax("MessageNew and MessageExpunge must come together"));
        }
        if self.events.flags && !self.new {
            return Err(Syntax("FlagChange needs MessageNew and MessageExpunge"));
        }
        self.events.messages = self.new;
        Ok(self)
    }

    fn of_selected(self) -> Result<(Events, Vec<FetchItem>)> {
        let asked = self.checked()?;
        if asked.events.names || asked.events.subscriptions {
            return Err(Syntax("Only message events of the selected mailbox"));
        }
        Ok((asked.events, asked.fetch))
    }

    fn of_others(self) -> Result<Events> {
        let asked = self.checked()?;
        match asked.fetch.is_empty() {
            true => Ok(asked.events),
            false => Err(Syntax("FETCH items only for the selected mailbox")),
        }
    }
}

/// Whether `b` comes next, blanks before it read over then.
fn behind_blanks(c: &mut Cursor<'_>, b: u8) -> bool {
    let blanks = c.rest().iter().take_while(|&&b| b == b' ').count();
    let found = blanks > 0 && c.rest().get(blanks) == Some(&b);
    if found {
        c.skip(blanks);
    }
    found
}
