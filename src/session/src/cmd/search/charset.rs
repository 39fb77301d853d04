//! Search texts in the charset that the client named.

use crate::error::Error;
use roost_imap::ResponseCode;
use roost_message::decode::encoding_for;
use roost_message::search::Needle;

/// Charsets told to a client that named one we do not know: the two that must
/// be there and some that are in use.
const OFFERED: [&str; 16] = [
    "US-ASCII",
    "UTF-8",
    "ISO-8859-1",
    "ISO-8859-2",
    "ISO-8859-15",
    "WINDOWS-1250",
    "WINDOWS-1251",
    "WINDOWS-1252",
    "KOI8-R",
    "GB18030",
    "GBK",
    "BIG5",
    "EUC-JP",
    "ISO-2022-JP",
    "SHIFT_JIS",
    "EUC-KR",
];

/// How the octets of search texts are read.
#[derive(Clone, Copy)]
pub(super) struct Charset(&'static encoding_rs::Encoding);

impl Charset {
    /// UTF-8, which includes US-ASCII, unless named otherwise.
    pub fn named(name: Option<&str>) -> Result<Self, Error> {
        let Some(name) = name else {
            return Ok(Self(encoding_rs::UTF_8));
        };
        let found = encoding_for(name.as_bytes()).map(Self);
        found.ok_or_else(|| {
            let offered = OFFERED.to_vec();
            Error::refused(ResponseCode::BadCharset(offered), "Charset is not known")
        })
    }

    /// A search text.
    pub fn needle(self, octets: &[u8]) -> Result<Needle, Error> {
        let text = self
            .0
            .decode_without_bom_handling_and_without_replacement(octets)
            .ok_or(Error::Bad("Search text is not valid in its charset"))?;
        Ok(Needle::new(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offered_charset_is_known() {
        for name in OFFERED {
            assert!(Charset::named(Some(name)).is_ok(), "{name}");
        }
        assert!(matches!(
            Charset::named(Some("x-none")),
            Err(Error::Refused { .. })
        ));
    }

    #[test]
    fn texts_are_read_in_their_charset() {
        let latin = Charset::named(Some("iso-8859-1")).unwrap();
        assert!(latin.needle(b"\xe9").unwrap().is_in("CAFÉ"));
        let utf8 = Charset::named(None).unwrap();
        assert!(utf8.needle("é".as_bytes()).unwrap().is_in("CAFÉ"));
        assert!(matches!(utf8.needle(b"\xe9"), Err(Error::Bad(_))));
    }
}
