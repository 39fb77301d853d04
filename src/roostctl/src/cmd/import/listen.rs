//! Where clients connect.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use roost_config::Section;

use super::proposal::{Fate, Proposal};

#[derive(Default, Debug)]
pub struct Door {
    pub addresses: Vec<SocketAddr>,
}

/// Of a list such as `*, ::`; names of hosts are left out.
pub fn addresses(list: &str, port: u16) -> Vec<SocketAddr> {
    let one = |word: &str| -> Option<IpAddr> {
        match word {
            "*" => Some(Ipv4Addr::UNSPECIFIED.into()),
            "::" | "[::]" => Some(Ipv6Addr::UNSPECIFIED.into()),
            word => word.trim_matches(['[', ']']).parse().ok(),
        }
    };
    list.split([',', ' '])
        .filter_map(one)
        .map(|ip| SocketAddr::new(ip, port))
        .collect()
}

/// Both doors, with the settings that they come from.
pub fn set(proposal: &mut Proposal, plain: (&str, &Door), safe: (&str, &Door)) {
    if plain.1.addresses.is_empty() && safe.1.addresses.is_empty() {
        let text = "no address for IMAP was found; the usual ones are taken";
        return proposal.note(plain.0, Fate::Missing, text);
    }
    for (key, (setting, door)) in [("imap", plain), ("imaps", safe)] {
        let listed: Vec<String> = door.addresses.iter().map(ToString::to_string).collect();
        proposal.keep(setting, Section::Listen, key, listed.join(", "));
    }
}
