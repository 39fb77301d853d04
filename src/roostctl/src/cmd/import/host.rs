//! What stands in the way of a proposal on this host: files that the packaged
//! service cannot read, and addresses that its socket does not open.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;

use roost_config::Section;
use roost_os::plain_root;

use super::proposal::{Fate, Proposal};

pub fn look(proposal: &mut Proposal) {
    for path in proposal.files() {
        if let Some(complaint) = plain_root::complaint(&path) {
            proposal.note(&path.display().to_string(), Fate::Blocks, &complaint);
        }
    }
    if let Some(listed) = of_socket() {
        compare(proposal, &listed);
    }
}

/// What roost.socket opens, drop-ins and all; `None` without systemd.
fn of_socket() -> Option<String> {
    let mut show = Command::new("systemctl");
    show.args(["show", "--property=Listen", "--value", "roost.socket"]);
    let output = show
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `listed` has lines such as `0.0.0.0:143 (Stream)`; none where there is no
/// such unit.
fn compare(proposal: &mut Proposal, listed: &str) {
    let first = |line: &str| line.split_whitespace().next()?.parse::<SocketAddr>().ok();
    let opened: BTreeSet<SocketAddr> = listed.lines().filter_map(first).collect();
    let keys = ["imap", "imaps"].map(|key| proposal.value(Section::Listen, key));
    let words = keys
        .into_iter()
        .flatten()
        .flat_map(|value| value.split(", "));
    let wanted: BTreeSet<SocketAddr> = words.filter_map(|word| word.parse().ok()).collect();
    if opened.is_empty() || opened == wanted {
        return;
    }
    let lines: Vec<String> = wanted
        .iter()
        .map(|address| format!("ListenStream={address}"))
        .collect();
    let text = format!(
        "systemd opens other addresses than [listen] has: write into `systemctl edit roost.socket` \
         the lines [Socket], ListenStream=, {}",
        lines.join(", ")
    );
    proposal.note("roost.socket", Fate::Blocks, &text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_socket() {
        let of = |listed: &str| {
            let mut proposal = Proposal::from("test".to_owned());
            proposal.set(Section::Listen, "imap", "0.0.0.0:143, [::]:143");
            proposal.set(Section::Listen, "imaps", "[::1]:993");
            compare(&mut proposal, listed);
            proposal.notes.pop().map(|note| note.text)
        };
        assert_eq!(of(""), None);
        let same = "[::]:143 (Stream)\n[::1]:993 (Stream)\n0.0.0.0:143 (Stream)\n";
        assert_eq!(of(same), None);
        let told = of("0.0.0.0:143 (Stream)\n[::]:143 (Stream)\n").unwrap();
        let lines = "ListenStream=, ListenStream=0.0.0.0:143, ListenStream=[::]:143, \
                     ListenStream=[::1]:993";
        assert!(told.ends_with(lines), "{told}");
    }
}
