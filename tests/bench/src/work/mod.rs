//! The workloads. Each makes its accounts, measures its rows on every server
//! in turns, and lets the answers be compared.

mod append;
mod body;
mod copy;
mod fetch;
mod foreign;
mod idle;
mod login;
mod million;
mod mixed;
mod notify;
mod open;
mod qresync;
mod search;
mod selected;
mod store;

use crate::bench::Bench;
use crate::error::{Result, fail};

pub type Workload = fn(&mut Bench) -> Result<()>;

/// In the order in which they run.
pub const ALL: &[(&str, Workload)] = &[
    ("login", login::run),
    ("open", open::run),
    ("fetch", fetch::run),
    ("body", body::run),
    ("foreign", foreign::run),
    ("search", search::run),
    ("store", store::run),
    ("copy", copy::run),
    ("append", append::run),
    ("notify", notify::run),
    ("mixed", mixed::run),
    ("idle", idle::run),
    ("selected", selected::run),
    ("qresync", qresync::run),
    ("million", million::run),
];

/// Those of `names`, or all of them.
pub fn wanted(names: &[String]) -> Result<Vec<(&'static str, Workload)>> {
    if let Some(unknown) = names.iter().find(|n| !ALL.iter().any(|(a, _)| a == n)) {
        return fail(format!("no workload {unknown}; --list names them"));
    }
    Ok(ALL
        .iter()
        .filter(|(name, _)| names.is_empty() || names.iter().any(|n| n == name))
        .copied()
        .collect())
}

/// `10,000` for titles.
fn count(n: usize) -> String {
    let text = n.to_string();
    let mut out = String::new();
    for (at, c) in text.chars().enumerate() {
        if at > 0 && (text.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}
