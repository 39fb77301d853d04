//! SETMETADATA (RFC 5464 §4.3).

use super::metadata::{ALIAS, CLASS, SPECIAL_USE, place, scope};
use crate::error::Error;
use crate::job::Reply;
use crate::names::Names;
use crate::rights::refused;
use crate::session::{Named, Session};
use roost_imap::command::{EntryName, EntryScope, SetMetadataArgs};
use roost_imap::{MetadataCode, ResponseCode};
use roost_store::format::annotations::MAX_VALUE;
use roost_store::format::folders::is_class;
use roost_store::{Annotated, Annotation, Purpose};
use roost_types::{MailboxName, Rights, SpecialUse};

pub(super) fn run(session: &mut Session, args: SetMetadataArgs) -> Result<Reply, Error> {
    let named = place(session, &args.mailbox)?;
    let change = Change::of(session, args.values)?;
    match &named {
        Some(named) => change.of_mailbox(session, named)?,
        None => change.of_server(session)?,
    }
    Ok(Reply::ok("Setmetadata completed"))
}

/// What is to be changed, all of it checked.
#[derive(Default)]
struct Change {
    annotations: Vec<Annotation>,
    class: Option<Option<String>>,
    special_use: Option<Option<SpecialUse>>,
    /// As the client writes it.
    alias: Option<Option<Vec<u8>>>,
}

impl Change {
    fn of(session: &Session, values: Vec<(EntryName, Option<Vec<u8>>)>) -> Result<Self, Error> {
        let mut change = Self::default();
        for (name, value) in values {
            if value.as_ref().is_some_and(|value| value.len() > MAX_VALUE) {
                return Err(Error::refused(
                    ResponseCode::Metadata(MetadataCode::MaxSize(MAX_VALUE as u64)),
                    "Value is too large",
                ));
            }
            match (name.scope(), name.rest()) {
                CLASS => change.class = Some(value.map(class).transpose()?),
                SPECIAL_USE => {
                    change.special_use = Some(value.as_deref().map(special_use).transpose()?)
                }
                ALIAS => change.alias = Some(value),
                (of, rest) => change.annotations.push(Annotation {
                    scope: scope(session, of),
                    name: rest.to_owned(),
                    value,
                }),
            }
        }
        Ok(change)
    }

    fn of_mailbox(self, session: &mut Session, named: &Named) -> Result<(), Error> {
        let name = &named.given.name;
        if let Some(target) = self.alias {
            // Set by itself: with the name itself in question, nothing else
            // can be said of it.
            let alone =
                self.annotations.is_empty() && self.class.is_none() && self.special_use.is_none();
            if session.is_foreign() {
                return Err(refused());
            }
            return match alone {
                true => alias(session, name, target),
                false => Err(Error::refused(
                    ResponseCode::Cannot,
                    "An alias is set by itself",
                )),
            };
        }
        let purpose = Purpose {
            class: self.class.as_ref().map(Option::as_deref),
            special_use: self.special_use,
        };
        if !purpose.is_empty() {
            // What the mailbox is for is said by those who rule it.
            session.permit(name, Rights::ADMIN)?;
        }
        answer(
            session
                .account()
                .describe(name, purpose, &self.annotations)?,
        )
    }

    /// What all accounts see of the server is the administrator's to say.
    fn of_server(self, session: &Session) -> Result<(), Error> {
        let shared = self
            .annotations
            .iter()
            .any(|a| a.scope == scope(session, EntryScope::Shared));
        let other = self.class.is_some() || self.special_use.is_some() || self.alias.is_some();
        if shared || other {
            return Err(Error::refused(
                ResponseCode::NoPerm,
                "Not an entry of the server that clients can set",
            ));
        }
        answer(session.account().annotate(None, &self.annotations)?)
    }
}

fn answer(annotated: Annotated) -> Result<(), Error> {
    match annotated {
        Annotated::Done => Ok(()),
        Annotated::TooMany => Err(Error::refused(
            ResponseCode::Metadata(MetadataCode::TooMany),
            "Too many annotations",
        )),
    }
}

fn class(value: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(value)
        .ok()
        .filter(|class| is_class(class))
        .ok_or_else(|| Error::refused(ResponseCode::Cannot, "Not a possible class"))
}

/// One use is kept for a mailbox (RFC 6154 §4).
fn special_use(value: &[u8]) -> Result<SpecialUse, Error> {
    std::str::from_utf8(value)
        .ok()
        .and_then(|text| SpecialUse::by_attribute(text.trim()))
        .filter(|special| !matches!(special, SpecialUse::All | SpecialUse::Flagged))
        .ok_or_else(|| Error::refused(ResponseCode::UseAttr, "Not a possible special use"))
}

/// What an alias stands for is kept as it reads with `/` between its levels, and
/// may be written so: an account's domain has dots.
fn alias(session: &mut Session, name: &MailboxName, target: Option<Vec<u8>>) -> Result<(), Error> {
    let target = match target {
        None => None,
        Some(text) => {
            let text = Names::decode(&text, session.dialect())?;
            Some(match text.starts_with('~') {
                true if text.contains('/') => text,
                true => {
                    session.names.foreign(&text)?;
                    text.replace(session.names.separator(), "/")
                }
                false => session.names.parse(&text)?.name.join('/'),
            })
        }
    };
    session.own_change(name, |session| {
        Ok(session.account.set_alias(name, target.as_deref())?)
    })
}
