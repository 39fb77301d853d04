//! What LIST tells of the messages in a mailbox (RFC 5819), found out in steps
//! where files have to be read.

use super::tree::Node;
use super::{Kind, Listing};
use crate::cmd::status;
use crate::error::Error;
use crate::session::Session;
use roost_imap::command::StatusItems;
use roost_imap::write::StatusValues;
use roost_store::{Asked, Error as StoreError, Looking};
use roost_types::Rights;

/// What is known of a node.
pub(super) enum Counts {
    /// Nothing was asked for, or the mailbox cannot be opened (RFC 5819 §2):
    /// it went away, or is nobody's to read.
    None,
    Known(StatusValues),
    /// Not yet.
    Looking(Looking),
}

impl Listing {
    /// All that is asked for of a node's messages, in whatever place it is
    /// told.
    fn items(&self, node: &Node) -> StatusItems {
        let Kind::List {
            select, returns, ..
        } = self.kind
        else {
            return StatusItems::default();
        };
        if !node.selectable() || !self.is_told(node, select) {
            return StatusItems::default();
        }
        let status = returns.status.filter(|_| self.wanted(node));
        let told = super::told::items(select.tell.or(returns.tell));
        status
            .iter()
            .flat_map(|s| s.iter())
            .chain(told.iter())
            .collect()
    }

    /// Goes on with `looking`, or begins.
    pub(super) fn counts(
        &self,
        session: &Session,
        node: &Node,
        looking: Option<Looking>,
    ) -> Result<Counts, Error> {
        let items = self.items(node);
        let Some(folder) = node.folder.as_ref().filter(|_| !items.is_empty()) else {
            return Ok(Counts::None);
        };
        let asked = match looking {
            Some(looking) => looking.step().map_err(Error::from),
            None => (session.permit(&folder.name, Rights::READ))
                .and_then(|()| status::ask(session, &folder.name, items)),
        };
        let counts = asked.and_then(|asked| match asked {
            Asked::Looking(looking) => Ok(Counts::Looking(looking)),
            Asked::Told(told) => {
                status::values(session, &folder.name, items, told).map(Counts::Known)
            }
        });
        match counts {
            Err(Error::Refused { .. }) => Ok(Counts::None),
            Err(Error::Store(
                StoreError::NoSuchMailbox
                | StoreError::NotSelectable
                | StoreError::Permission { .. },
            )) => Ok(Counts::None),
            counts => counts,
        }
    }
}
