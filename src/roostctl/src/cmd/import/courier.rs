//! Courier's `imapd`, `imapd-ssl` and `authdaemonrc`, which are shell scripts
//! of assignments.

mod rest;
mod shell;

use std::fs;
use std::path::Path;

use roost_config::Section;

use super::listen::{self, Door};
use super::pam;
use super::proposal::{Fate, Proposal};
use crate::{Failure, exit};
use shell::Shell;

/// # Errors
/// Where the folder has no file `imapd`.
pub fn propose(folder: &Path) -> Result<Proposal, Failure> {
    let mut proposal = Proposal::from(format!("Courier's files in {}", folder.display()));
    let read = |name: &str| -> Result<Option<Shell>, Failure> {
        let path = folder.join(name);
        match fs::read(&path) {
            Ok(bytes) => {
                let mut shell = Shell::default();
                shell.read(&String::from_utf8_lossy(&bytes));
                Ok(Some(shell))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Failure::new(
                exit::IOERR,
                format!("{}: {e}", path.display()),
            )),
        }
    };
    let Some(imapd) = read("imapd")? else {
        let text = format!("{}: no file imapd there", folder.display());
        return Err(Failure::new(exit::NOINPUT, text));
    };
    let ssl = read("imapd-ssl")?.unwrap_or_default();
    let auth = match read("authdaemonrc")? {
        Some(auth) => auth,
        None => read("../authlib/authdaemonrc")?.unwrap_or_default(),
    };
    let log = "(lines about logins)";
    proposal.keep(log, Section::Server, "log_style", "courier");
    doors(&mut proposal, &imapd, &ssl);
    mail(&mut proposal, &imapd);
    tls(&mut proposal, &ssl);
    limits(&mut proposal, &imapd);
    accounts(&mut proposal, &imapd, &auth);
    rest::access(&mut proposal, folder, &imapd, &ssl);
    for shell in [&imapd, &ssl, &auth] {
        rest::rest(&mut proposal, shell);
    }
    Ok(proposal)
}

fn doors(proposal: &mut Proposal, imapd: &Shell, ssl: &Shell) {
    let door = |on: bool, address: Option<&str>, port: Option<&str>, usual: &str| match on {
        true => ports(address.unwrap_or("0"), port.unwrap_or(usual)),
        false => Door::default(),
    };
    let plain = door(
        imapd.on("IMAPDSTART"),
        imapd.raw("ADDRESS"),
        imapd.raw("PORT"),
        "143",
    );
    let safe = door(
        ssl.on("IMAPDSSLSTART"),
        ssl.raw("SSLADDRESS"),
        ssl.raw("SSLPORT"),
        "993",
    );
    listen::set(
        proposal,
        ("ADDRESS, PORT", &plain),
        ("SSLADDRESS, SSLPORT", &safe),
    );
}

/// `143,127.0.0.1.1143`: the address counts for ports without one.
fn ports(address: &str, ports: &str) -> Door {
    let mut door = Door::default();
    for word in ports.split([',', ' ']).filter(|word| !word.is_empty()) {
        let (address, port) = match word.rsplit_once('.') {
            Some((own, port)) => (own, port),
            None => (address, word),
        };
        match port.parse() {
            Ok(port @ 1..) => door.add(if address == "0" { "*, ::" } else { address }, port),
            _ => door.strange.push(word.to_owned()),
        }
    }
    door
}

