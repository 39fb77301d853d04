//! The supervisor's settings in the words of store and session.

use roost_ipc::{self as ipc, WorkerSetup};
use roost_session::{Settings, SharesHook, Tally};
use roost_store::{AccountOptions, Encoding, Fsync, Options, QuotaOptions};
use roost_types::MailboxName;
use std::sync::Arc;
use std::time::Duration;

/// What new sessions are made with. The store itself keeps the options that
/// the worker began with: its mailboxes are shared with sessions from before.
#[derive(Clone)]
pub struct Setup {
    pub session: Arc<Settings>,
    pub account: AccountOptions,
    pub idle_timeout: Duration,
    pub worker_idle: Duration,
}

impl Setup {
    pub fn new(setup: &WorkerSetup, shares: SharesHook, tally: Arc<Tally>) -> Self {
        let session = Settings {
            separator: setup.mail.separator,
            prefix: setup.mail.prefix.clone(),
            max_message_size: unlimited(setup.limits.max_message_size),
            max_bad_commands: setup.limits.max_bad_commands,
            sees_non_mail: setup.mail.sees_non_mail,
            own_seen: setup.mail.own_seen,
            hide_hidden: setup.mail.hide_hidden,
            admin: setup.admin.clone(),
            comment: setup.comment.clone(),
            running_interval: Some(setup.limits.running_interval).filter(|i| !i.is_zero()),
            public: setup.mail.public,
            shares: Some(shares),
            tally,
            certificate_dir: setup.mail.certificate_dir.clone(),
            ..Settings::default()
        };
        let special_use_names = setup
            .mail
            .special_use
            .iter()
            .filter_map(|(special, name)| Some((*special, mailbox(session.separator, name)?)))
            .collect();
        let initial_subscriptions = setup
            .mail
            .initial_subscriptions
            .iter()
            .filter_map(|name| mailbox(session.separator, name))
            .collect();
        Self {
            session: Arc::new(session),
            account: AccountOptions {
                directory_encoding: encoding(setup.mail.directory_encoding),
                special_use_names,
                initial_subscriptions,
                // Each session's message has its own.
                index_dir: None,
                quota: QuotaOptions::default(),
            },
            idle_timeout: setup.limits.idle_timeout,
            worker_idle: setup.limits.worker_idle,
        }
    }

    /// The session's settings, with what is the account's own.
    pub fn session_settings(&self, message: &ipc::Session) -> Arc<Settings> {
        if message.max_message_size.is_none() && message.sees_non_mail.is_none() {
            return self.session.clone();
        }
        let general = &*self.session;
        Arc::new(Settings {
            max_message_size: (message.max_message_size)
                .map_or(general.max_message_size, unlimited),
            sees_non_mail: message.sees_non_mail.unwrap_or(general.sees_non_mail),
            ..general.clone()
        })
    }
}

pub fn store_options(setup: &WorkerSetup) -> Options {
    Options {
        fsync: match setup.mail.fsync {
            ipc::Fsync::Always => Fsync::Always,
            ipc::Fsync::Optimized => Fsync::Optimized,
            ipc::Fsync::Never => Fsync::Never,
        },
        inotify: setup.mail.inotify,
        poll_interval: setup.mail.poll_interval,
        max_message_size: unlimited(setup.limits.max_message_size),
        has_media: setup.mail.mark_media.then_some(roost_session::has_media),
        default_domain: setup.mail.default_domain.clone().map(Into::into),
        ..Options::default()
    }
}

pub fn quota(quota: &ipc::Quota) -> QuotaOptions {
    QuotaOptions {
        limits: quota.limits,
        max_mailboxes: quota.max_mailboxes,
        inbox_only: quota.inbox_only,
        count_trash: quota.count_trash,
        alert_percent: quota.alert_percent,
    }
}

/// A configured name; one that cannot be a mailbox is left out with a word.
fn mailbox(separator: char, text: &str) -> Option<MailboxName> {
    match MailboxName::parse(text, separator) {
        Ok(name) => Some(name),
        Err(e) => {
            log::error!("setting names mailbox `{text}`: {e}");
            None
        }
    }
}

fn encoding(configured: ipc::DirectoryEncoding) -> Encoding {
    match configured {
        ipc::DirectoryEncoding::Mutf7 => Encoding::Mutf7,
        ipc::DirectoryEncoding::Utf8 => Encoding::Utf8,
        ipc::DirectoryEncoding::Detect => Encoding::Detect,
    }
}

/// 0 stands for no limit in the configuration.
fn unlimited(limit: u64) -> u64 {
    match limit {
        0 => u64::MAX,
        limit => limit,
    }
}
