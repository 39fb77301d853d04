//! Names without their domain, where paths have it.
//!
//! Dovecot adds a domain to a name before it looks for it in a passwd-file by
//! its first half; Roost knows the account by the name that stands in the file.

use roost_config::Section;

use super::super::doveconf::Block;
use super::super::proposal::{Fate, Proposal};
use super::database::Database;

/// After paths are decided.
pub fn look(proposal: &mut Proposal, whole: &Block) {
    // Dovecot has left it off then, too.
    let format = whole.get("auth_username_format").unwrap_or_default();
    if !keeps_domain(format) {
        return;
    }
    let realm = whole.either("auth_default_realm", "auth_default_domain");
    let bare = Database::all(whole, "passdb").into_iter().any(|db| {
        let shortened = db.name_format().is_some_and(|f| !keeps_domain(f));
        match db.driver {
            "passwd-file" => shortened && !db.is("deny") && !db.is("master"),
            "pam" | "passwd" | "shadow" => realm.is_some(),
            _ => false,
        }
    });
    if !bare {
        return;
    }
    for (section, key) in [(Section::Mail, "maildir"), (Section::Auth, "mail_home")] {
        let value = proposal.value(section, key).unwrap_or_default().to_owned();
        if ["%d", "%u"].iter().any(|variable| value.contains(variable)) {
            let text = format!(
                "{value}: accounts have names without a domain here, %d is empty and %u the \
                 first half: write full names into the passwd-file, or the domain into the path"
            );
            proposal.note(key, Fate::Blocks, &text);
        }
    }
}

fn keeps_domain(format: &str) -> bool {
    let plain: String = format.chars().filter(|c| !c.is_whitespace()).collect();
    !matches!(
        plain.as_str(),
        "%n" | "%Ln" | "%{user|username}" | "%{user|username|lower}" | "%{username}"
    )
}