fn mail(proposal: &mut Proposal, imapd: &Shell) {
    let maildir = imapd.get("MAILDIRPATH").unwrap_or("Maildir");
    let path = match maildir.strip_prefix("./").unwrap_or(maildir) {
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        below => format!("~/{below}"),
    };
    match imapd.is_resolved("MAILDIRPATH") {
        true => proposal.keep("MAILDIRPATH", Section::Mail, "maildir", path),
        false => proposal.note("MAILDIRPATH", Fate::Blocks, "set [mail] maildir"),
    }
    let names = "names of mailboxes";
    proposal.keep(names, Section::Mail, "separator", ".");
    proposal.keep(names, Section::Mail, "prefix", "INBOX.");
    proposal.keep(names, Section::Mail, "directory_encoding", "detect");
    if let Some(trash) = imapd.get("IMAP_TRASHFOLDERNAME") {
        proposal.keep("IMAP_TRASHFOLDERNAME", Section::Mail, "trash", trash);
    }
    if imapd.on("IMAP_MOVE_EXPUNGE_TO_TRASH") {
        let text = "expunged messages are gone; they do not move to Trash";
        proposal.note("IMAP_MOVE_EXPUNGE_TO_TRASH", Fate::Missing, text);
    }
    if let Some(days) = imapd.get("IMAP_EMPTYTRASH") {
        let text = format!("nothing empties {days} by itself: roostctl or find(1) from cron does");
        proposal.note("IMAP_EMPTYTRASH", Fate::Missing, &text);
    }
    if imapd.get("IMAP_SHAREDINDEXFILE").is_some() {
        let text = "mailboxes of others are ~OWNER/NAME instead of #shared.OWNER.NAME, by the \
                    rights in courierimapacl; names of accounts that are shared with are found \
                    by roostctl acl rebuild";
        proposal.note("IMAP_SHAREDINDEXFILE", Fate::Missing, text);
    }
    proposal.note(
        "IMAP_KEYWORDS",
        Fate::Kept,
        "keywords are taken over from courierimapkeywords",
    );
    proposal.note(
        "IMAP_ACL",
        Fate::Kept,
        "rights are taken over from courierimapacl",
    );
    if let Some(mask) = imapd.get("IMAP_UMASK").filter(|&m| m != "022") {
        let text = format!("{mask}: new files have the mode of their mailbox's directory");
        proposal.note("IMAP_UMASK", Fate::Needless, &text);
    }
    if let Some(outbox) = imapd.get("OUTBOX") {
        let text = format!("{outbox}: mail that is put there is not sent");
        proposal.note("OUTBOX", Fate::Missing, &text);
    }
    if imapd.on("IMAP_PROXY") {
        let text = "connections are not handed to other hosts";
        proposal.note("IMAP_PROXY", Fate::Missing, text);
    }
}

fn tls(proposal: &mut Proposal, ssl: &Shell) {
    if let Some(path) = ssl.get("TLS_CERTFILE") {
        proposal.keep("TLS_CERTFILE", Section::Tls, "certificate", path);
        let key = ssl.get("TLS_PRIVATE_KEYFILE").unwrap_or(path);
        proposal.set(Section::Tls, "key", key);
    }
    match ssl.get("TLS_PROTOCOL") {
        Some(text) if text.contains("1.3") && !text.contains("1.2") && !text.contains('+') => {
            proposal.keep("TLS_PROTOCOL", Section::Tls, "min_version", "1.3");
        }
        _ => proposal.note("TLS_PROTOCOL", Fate::Kept, "TLS 1.2 and 1.3"),
    }
    // Courier takes passwords in clear unless this is set.
    const REQUIRED: &str = "IMAP_TLS_REQUIRED";
    let value = match ssl.on(REQUIRED) || !ssl.is_resolved(REQUIRED) {
        true => "tls-only",
        false => "always",
    };
    proposal.keep(REQUIRED, Section::Auth, "cleartext", value);
    if !ssl.on("IMAPDSTARTTLS") {
        proposal.note(
            "IMAPDSTARTTLS",
            Fate::Needless,
            "STARTTLS is offered in any case",
        );
    }
    const PEER: &str = "TLS_VERIFYPEER";
    let text = "clients are not asked for certificates";
    match ssl.get(PEER) {
        None | Some("NONE") => {}
        Some("PEER") => proposal.note(PEER, Fate::Missing, text),
        Some(_) => proposal.note(PEER, Fate::Blocks, text),
    }
}

fn limits(proposal: &mut Proposal, imapd: &Shell) {
    let number = |key| imapd.get(key).and_then(|v| v.parse::<u32>().ok());
    if let Some(n) = number("MAXPERIP") {
        proposal.keep(
            "MAXPERIP",
            Section::Limits,
            "max_connections_per_ip",
            n.to_string(),
        );
    }
    if let Some(n) = number("MAXDAEMONS") {
        proposal.keep(
            "MAXDAEMONS",
            Section::Limits,
            "max_connections",
            n.to_string(),
        );
    }
    let text = "changes are told at once";
    proposal.note("IMAP_IDLE_TIMEOUT", Fate::Needless, text);
}

