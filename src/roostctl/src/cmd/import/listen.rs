//! Where clients connect.
//!
//! What must stay true: an address that is not understood opens no other one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use roost_config::Section;

use super::proposal::{Fate, Proposal};

#[derive(Default, PartialEq, Eq, Debug)]
pub struct Door {
    pub addresses: Vec<SocketAddr>,
    /// What is no address, or no port.
    pub strange: Vec<String>,
}

impl Door {
    /// A list such as `*, ::`.
    pub fn add(&mut self, list: &str, port: u16) {
        for word in list.split([',', ' ']).filter(|word| !word.is_empty()) {
            let ip: Option<IpAddr> = match word {
                "*" => Some(Ipv4Addr::UNSPECIFIED.into()),
                "::" | "[::]" => Some(Ipv6Addr::UNSPECIFIED.into()),
                word => word.trim_matches(['[', ']']).parse().ok(),
            };
            match ip.map(|ip| SocketAddr::new(ip, port)) {
                Some(address) if self.addresses.contains(&address) => {}
                Some(address) => self.addresses.push(address),
                None => self.strange.push(word.to_owned()),
            }
        }
    }
}

/// Both doors, with the settings that they come from.
pub fn set(proposal: &mut Proposal, plain: (&str, &Door), safe: (&str, &Door)) {
    for (key, (setting, door)) in [("imap", plain), ("imaps", safe)] {
        let listed: Vec<String> = door.addresses.iter().map(ToString::to_string).collect();
        if door.strange.is_empty() {
            proposal.keep(setting, Section::Listen, key, listed.join(", "));
            continue;
        }
        proposal.set(Section::Listen, key, listed.join(", "));
        for word in &door.strange {
            let text = format!("{word}: not understood: write the address into [listen] {key}");
            proposal.note(setting, Fate::Blocks, &text);
        }
    }
    if plain.1.addresses.is_empty() && safe.1.addresses.is_empty() {
        proposal.set(Section::Listen, "imap", "127.0.0.1:143");
        let text = "no address for IMAP was found: clients on this host alone are served";
        proposal.note(plain.0, Fate::Blocks, text);
    }
}
