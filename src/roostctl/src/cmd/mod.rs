//! The commands, one file each.

mod acl;
mod alert;
mod auth;
mod check;
mod config;
mod each;
mod export;
mod import;
mod kick;
mod mail;
mod maintain;
mod property;
mod quota;
mod rebuild;
mod reindex;
mod sessions;
mod stats;
mod top;
mod trace;
mod tunnel;
mod user;
mod who;

use clap::Subcommand;

use crate::Failure;
use crate::args::Common;

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Compares Maildir, sidecars and index, and says what disagrees
    Check {
        /// Mend what can be mended without loss; what is damaged is set aside,
        /// not deleted
        #[arg(long)]
        fix: bool,
        /// The mailboxes (default: all)
        #[arg(value_name = "MAILBOX")]
        mailboxes: Vec<String>,
    },
    /// What an account holds of what it may
    Quota {
        #[command(subcommand)]
        action: quota::Action,
    },
    /// Moves in from Dovecot or Courier: looks, and changes nothing of theirs
    #[command(subcommand)]
    Import(import::Import),
    /// Makes what another server needs that takes the mail back
    Export(export::Export),
    /// Throws Roost's index away and builds it anew
    Reindex {
        /// The mailboxes (default: all)
        #[arg(value_name = "MAILBOX")]
        mailboxes: Vec<String>,
    },
    /// Shows and changes mailboxes
    #[command(subcommand)]
    Mailbox(mail::Mailbox),
    /// Finds messages
    Search(mail::Search),
    /// Prints what messages are, or one as it is
    Fetch(mail::Fetch),
    /// Changes the flags of messages
    #[command(subcommand)]
    Flags(mail::Flags),
    /// Moves messages to another mailbox
    Move(mail::Move),
    /// Deletes messages, those that are found and no others
    Expunge(mail::Expunge),
    /// Shows what is known of accounts
    #[command(subcommand)]
    User(user::User),
    /// Tries passwords
    #[command(subcommand)]
    Auth(auth::Auth),
    /// Shows and checks the configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Speaks IMAP on standard input and output, logged in already
    Tunnel,
    /// Shows who is connected and what they do
    Who {
        /// Only where the account has this in it, address or state begin with
        /// it, or it is the ID
        filter: Option<String>,
    },
    /// Shows who is connected and what they do, on the whole screen and always new
    Top,
    /// Shows what the server does and has done
    Stats {
        /// In Prometheus' text format
        #[arg(long)]
        prometheus: bool,
    },
    /// Shows texts to clients
    #[command(subcommand)]
    Alert(alert::Alert),
    /// Logs the protocol of an account's sessions; without an account, shows
    /// which ones are traced
    Trace(trace::Trace),
    /// Ends connections
    Kick {
        /// The account, or an ID as `who` shows it
        #[arg(value_name = "USER|ID")]
        target: String,
    },
    /// Shows and changes who may do what with mailboxes
    #[command(subcommand)]
    Acl(acl::Acl),
    /// Shows and changes own names that stand for mailboxes of others
    #[command(subcommand)]
    Alias(property::Alias),
    /// Shows and changes what mailboxes are for
    #[command(subcommand)]
    Class(property::Class),
    /// Shows and changes which mailboxes can only be read; for root
    #[command(subcommand)]
    Lock(property::Lock),
}

impl Command {
    /// Does it; returns the exit code.
    pub fn run(&self, common: &Common) -> Result<u8, Failure> {
        match self {
            Self::Check { fix, mailboxes } => check::run(common, *fix, mailboxes),
            Self::Acl(acl) => acl::run(common, acl),
            Self::Alias(alias) => property::alias(common, alias),
            Self::Class(class) => property::class(common, class),
            Self::Lock(lock) => property::lock(common, lock),
            Self::Export(export) => export::run(common, export),
            Self::Import(import) => import::run(common, import),
            Self::Quota { action } => quota::run(common, action),
            Self::Mailbox(command) => mail::mailbox(common, command),
            Self::Search(args) => mail::search(common, args),
            Self::Fetch(args) => mail::fetch(common, args),
            Self::Flags(command) => mail::flags(common, command),
            Self::Move(args) => mail::move_to(common, args),
            Self::Expunge(args) => mail::expunge(common, args),
            Self::User(command) => user::run(common, command),
            Self::Auth(command) => auth::run(common, command),
            Self::Config(command) => config::run(common, command),
            Self::Tunnel => tunnel::run(common),
            Self::Who { filter } => who::run(common, filter.as_deref()),
            Self::Top => top::run(common),
            Self::Stats { prometheus } => stats::run(common, *prometheus),
            Self::Alert(alert) => alert::run(common, alert),
            Self::Trace(trace) => trace::run(common, trace),
            Self::Kick { target } => kick::run(common, target),
            Self::Reindex { mailboxes } => reindex::run(common, mailboxes),
        }
    }
}