fn accounts(proposal: &mut Proposal, imapd: &Shell, auth: &Shell) {
    // What imapd appends comes first.
    for (shell, key) in [(auth, "DEFAULTDOMAIN"), (imapd, "DEFDOMAIN")] {
        if let Some(domain) = shell.get(key) {
            let domain = domain.trim_start_matches('@');
            proposal.keep(key, Section::Server, "default_domain", domain);
        }
    }
    let listed = auth.raw("authmodulelist").unwrap_or("authpam");
    let mut pam = false;
    for module in listed.split_whitespace() {
        match module {
            "authpam" | "authshadow" | "authpwd" => pam = true,
            // Does nothing unless it was written anew.
            "authcustom" => {}
            other => {
                let text = format!(
                    "accounts of {other} are not reached: write them into a passwd-file, \
                     user:{{SCHEME}}hash:uid:gid::home::, and set backend and passwd_file"
                );
                proposal.note("authmodulelist", Fate::Blocks, &text);
            }
        }
    }
    match pam {
        true => {
            proposal.keep("authmodulelist", Section::Auth, "backend", "pam");
            // Courier's name for itself.
            pam::service(proposal, "authpam", "imap", false);
        }
        false => proposal.undecided("authmodulelist"),
    }
    // Courier lets everybody in whom PAM does; its own files begin at 100.
    proposal.keep(
        "(accounts of the system)",
        Section::Auth,
        "minimum_uid",
        "500",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn couriers_files_as_roost_conf() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write(
            "imapd",
            "##NAME: x\nADDRESS=0\nPORT=143\nMAXDAEMONS=40\nMAXPERIP=20\nIMAPDSTART=YES\n\
             IMAP_CAPABILITY=\"IMAP4rev1 QUOTA\"\nIMAP_TRASHFOLDERNAME=Trash\n\
             IMAP_EMPTYTRASH=Trash:7\nMAILDIRPATH=Maildir\n",
        );
        write(
            "imapd-ssl",
            "IMAPDSSLSTART=YES\nSSLPORT=993\nSSLADDRESS=127.0.0.1\nIMAPDSTARTTLS=YES\n\
             IMAP_TLS_REQUIRED=1\nTLS_CERTFILE=/etc/courier/imapd.pem\n\
             TLS_STARTTLS_PROTOCOL=\"$TLS_PROTOCOL\"\n",
        );
        write(
            "authdaemonrc",
            "authmodulelist=\"authpam authuserdb\"\nDEFAULTDOMAIN=\"@example.org\"\n",
        );
        let proposal = propose(dir.path()).unwrap();
        let text = proposal.text().unwrap();
        for line in [
            "imap = 0.0.0.0:143, [::]:143",
            "imaps = 127.0.0.1:993",
            "certificate = /etc/courier/imapd.pem",
            "key = /etc/courier/imapd.pem",
            "cleartext = tls-only",
            "backend = pam",
            "maildir = ~/Maildir",
            "separator = .",
            "prefix = INBOX.",
            "trash = Trash",
            "max_connections = 40",
            "max_connections_per_ip = 20",
            "default_domain = example.org",
            "log_style = courier",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}:\n{text}");
        }
        let blocks: Vec<_> = proposal
            .notes
            .iter()
            .filter(|n| n.fate == Fate::Blocks)
            .collect();
        assert_eq!(blocks.len(), 1);
        assert!(blocks[0].text.contains("authuserdb"));
        fs::remove_file(dir.path().join("imapd")).unwrap();
        assert!(propose(dir.path()).is_err());
    }

    fn of(imapd: &str, auth: &str) -> (Vec<String>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("imapd"), imapd).unwrap();
        fs::write(dir.path().join("authdaemonrc"), auth).unwrap();
        let proposal = propose(dir.path()).unwrap();
        let text = proposal.text().unwrap();
        let blocks = proposal.notes.iter().filter(|n| n.fate == Fate::Blocks);
        (
            text.lines().map(str::to_owned).collect(),
            blocks.map(|n| n.text.clone()).collect(),
        )
    }

    /// What stands in the manual of couriertcpd, and what does not.
    #[test]
    fn a_port_that_is_not_understood_opens_none() {
        for (settings, imap, strange) in [
            ("PORT=127.0.0.1.143", "imap = 127.0.0.1:143", vec![]),
            (
                "PORT=143,1143,::1.2143\nADDRESS=192.0.2.1",
                "imap = 192.0.2.1:143, 192.0.2.1:1143, [::1]:2143",
                vec![],
            ),
            ("PORT=0.143", "imap = 0.0.0.0:143, [::]:143", vec![]),
            (
                "PORT=143,imap2\nADDRESS=192.0.2.1",
                "imap = 192.0.2.1:143",
                vec!["imap2: not understood: write the address into [listen] imap"],
            ),
            (
                "ADDRESS=mail.example.org",
                "imap = 127.0.0.1:143",
                vec![
                    "mail.example.org: not understood: write the address into [listen] imap",
                    "no address for IMAP was found: clients on this host alone are served",
                ],
            ),
        ] {
            let (lines, blocks) = of(&format!("IMAPDSTART=YES\n{settings}\n"), "");
            assert!(lines.iter().any(|l| l == imap), "{settings}: {lines:#?}");
            assert!(lines.iter().any(|l| l == "imaps ="), "{lines:#?}");
            assert_eq!(blocks, strange, "{settings}");
        }
    }

    /// Debian's IMAPACCESSFILE counts once makeimapaccess has made its index.
    #[test]
    fn what_nothing_has_asked_for_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let access = dir.path().join("access");
        let imapd = format!(
            "IMAPDSTART=YES\nADDRESS=${{LANIP}}\nIMAPACCESSFILE={}\n\
             TCPDOPTS=\"-nodnslookup -block=zen.example.org\"\nDEFDOMAIN=@example.org\n\
             OUTBOX=.Outbox\nNEWS=1\nIMAP_UMASK=022\nMAILDIRPATH=$(date)\n",
            access.display()
        );
        fs::write(dir.path().join("imapd"), imapd).unwrap();
        let ssl = "d=/etc/ssl\nTLS_KEYS=$d/x\nTLS_CERTFILE=${x}/imapd.pem\nTLS_DHPARAMS='$y'\n";
        fs::write(dir.path().join("imapd-ssl"), ssl).unwrap();
        let fates = || {
            let proposal = propose(dir.path()).unwrap();
            let notes = proposal.notes.iter();
            let bad = notes.filter(|n| matches!(n.fate, Fate::Missing | Fate::Blocks));
            let told: Vec<_> = bad.map(|n| (n.setting.clone(), n.fate)).collect();
            (told, proposal.text().unwrap())
        };
        let (told, text) = fates();
        for (setting, fate) in [
            ("ADDRESS", Fate::Blocks),
            ("MAILDIRPATH", Fate::Blocks),
            ("NEWS", Fate::Missing),
            ("OUTBOX", Fate::Missing),
            ("TCPDOPTS", Fate::Blocks),
            ("TLS_CERTFILE", Fate::Blocks),
            ("TLS_KEYS", Fate::Missing),
        ] {
            assert!(
                told.contains(&(setting.to_owned(), fate)),
                "{setting}: {told:?}"
            );
        }
        let is_told = |told: &[(String, Fate)], name: &str| told.iter().any(|(s, _)| s == name);
        assert!(!is_told(&told, "IMAPACCESSFILE") && !is_told(&told, "TLS_DHPARAMS"));
        for line in ["imap = 127.0.0.1:143", "default_domain = example.org"] {
            assert!(text.lines().any(|l| l == line), "{line}:\n{text}");
        }
        assert!(!text.contains("certificate ="), "{text}");
        fs::write(dir.path().join("access.dat"), "").unwrap();
        assert!(is_told(&fates().0, "IMAPACCESSFILE"));
    }

    /// Accounts of the system are asked for only where Courier did.
    #[test]
    fn without_a_module_of_the_system_nobody_gets_in() {
        for (list, backend, count) in [
            ("authpam", "backend = pam", 0),
            ("authuserdb authshadow", "backend = pam", 1),
            ("authuserdb", "backend = passwd-file", 2),
            ("authmysql authcustom", "backend = passwd-file", 2),
        ] {
            let auth = format!("authmodulelist=\"{list}\"\n");
            let (lines, blocks) = of("IMAPDSTART=YES\n", &auth);
            assert!(lines.iter().any(|l| l == backend), "{list}: {lines:#?}");
            assert_eq!(blocks.len(), count, "{list}: {blocks:?}");
        }
    }
}
