//! What messages are sorted by, in columns (RFC 5256 §3, RFC 5957).

use super::load::Loaded;
use roost_imap::command::{SortCriterion, SortKey};
use roost_message::address;
use roost_message::collate::casemap;
use roost_message::decode::decode_text;
use std::cmp::Ordering;

/// Octets by which two texts can differ.
const MAX_TEXT: usize = 256;
/// The same, once there are very many of them.
const MAX_TEXT_OF_MANY: usize = 32;
/// Octets of texts from which on there are very many.
const MANY: usize = 96 << 20;

/// The keys of all messages, in the order in which they were added.
pub(super) struct Keys {
    columns: Vec<Column>,
    len: u32,
    /// The text of one message's address, while it is made.
    text: Vec<u8>,
}

struct Column {
    criterion: SortCriterion,
    /// Numbers, or the first octets of texts: mostly they decide.
    heads: Vec<u64>,
    /// Texts one behind the other, without their heads, and where each ends.
    texts: Vec<u8>,
    ends: Vec<u32>,
}

/// Whether anything but dates and sizes decides.
pub(super) fn need_header(criteria: &[SortCriterion]) -> bool {
    let from_columns = |c: &SortCriterion| matches!(c.key, SortKey::Arrival | SortKey::Size);
    !criteria.iter().all(from_columns)
}

impl Keys {
    pub fn new(criteria: &[SortCriterion]) -> Self {
        let column = |&criterion| Column {
            criterion,
            heads: Vec::new(),
            texts: Vec::new(),
            ends: Vec::new(),
        };
        Self {
            columns: criteria.iter().map(column).collect(),
            len: 0,
            text: Vec::new(),
        }
    }

    pub fn add(&mut self, message: &Loaded<'_>) {
        let text = &mut self.text;
        for column in &mut self.columns {
            text.clear();
            match column.criterion.key {
                SortKey::Arrival => column.push_number(signed(message.internal_date().0)),
                SortKey::Date => column.push_number(signed(message.sent_date().0)),
                SortKey::Size => column.push_number(message.size()),
                SortKey::Subject => column.push_text(message.base_subject()),
                SortKey::From => column.push_address(message, b"From", mailbox_of, text),
                SortKey::To => column.push_address(message, b"To", mailbox_of, text),
                SortKey::Cc => column.push_address(message, b"Cc", mailbox_of, text),
                SortKey::DisplayFrom => column.push_address(message, b"From", shown, text),
                SortKey::DisplayTo => column.push_address(message, b"To", shown, text),
            }
        }
        self.len += 1;
    }

    /// The places of all messages, sorted; those that are equal in all keys
    /// in the order in which they were added.
    pub fn sorted(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.len).collect();
        if let [column] = self.columns.as_slice()
            && column.ends.is_empty()
        {
            let head = |at: u32| column.heads.get(at as usize).copied().unwrap_or(0);
            match column.criterion.reverse {
                false => order.sort_unstable_by_key(|&at| (head(at), at)),
                true => order.sort_unstable_by_key(|&at| (!head(at), at)),
            }
            return order;
        }
        order.sort_unstable_by(|&a, &b| {
            let by_column = |column: &Column| column.compare(a as usize, b as usize);
            let found = self.columns.iter().map(by_column).find(|o| o.is_ne());
            found.unwrap_or_else(|| a.cmp(&b))
        });
        order
    }
}

impl Column {
    fn push_number(&mut self, number: u64) {
        self.heads.push(number);
    }

    fn push_text(&mut self, text: &[u8]) {
        let most = match self.texts.len() < MANY {
            true => MAX_TEXT,
            false => MAX_TEXT_OF_MANY,
        };
        let text = text.get(..text.len().min(most)).unwrap_or_default();
        let mut head = [0; 8];
        let (start, rest) = text.split_at_checked(8).unwrap_or((text, &[]));
        if let Some(head) = head.get_mut(..start.len()) {
            head.copy_from_slice(start);
        }
        self.heads.push(u64::from_be_bytes(head));
        self.texts.extend_from_slice(rest);
        self.ends
            .push(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
    }

    /// The text of the first address in the first field called `name`.
    fn push_address(
        &mut self,
        message: &Loaded<'_>,
        name: &[u8],
        text_of: fn(&address::Address<'_>, &mut Vec<u8>),
        text: &mut Vec<u8>,
    ) {
        message.values(name, |value| {
            if let Some(first) = address::parse(value).next() {
                text_of(&first, text);
            }
            false
        });
        self.push_text(text);
    }

    fn text(&self, at: usize) -> &[u8] {
        let end = |at: usize| self.ends.get(at).map_or(0, |&end| end as usize);
        let start = at.checked_sub(1).map_or(0, end);
        self.texts.get(start..end(at)).unwrap_or_default()
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        let by_head = self.heads.get(a).cmp(&self.heads.get(b));
        let found = match by_head {
            Ordering::Equal if !self.ends.is_empty() => self.text(a).cmp(self.text(b)),
            decided => decided,
        };
        match self.criterion.reverse {
            true => found.reverse(),
            false => found,
        }
    }
}

/// A signed number in an order of unsigned ones.
fn signed(n: i64) -> u64 {
    n.cast_unsigned() ^ (1 << 63)
}

fn collated(raw: &[u8], out: &mut Vec<u8>) {
    casemap(&decode_text(raw), out);
}

/// addr-mailbox (RFC 5256 §3).
fn mailbox_of(address: &address::Address<'_>, out: &mut Vec<u8>) {
    collated(address.mailbox.as_deref().unwrap_or_default(), out);
}

/// What a client shows of an address (RFC 5957 §3).
fn shown(address: &address::Address<'_>, out: &mut Vec<u8>) {
    collated(address.name.as_deref().unwrap_or_default(), out);
    if !out.is_empty() {
        return;
    }
    mailbox_of(address, out);
    if let (Some(_), Some(host)) = (&address.mailbox, &address.host) {
        out.push(b'@');
        collated(host, out);
    }
}
