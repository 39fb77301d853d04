//! COMPRESS (RFC 4978 §3). The octets are the driver's matter: see
//! [`crate::session::Progress::Compress`].

use crate::error::Error;
use crate::job::Reply;
use crate::session::Session;
use roost_imap::ResponseCode;

pub(super) fn run(session: &mut Session, mechanism: &str) -> Result<Reply, Error> {
    if mechanism != "DEFLATE" {
        return Err(Error::Bad("Unknown compression mechanism"));
    }
    if session.compressed {
        return Err(Error::refused(
            ResponseCode::CompressionActive,
            "Compression is already active",
        ));
    }
    session.compressed = true;
    Ok(Reply::ok("DEFLATE active"))
}
