//! Namespaces: how mailboxes are called, and what they are for.

use roost_config::Section;
use roost_types::utf7;

use super::super::doveconf::Block;
use super::super::proposal::{Fate, Proposal};
use super::known;

/// The uses that Roost has keys for.
const USES: [(&str, &str); 8] = [
    ("drafts", "\\Drafts"),
    ("sent", "\\Sent"),
    ("trash", "\\Trash"),
    ("junk", "\\Junk"),
    ("archive", "\\Archive"),
    ("all", "\\All"),
    ("flagged", "\\Flagged"),
    ("important", "\\Important"),
];

pub fn namespaces(proposal: &mut Proposal, whole: &Block) {
    let mut found = false;
    for block in whole.blocks("namespace") {
        if block.is("disabled") {
            continue;
        }
        let kind = block.get("type").unwrap_or("private");
        match kind {
            "private" if block.is("inbox") => {
                found = true;
                own(proposal, block);
            }
            "private" => other(proposal, block),
            "shared" => {
                let text = "mailboxes of others are ~OWNER/NAME, by the same rights; roostctl \
                            alias gives them other names, and roostctl acl rebuild finds who \
                            shares with whom";
                proposal.note(&setting(block, ""), Fate::Missing, text);
            }
            _ => {
                let text = "public mailboxes: give them to an account of their own, whose \
                            mailboxes are ~ACCOUNT/NAME to all who have rights";
                proposal.note(&setting(block, ""), Fate::Blocks, text);
            }
        }
    }
    if !found {
        proposal.keep("namespace", Section::Mail, "separator", ".");
        uses(proposal, None);
    }
}

fn setting(block: &Block, key: &str) -> String {
    format!("namespace {} {key}", block.name)
        .trim_end()
        .to_owned()
}

/// A private namespace beside that of INBOX.
fn other(proposal: &mut Proposal, block: &Block) {
    let prefix = block.get("prefix").unwrap_or_default();
    // The other names of what is reached by its own ones, even where empty.
    if block.settings().any(|(key, _)| key == "alias_for") {
        let text = format!("names that begin with {prefix} are not understood");
        return proposal.note(&setting(block, ""), Fate::Missing, &text);
    }
    let text = format!(
        "one Maildir is shown for each account: what is under {prefix} is not reached; put its \
         mailboxes into the Maildir of the account"
    );
    proposal.note(&setting(block, ""), Fate::Blocks, &text);
}

fn own(proposal: &mut Proposal, block: &Block) {
    // Maildir++'s own where none is set.
    let separator = block.get("separator").unwrap_or(".");
    match separator {
        "." | "/" => proposal.keep(
            &setting(block, "separator"),
            Section::Mail,
            "separator",
            separator,
        ),
        other => {
            let text = format!("{other} between the levels of names becomes /");
            proposal.note(&setting(block, "separator"), Fate::Missing, &text);
        }
    }
    if let Some(prefix) = block.get("prefix") {
        proposal.keep(&setting(block, "prefix"), Section::Mail, "prefix", prefix);
    }
    uses(proposal, Some(block));
    subscriptions(proposal, block);
    for (key, value) in block.rest() {
        // How the only namespace is listed is decided.
        if !matches!(key, "list" | "hidden" | "order" | "comment" | "type") {
            known::one(proposal, key, value);
        }
    }
    for inner in block.all_blocks().filter(|inner| inner.kind != "mailbox") {
        let setting = setting(block, &inner.kind);
        proposal.note(&setting, Fate::Blocks, "a block that is not known here");
    }
}

/// Each use has one mailbox; of several the one that has no other name.
fn uses(proposal: &mut Proposal, block: Option<&Block>) {
    let marked: Vec<(&str, &str)> = block
        .iter()
        .flat_map(|b| b.blocks("mailbox"))
        .filter_map(|m| Some((m.name.as_str(), m.get("special_use")?)))
        .collect();
    for (key, attribute) in USES {
        let mut named: Vec<&str> = marked
            .iter()
            .filter(|(_, uses)| {
                uses.split_whitespace()
                    .any(|u| u.eq_ignore_ascii_case(attribute))
            })
            .map(|(name, _)| *name)
            .collect();
        named.sort_by_key(|name| !name.eq_ignore_ascii_case(key));
        let first = named.first().copied().unwrap_or_default();
        proposal.set(Section::Mail, key, utf7::encode(first));
        if !first.is_empty() {
            let text = format!("[mail] {key} = {first}");
            proposal.note(&format!("mailbox {first} special_use"), Fate::Kept, &text);
        }
        for other in named.iter().skip(1) {
            let text = format!("{attribute} is {first} alone; {other} is an ordinary mailbox");
            proposal.note(
                &format!("mailbox {other} special_use"),
                Fate::Needless,
                &text,
            );
        }
    }
}

fn subscriptions(proposal: &mut Proposal, block: &Block) {
    let mut subscribed = Vec::new();
    for mailbox in block.blocks("mailbox") {
        match mailbox.get("auto") {
            Some("subscribe") => subscribed.push(utf7::encode(&mailbox.name)),
            Some("create") => {
                let text = "is not made by itself; clients make it";
                proposal.note(
                    &format!("mailbox {} auto", mailbox.name),
                    Fate::Missing,
                    text,
                );
            }
            _ => {}
        }
        for key in ["autoexpunge", "autoexpunge_max_mails"] {
            if let Some(value) = mailbox.get(key) {
                let text = format!(
                    "{value}: nothing is expunged by itself: find(1) from cron does \
                     (roostctl quota recalc behind it)"
                );
                let setting = format!("mailbox {} {key}", mailbox.name);
                proposal.note(&setting, Fate::Missing, &text);
            }
        }
    }
    if !subscribed.is_empty() {
        let listed = subscribed.join(", ");
        proposal.keep(
            "mailbox auto",
            Section::Mail,
            "initial_subscriptions",
            listed,
        );
    }
}
