//! Which PAM service asks what the other server's did.
//!
//! What must stay true: a rule that the administrator has put into the other
//! server's file keeps out whom it kept out.

use std::fs;
use std::path::Path;

use roost_config::Section;

use super::proposal::{Fate, Proposal};

/// As Debian's packages of Dovecot and Courier have them; but for sessions
/// Roost's file does the same.
const USUAL: [&[&str]; 2] = [
    &["common-auth", "common-account", "common-session"],
    &[
        "common-auth",
        "common-account",
        "common-password",
        "common-session",
    ],
];

/// `name` is a file in `/etc/pam.d`; `sessions` is whether its session rules
/// are used.
pub fn service(proposal: &mut Proposal, setting: &str, name: &str, sessions: bool) {
    let text = fs::read_to_string(Path::new("/etc/pam.d").join(name));
    decide(
        proposal,
        setting,
        name,
        text.ok().filter(|_| !sessions).as_deref(),
    );
}

fn decide(proposal: &mut Proposal, setting: &str, name: &str, text: Option<&str>) {
    if text.is_some_and(is_usual) {
        let text = format!("[auth] pam_service = roost, which asks what /etc/pam.d/{name} does");
        return proposal.note(setting, Fate::Kept, &text);
    }
    let text = format!(
        "[auth] pam_service = {name}: its rules count as before; /etc/pam.d/{name} may go when \
         the other server's package is purged: make it /etc/pam.d/roost before that"
    );
    proposal.set(Section::Auth, "pam_service", name);
    proposal.note(setting, Fate::Kept, &text);
}

fn is_usual(text: &str) -> bool {
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    let rules: Vec<&str> = lines
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let included: Option<Vec<&str>> = rules
        .iter()
        .map(|rule| rule.strip_prefix("@include").map(str::trim))
        .collect();
    included.is_some_and(|included| USUAL.iter().any(|usual| included == *usual))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Access rules of the administrator are none of Roost's file.
    #[test]
    fn a_file_that_was_changed_is_asked_further() {
        let usual = "#%PAM-1.0\n\n@include common-auth\n@include common-account # all\n\
                     @include common-session\n";
        let changed = format!("account required pam_access.so\n{usual}");
        for (text, service) in [
            (Some(usual), false),
            (Some(changed.as_str()), true),
            (Some("@include common-auth\n"), true),
            (Some(""), true),
            (None, true),
        ] {
            let mut proposal = Proposal::from("test".to_owned());
            decide(&mut proposal, "passdb pam", "dovecot", text);
            let line = "pam_service = dovecot";
            let written = proposal.text().unwrap();
            assert_eq!(written.lines().any(|l| l == line), service, "{text:?}");
            assert!(!proposal.loses());
        }
    }
}
