//! Where an account's files are.

use std::path::{Path, PathBuf};

use crate::model::Config;
use crate::{PathTemplate, TemplateError};

impl Config {
    /// The Maildir of `account`, whose name is as the server calls it: by the
    /// account's own section, else as the account file has `told`, else by
    /// `[mail]`.
    ///
    /// # Errors
    /// As [`PathTemplate::expand`], or when what was told is no template.
    pub fn maildir_of(
        &self,
        account: &str,
        home: &Path,
        told: Option<&str>,
    ) -> Result<PathBuf, TemplateError> {
        let own = self.users.get(account);
        match (own.and_then(|own| own.maildir.as_ref()), told) {
            (Some(own), _) => own.expand(account, home),
            (None, Some(text)) => PathTemplate::parse(text)?.expand(account, home),
            (None, None) => self.mail.maildir.expand(account, home),
        }
    }

    /// The account's index folder, unless that is in its Maildir.
    ///
    /// # Errors
    /// As [`PathTemplate::expand`].
    pub fn index_dir_of(
        &self,
        account: &str,
        home: &Path,
    ) -> Result<Option<PathBuf>, TemplateError> {
        let index = self.mail.index_dir.as_ref();
        index.map(|i| i.expand_own(account, home)).transpose()
    }
}
