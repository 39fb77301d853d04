//! `mail_location`, and what 2.4 has made of it.

use roost_config::{PathTemplate, Section};

use super::super::doveconf::{Block, is_yes};
use super::super::proposal::{Fate, Proposal};

/// Where mail is, from either version's settings.
#[derive(Default)]
struct Location<'a> {
    setting: &'static str,
    driver: &'a str,
    path: &'a str,
    layout: Option<&'a str>,
    inbox: Option<&'a str>,
    control: Option<&'a str>,
    index: Option<&'a str>,
    directory: Option<&'a str>,
    utf8: bool,
    strange: Vec<&'a str>,
}

impl<'a> Location<'a> {
    /// `maildir:PATH[:KEY=VALUE…]`
    fn of_text(text: &'a str) -> Self {
        let (driver, rest) = text.split_once(':').unwrap_or(("", text));
        let mut parts = rest.split(':');
        let mut location = Self {
            setting: "mail_location",
            driver,
            path: parts.next().unwrap_or_default(),
            ..Self::default()
        };
        for part in parts.filter(|p| !p.is_empty()) {
            match part.split_once('=').unwrap_or((part, "")) {
                ("LAYOUT", value) => location.layout = Some(value),
                ("INBOX", value) => location.inbox = Some(value),
                ("CONTROL", value) => location.control = Some(value),
                ("INDEX" | "INDEXPVT" | "INDEXCACHE", value) => location.index = Some(value),
                ("DIRNAME", value) => location.directory = Some(value),
                ("UTF-8", _) => location.utf8 = true,
                ("VOLATILEDIR", _) => {}
                _ => location.strange.push(part),
            }
        }
        location
    }

    /// 2.4's; `inbox` is the namespace, whose own settings count before those
    /// of the whole.
    fn of_settings(whole: &'a Block, inbox: Option<&'a Block>) -> Option<Self> {
        let get = |key: &str| {
            let general = whole.get(key);
            inbox.and_then(|b| b.get(key)).or(general)
        };
        let location = Self {
            setting: "mail_path",
            driver: get("mail_driver").unwrap_or("auto"),
            path: get("mail_path").unwrap_or_default(),
            layout: get("mailbox_list_layout"),
            inbox: get("mail_inbox_path"),
            control: get("mail_control_path"),
            index: get("mail_index_path"),
            directory: get("mailbox_directory_name"),
            utf8: get("mailbox_list_utf8").is_some_and(is_yes),
            strange: Vec::new(),
        };
        let decides = [
            get("mail_driver"),
            get("mail_path"),
            location.layout,
            location.inbox,
            location.control,
            location.directory,
        ];
        decides.iter().any(Option::is_some).then_some(location)
    }
}

/// Where mail is, as Roost would write it; of Maildirs only.
pub fn path(whole: &Block) -> Option<String> {
    let location = found(whole).filter(|l| l.driver == "maildir")?;
    template(location.path).ok()
}

fn found(whole: &Block) -> Option<Location<'_>> {
    let mut own = whole.blocks("namespace").filter(|b| !b.is("disabled"));
    let inbox = own.find(|b| b.is("inbox"));
    let text = inbox.and_then(|b| b.get("location"));
    let text = text.or(whole.get("mail_location"));
    let newer = Location::of_settings(whole, inbox);
    text.map(Location::of_text).or(newer)
}

pub fn location(proposal: &mut Proposal, whole: &Block) {
    match found(whole) {
        Some(location) => take(proposal, &location),
        None => {
            let text = "not set: Dovecot looks for itself, in ~/mail and /var/mail too; ~/Maildir \
                        is taken: set [mail] maildir to what it has found";
            proposal.note("mail_location", Fate::Blocks, text);
        }
    }
    for key in [
        "mail_fsync",
        "mmap_disable",
        "mail_nfs_storage",
        "mail_nfs_index",
    ] {
        let value = whole.get(key);
        match (key, value) {
            (_, None) => {}
            ("mail_fsync", Some(value @ ("always" | "optimized" | "never"))) => {
                proposal.keep(key, Section::Mail, "fsync", value);
            }
            ("mail_nfs_storage", Some(value)) if is_yes(value) => {
                proposal.keep(key, Section::Mail, "inotify", "no");
                let text = "mail on NFS: set [mail] index_dir to a folder on a local disk";
                proposal.note(key, Fate::Missing, text);
            }
            _ => proposal.note(key, Fate::Needless, "Roost has one way for all disks"),
        }
    }
}

