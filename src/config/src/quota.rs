//! Which limits hold for an account.

use crate::model::Config;
use roost_types::QuotaLimits;

impl Config {
    /// The limits of `account`: its own section before what the account file
    /// told, and that before what holds for all. `None` where nothing is set:
    /// then the limits are those in the Maildir's `maildirsize`, as Courier
    /// has it.
    pub fn quota_of(&self, account: &str, told: Option<QuotaLimits>) -> Option<QuotaLimits> {
        let own = self.users.get(account);
        let storage = own.and_then(|own| own.quota_storage);
        let messages = own.and_then(|own| own.quota_messages);
        let general = QuotaLimits {
            storage: self.quota.storage,
            messages: self.quota.messages.into(),
        };
        let is_set = storage.is_some() || messages.is_some() || told.is_some();
        let base = told.unwrap_or(general);
        (is_set || !general.is_none()).then(|| QuotaLimits {
            storage: storage.unwrap_or(base.storage),
            messages: messages.map_or(base.messages, u64::from),
        })
    }

    /// How many mailboxes `account` may have; 0: no limit.
    pub fn max_mailboxes_of(&self, account: &str) -> u32 {
        if self.inbox_only_of(account) {
            return 1;
        }
        let own = self.users.get(account).and_then(|own| own.max_mailboxes);
        own.unwrap_or(self.limits.max_mailboxes)
    }

    /// Whether `account` has INBOX alone.
    pub fn inbox_only_of(&self, account: &str) -> bool {
        let own = self.users.get(account).and_then(|own| own.inbox_only);
        own.unwrap_or(self.limits.inbox_only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn limits(storage: u64, messages: u64) -> Option<QuotaLimits> {
        Some(QuotaLimits { storage, messages })
    }

    #[test]
    fn the_nearest_limit_holds() {
        let text = "[quota]\nstorage = 2K\nmessages = 7\n\
            [user ann]\nquota_storage = 0\n[user bob]\nquota_messages = 3\nmax_mailboxes = 9\n\
            [limits]\nmax_mailboxes = 50\n";
        let config = Config::parse(text.as_bytes(), Path::new("test.conf")).unwrap();
        assert_eq!(config.quota_of("joe", None), limits(2048, 7));
        assert_eq!(config.quota_of("joe", limits(0, 5)), limits(0, 5));
        assert_eq!(config.quota_of("ann", None), limits(0, 7));
        assert_eq!(config.quota_of("bob", limits(1, 5)), limits(1, 3));
        assert_eq!(config.max_mailboxes_of("joe"), 50);
        assert_eq!(config.max_mailboxes_of("bob"), 9);
        assert!(!config.inbox_only_of("joe"));
        let text = "[user bob]\nmax_mailboxes = 9\ninbox_only = no\n\
            [limits]\ninbox_only = yes\nmax_mailboxes = 50\n";
        let config = Config::parse(text.as_bytes(), Path::new("test.conf")).unwrap();
        assert_eq!(config.max_mailboxes_of("joe"), 1);
        assert_eq!(config.max_mailboxes_of("bob"), 9);
        assert!(config.inbox_only_of("joe") && !config.inbox_only_of("bob"));
    }

    #[test]
    fn without_a_limit_the_files_hold() {
        let config = Config::parse(b"[user ann]\nquota_storage = 0\n", Path::new("test.conf"));
        let config = config.unwrap();
        assert_eq!(config.quota_of("joe", None), None);
        assert_eq!(config.quota_of("ann", None), limits(0, 0));
    }
}
