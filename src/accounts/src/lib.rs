//! Who an account is by its name: login names in their one spelling, and the
//! lines of the account file, and the paths that are made of a name.
//!
//! The process that checks passwords and the tool that looks after mail must
//! find the same account under the same name; so both read it here. Nothing
//! here checks a password.

#![forbid(unsafe_code)]

mod entry;
mod lines;
mod name;
mod quota;
mod scheme;
mod template;

pub use entry::{Defaults, Entry, Id, LineError};
pub use lines::Lines;
pub use name::{Domains, LoginName, MAX_NAME_LEN, NameError};
pub use quota::limits as quota_limits;
pub use scheme::{SCHEMES, knows_scheme, scheme_of};
pub use template::{PathTemplate, TemplateError};
