//! Responses, appended to a buffer of the caller's.
//!
//! Nothing here fails, and nothing that a message, a name or an error text
//! holds can break out of its place: text loses its line ends, strings are
//! quoted only when quoting is safe, and sent as literals otherwise. Numbers
//! and names are written without allocating.

mod acl;
mod data;
mod date;
mod fetch;
mod flags;
mod list;
mod metadata;
mod number;
mod quota;
mod search;
mod status;
mod string;
mod vanished;

pub use acl::{acl, list_rights, my_rights};
pub use data::{
    MARK, Namespace, bye, capability, enabled, exists, expunge, flags_response, id, mark,
    namespace, recent,
};
pub use date::internal_date;
pub use fetch::{
    FetchLine, binary_name, binary_size_name, fetch_close, fetch_open, section, section_name,
};
pub use flags::{flag_list, flag_list_with_recent};
pub use list::{ListLine, ListTold, MailboxAttribute, StatusValues, list, status};
pub use metadata::metadata;
pub use number::{number, number64, runs, set, space_number};
pub use quota::{QuotaResource, quota, quota_root};
pub use search::{Esearch, EsearchData, Numbers, Runs};
pub use status::{Status, continuation, continuation_base64, status_line, tagged, text, untagged};
pub use string::{
    Dialect, astring, literal, literal_header, literal8, literal8_header, mailbox, nstring,
    quotable, quoted, string,
};
pub use vanished::Vanished;

/// Ends a response line.
pub fn crlf(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    /// What a function appends to an empty buffer.
    pub(super) fn text(append: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        append(&mut out);
        String::from_utf8(out).unwrap()
    }
}
