//! ID (RFC 2971): names are exchanged, and nothing depends on them.

use crate::job::Reply;
use crate::session::Session;
use roost_imap::write;

/// Octets of a client's own description that go to the log.
const MAX_LOGGED: usize = 512;

pub(super) fn run(
    session: &Session,
    fields: &[(Vec<u8>, Option<Vec<u8>>)],
    out: &mut Vec<u8>,
) -> Reply {
    if log::log_enabled!(log::Level::Debug) && !fields.is_empty() {
        let id = session.identity().session.0;
        log::debug!(session = id; "ID: {}", described(fields));
    }
    write::id(
        out,
        [
            ("name", Some("Roost")),
            ("version", Some(env!("CARGO_PKG_VERSION"))),
        ],
    );
    Reply::ok("ID completed")
}

fn described(fields: &[(Vec<u8>, Option<Vec<u8>>)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        let value = value.as_deref().unwrap_or_default();
        text.push_str(&format!(
            "{}{}={}",
            if text.is_empty() { "" } else { ", " },
            name.escape_ascii(),
            value.escape_ascii()
        ));
        if text.len() > MAX_LOGGED {
            text.truncate(MAX_LOGGED);
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_cannot_break_out_of_its_line() {
        let fields = [(b"na\r\nme".to_vec(), Some(vec![0xff; 2000]))];
        let text = described(&fields);
        assert!(text.starts_with("na\\r\\nme=\\xff"));
        assert_eq!(text.len(), MAX_LOGGED);
    }
}
