//! Who may connect to Courier, and variables that nothing else has asked for.

use std::path::Path;

use super::super::proposal::{Fate, Proposal};
use super::shell::Shell;

/// Of Courier's own processes and files, or clients see the same without them.
const NEEDLESS: &[&str] = &[
    "authdaemonvar",
    "authmodulelistorig",
    "daemons",
    "subsystem",
    "COURIERTLS",
    "DEBUG_LOGIN",
    "HEADERFROM",
    "IMAP_CAPABILITY",
    "IMAP_CHECK_ALL_FOLDERS",
    "IMAP_DISABLETHREADSORT",
    "IMAP_EMPTYTRASH",
    "IMAP_ENHANCEDIDLE",
    "IMAP_IDLE_TIMEOUT",
    "IMAP_ACL",
    "IMAP_KEYWORDS",
    "IMAP_LOG_DELETIONS",
    "IMAP_MAILBOX_SANITY_CHECK",
    "IMAP_OBSOLETE_CLIENT",
    "IMAP_PROXY_FOREIGN",
    "IMAP_ULIMITD",
    "IMAP_USELOCKS",
    "IMAP_UTF8",
    "LOGGEROPTS",
    "MAILDIRPATH",
    "PIDFILE",
    "PRELOAD",
    "SENDMAIL",
    "SSLLOGGEROPTS",
    "SSLPIDFILE",
    "TLS_CACHE",
    "TLS_CIPHER_LIST",
    "TLS_COMPRESSION",
    "TLS_DHCERTFILE",
    "TLS_DHPARAMS",
    "TLS_KX_LIST",
    "TLS_STARTTLS_PROTOCOL",
    "TLS_TIMEOUT",
    "TLS_TRUSTCERTS",
    "TLS_TRUSTSERVERCERTS",
];

pub fn rest(proposal: &mut Proposal, shell: &Shell) {
    for (key, value) in shell.rest() {
        if NEEDLESS.iter().any(|beginning| key.starts_with(beginning)) {
            continue;
        }
        match shell.is_resolved(key) {
            true => {
                let text = "not known here: see whether something depends on it";
                proposal.note(key, Fate::Missing, text);
            }
            false => {
                let text =
                    format!("{value}: only a shell knows what that is: set it in roost.conf");
                proposal.note(key, Fate::Blocks, &text);
            }
        }
    }
}

/// Lists of addresses that may not connect.
pub fn access(proposal: &mut Proposal, folder: &Path, imapd: &Shell, ssl: &Shell) {
    const FILE: &str = "IMAPACCESSFILE";
    // couriertcpd reads the index that makeimapaccess makes.
    let index = imapd.get(FILE).map(|path| format!("{path}.dat"));
    let there = index.is_some_and(|path| Path::new(&path).exists());
    if there || folder.join("imapaccess.dat").exists() {
        let text = "addresses are not looked up there: let a firewall keep them out";
        proposal.note(FILE, Fate::Blocks, text);
    }
    for (shell, key) in [(imapd, "TCPDOPTS"), (ssl, "SSLTCPDOPTS")] {
        for option in shell.get(key).unwrap_or_default().split_whitespace() {
            let name = option.split('=').next().unwrap_or_default();
            match name {
                "-nodnslookup" | "-noidentlookup" | "-stderr" | "-stderrlogger"
                | "-stderrloggername" | "-user" | "-group" | "-pid" | "-listen" => {}
                _ => {
                    let text = format!("{name}: nothing asks it who may connect: let a firewall");
                    proposal.note(key, Fate::Blocks, &text);
                }
            }
        }
    }
}
