//! roost-extensions(7), compared with what is announced. `ROOST_WRITE_DOCS=1`
//! has the test write the list.

use crate::cmd::capability::CAPABILITIES;
use std::fmt::Write;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../man/roost-extensions.7");
const BEGIN: &str = ".\\\" BEGIN capabilities\n";
const END: &str = ".\\\" END capabilities\n";

/// Where each is explained.
const RFCS: &[(&str, u32)] = &[
    ("QUOTA", 9208),
    ("IDLE", 2177),
    ("NAMESPACE", 2342),
    ("ID", 2971),
    ("CHILDREN", 3348),
    ("MULTIAPPEND", 3502),
    ("BINARY", 3516),
    ("UNSELECT", 3691),
    ("ACL", 4314),
    ("RIGHTS", 4314),
    ("UIDPLUS", 4315),
    ("ESEARCH", 4731),
    ("SASL-IR", 4959),
    ("COMPRESS", 4978),
    ("WITHIN", 5032),
    ("ENABLE", 5161),
    ("SEARCHRES", 5182),
    ("I18NLEVEL", 5255),
    ("SORT", 5256),
    ("THREAD", 5256),
    ("LIST-EXTENDED", 5258),
    ("ESORT", 5267),
    ("METADATA", 5464),
    ("NOTIFY", 5465),
    ("LIST-STATUS", 5819),
    ("SORT=DISPLAY", 5957),
    ("SPECIAL-USE", 6154),
    ("CREATE-SPECIAL-USE", 6154),
    ("MOVE", 6851),
    ("CONDSTORE", 7162),
    ("QRESYNC", 7162),
    ("LITERAL+", 7888),
    ("STATUS=SIZE", 8438),
    ("LIST-MYRIGHTS", 8440),
    ("OBJECTID", 8474),
    ("REPLACE", 8508),
    ("SAVEDATE", 8514),
    ("PREVIEW", 8970),
    ("IMAP4rev1", 3501),
    ("IMAP4rev2", 9051),
    ("PARTIAL", 9394),
    ("INPROGRESS", 9585),
    ("UIDONLY", 9586),
];

/// The whole name's, else that of what stands before `=`.
fn rfc(capability: &str) -> u32 {
    let family = capability.split('=').next().unwrap_or(capability);
    let find = |name: &str| RFCS.iter().find(|(known, _)| *known == name);
    let (_, rfc) = find(capability)
        .or_else(|| find(family))
        .unwrap_or_else(|| {
            panic!("no RFC is known for {capability}");
        });
    *rfc
}

#[test]
fn the_manual_has_every_capability() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (there, after) = rest.split_once(END).unwrap();
    let mut wanted = String::new();
    for name in CAPABILITIES {
        let text = match *name {
            "THREAD=REFS" => "draft-ietf-morg-inthread".to_owned(),
            "X-ROOST-SHOWALL" => ".Sx SHOWING ALL".to_owned(),
            name => format!("RFC {}", rfc(name)),
        };
        writeln!(wanted, ".It Li {name}\n{text}").unwrap();
    }
    if std::env::var_os("ROOST_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
    } else {
        assert!(there == wanted, "differs: run this with ROOST_WRITE_DOCS=1");
    }
}