fn take(proposal: &mut Proposal, location: &Location<'_>) {
    let setting = location.setting;
    if location.driver == "auto" {
        let text = "not told whether it is Maildir (mail_driver): set [mail] maildir";
        return proposal.note(setting, Fate::Blocks, text);
    }
    if location.driver != "maildir" {
        let text = format!(
            "mail is kept as {}: convert it to Maildir first, with \
             `doveadm backup -u USER maildir:~/Maildir`, which keeps UIDs",
            location.driver
        );
        return proposal.note(setting, Fate::Blocks, &text);
    }
    match template(location.path) {
        Ok(path) => proposal.keep(setting, Section::Mail, "maildir", path),
        Err(why) => proposal.note(setting, Fate::Blocks, &format!("{}: {why}", location.path)),
    }
    let is_maildir = |layout: &&str| layout.eq_ignore_ascii_case("maildir++");
    if let Some(layout) = location.layout.filter(|l| !is_maildir(l)) {
        let text = format!(
            "mailboxes are laid out as {layout}, not as Maildir++: convert them first, with \
             `doveadm backup -u USER maildir:~/NEWPATH`, which keeps UIDs"
        );
        proposal.note("LAYOUT", Fate::Blocks, &text);
    }
    if let Some(name) = location.directory {
        let text = format!("mail is in {name} below each mailbox, where Roost does not look");
        proposal.note("DIRNAME", Fate::Blocks, &text);
    }
    let same = |path: &str| path.trim_end_matches('/') == location.path.trim_end_matches('/');
    if let Some(inbox) = location.inbox.filter(|path| !same(path)) {
        let text = format!("INBOX is at {inbox}, not in the Maildir itself");
        proposal.note("INBOX", Fate::Blocks, &text);
    }
    if let Some(control) = location.control.filter(|path| !same(path)) {
        proposal.note("CONTROL", Fate::Blocks, &moved_control(control));
    }
    if let Some(index) = location.index {
        let text = format!(
            "{index} stays as it is, for the way back; Roost's own index is in the Maildir, \
             or in [mail] index_dir"
        );
        proposal.note("INDEX", Fate::Needless, &text);
    }
    if location.utf8 {
        proposal.keep("UTF-8", Section::Mail, "directory_encoding", "utf8");
    } else {
        proposal.set(Section::Mail, "directory_encoding", "mutf7");
    }
    for strange in &location.strange {
        proposal.note(
            setting,
            Fate::Missing,
            &format!("{strange} is not known here"),
        );
    }
}

/// What an administrator does about `CONTROL=`.
fn moved_control(control: &str) -> String {
    format!(
        "UIDs, keywords and subscriptions are in {control} and not in the Maildirs: stop \
         Dovecot, then for each account, in that folder (INBOX itself is in .INBOX): \
         `cp -a .INBOX/. MAILDIR/; cp -a subscriptions dovecot-uidvalidity* MAILDIR/; \
         for d in .[!.]*; do [ \"$d\" = .INBOX ] || [ ! -d MAILDIR/\"$d\" ] || \
         cp -a \"$d\"/. MAILDIR/\"$d\"/; done`, and take CONTROL out of Dovecot's settings \
         for the way back"
    )
}

/// Dovecot's variables as Roost's.
pub fn template(path: &str) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let (name, behind) = match after.strip_prefix('{') {
            Some(inner) => inner.split_once('}').ok_or("a brace is missing")?,
            None => {
                let end = after.find(|c: char| c.is_ascii_lowercase() || c == '%');
                after.split_at(end.map_or(after.len(), |end| end + 1))
            }
        };
        let plain: String = name.chars().filter(|c| !c.is_whitespace()).collect();
        text.push_str(match plain.as_str() {
            "%" => "%%",
            "u" | "Lu" | "user" | "user|lower" => "%u",
            "n" | "Ln" | "user|username" | "user|username|lower" | "username" => "%n",
            "d" | "Ld" | "user|domain" | "user|domain|lower" | "domain" => "%d",
            "h" | "home" => "%h",
            other => return Err(format!("the variable {other} is not known here")),
        });
        rest = behind;
    }
    text.push_str(rest);
    let text = text.trim_end_matches('/').to_owned();
    PathTemplate::parse(&text).map_err(|e| e.to_string())?;
    Ok(text)
}
