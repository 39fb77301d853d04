//! One passdb or userdb.
//!
//! What must stay true: none of its settings is passed over. One that is not
//! understood may be all that keeps somebody out.

use super::super::doveconf::{Block, is_yes};
use super::super::proposal::{Fate, Proposal};

/// What a passdb or userdb block says, in either version's words.
pub struct Database<'a> {
    pub block: &'a Block,
    pub driver: &'a str,
    /// 2.3's `args`, word by word.
    pub words: Vec<&'a str>,
}

impl<'a> Database<'a> {
    pub fn all(whole: &'a Block, kind: &'a str) -> Vec<Self> {
        whole.blocks(kind).map(Self::of).collect()
    }

    fn of(block: &'a Block) -> Self {
        let args = block.get("args").unwrap_or_default();
        Self {
            block,
            driver: block.get("driver").unwrap_or(&block.name),
            words: args.split_whitespace().collect(),
        }
    }

    /// `passdb pam`
    pub fn setting(&self) -> String {
        format!("{} {}", self.block.kind, self.driver)
    }

    /// 2.4's names have the block's kind before them, or not.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        let whole = self.block.get(&format!("{}_{key}", self.block.kind));
        self.block.get(key).or(whole)
    }

    pub fn is(&self, key: &str) -> bool {
        self.get(key).is_some_and(is_yes)
    }

    /// What nothing has asked for. Whether all of it changes nothing; what may
    /// let others in, or show other mail, is told.
    pub fn conditions(&self, proposal: &mut Proposal) -> bool {
        let prefix = format!("{}_", self.block.kind);
        let settings = self.block.rest().into_iter();
        let fields = self.block.all_blocks().flat_map(|inner| {
            let inner_name = inner.kind.as_str();
            let rest = inner.rest().into_iter();
            rest.map(move |(k, v)| (inner_name, format!("{k}={v}")))
        });
        let all = settings.map(|(k, v)| (k, v.to_owned())).chain(fields);
        let mut free = true;
        for (key, value) in all {
            let short = key.strip_prefix(&prefix).unwrap_or(key);
            if value.is_empty() || harmless(short, &value) {
                continue;
            }
            free = false;
            let text = match self.block.kind.as_str() {
                // No values, which may be passwords.
                "passdb" => {
                    "Roost would let in whom this keeps out, and does not ask here: fields belong \
                     into the lines of the passwd-file, and [auth] backend is yours to set"
                }
                _ => "not looked at here: fields belong into the lines of the passwd-file",
            };
            proposal.note(&format!("{} {short}", self.setting()), Fate::Blocks, text);
        }
        free
    }

    /// A field that this database gives to all accounts: 2.4's `fields`.
    pub fn field(&self, key: &str) -> Option<&'a str> {
        let is_fields = |b: &&Block| matches!(b.kind.as_str(), "fields" | "userdb_fields");
        let mut blocks = self.block.all_blocks().filter(is_fields);
        blocks.find_map(|block| block.get(key))
    }

    /// The passwd-file that it names.
    pub fn file(&self) -> Option<&'a str> {
        self.get("passwd_file_path").or(self.last())
    }

    /// The form of the names in it.
    pub fn name_format(&self) -> Option<&'a str> {
        let newer = self.block.get("auth_username_format");
        self.word("username_format").or(newer)
    }

    /// `key=value` among the words.
    pub fn word(&self, key: &str) -> Option<&'a str> {
        let mut values = self.words.iter().filter_map(|w| w.split_once('='));
        values.find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// The last word that is no `key=value`.
    pub fn last(&self) -> Option<&'a str> {
        let plain = |word: &&&str| word.starts_with('/') || !word.contains('=');
        self.words.iter().rev().find(plain).copied()
    }
}

/// Settings of a passdb or userdb without consequence, and values that are
/// Dovecot's defaults.
fn harmless(key: &str, value: &str) -> bool {
    match key {
        "name" | "auth_verbose" | "use_worker" | "use_cache" => true,
        // Told with the file.
        "passwd_file_path"
        | "default_password_scheme"
        | "default_pass_scheme"
        | "auth_username_format" => true,
        "skip" => value == "never",
        "result_success" => value == "return-ok",
        "result_failure" | "result_internalfail" => value == "continue",
        "deny" | "master" | "pass" => !is_yes(value),
        _ => false,
    }
}
