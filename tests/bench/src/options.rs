//! The command line.

use crate::error::{Result, fail};
use std::path::PathBuf;

pub const HELP: &str = "\
roost-bench [OPTIONS]: Roost and Dovecot under the same load

  --only NAME[,NAME]  these workloads alone (--list names them)
  --quick             2,000 messages and two rounds
  --rounds N          rounds of each workload
  --messages N        messages in the ordinary mailbox (10,000); the large one
                      has ten, the largest a hundred times as many
  --servers LIST      of roost, dovecot (tuned), default; all three by default
  --output FILE       writes the table there too
  --dir DIR           where mail is kept; every user must be able to reach it
  --keep              leaves the servers' mail and logs behind
  --list              names of the workloads
";

#[derive(Debug, Clone)]
pub struct Options {
    pub only: Vec<String>,
    pub quick: bool,
    pub rounds: Option<usize>,
    pub messages: usize,
    pub servers: Vec<String>,
    pub output: Option<PathBuf>,
    pub dir: Option<PathBuf>,
    pub keep: bool,
    pub list: bool,
}

impl Options {
    /// Rounds of a workload that wants `usual` of them.
    pub fn rounds(&self, usual: usize) -> usize {
        self.rounds
            .unwrap_or(if self.quick { usual.min(2) } else { usual })
    }
}

/// None where only help was asked for.
pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Options>> {
    let mut options = Options {
        only: Vec::new(),
        quick: false,
        rounds: None,
        messages: 0,
        servers: Vec::new(),
        output: None,
        dir: None,
        keep: false,
        list: false,
    };
    while let Some(arg) = args.next() {
        let mut value = || {
            args.next()
                .map_or_else(|| fail(format!("{arg} needs a value")), Ok)
        };
        match arg.as_str() {
            "--only" => options.only.extend(names(&value()?)),
            "--servers" => options.servers.extend(names(&value()?)),
            "--rounds" => options.rounds = Some(number(&arg, &value()?)?),
            "--messages" => options.messages = number(&arg, &value()?)?,
            "--output" => options.output = Some(value()?.into()),
            "--dir" => options.dir = Some(value()?.into()),
            "--quick" => options.quick = true,
            "--keep" => options.keep = true,
            "--list" => options.list = true,
            "--help" | "-h" => return Ok(None),
            _ => return fail(format!("unknown option {arg}; see --help")),
        }
    }
    if options.messages == 0 {
        options.messages = if options.quick { 2_000 } else { 10_000 };
    }
    Ok(Some(options))
}

fn names(list: &str) -> impl Iterator<Item = String> + '_ {
    list.split(',').filter(|n| !n.is_empty()).map(str::to_owned)
}

fn number(option: &str, value: &str) -> Result<usize> {
    match value.parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => fail(format!("{option} {value}: a number above 0 is needed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Options>> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_taken_or_refused() {
        let o = parsed("--quick --only fetch,store --rounds 4")
            .unwrap()
            .unwrap();
        assert_eq!(o.only, ["fetch", "store"]);
        assert_eq!((o.messages, o.rounds(5)), (2_000, 4));
        assert!(parsed("--help").unwrap().is_none());
        assert!(parsed("--rounds 0").is_err());
        assert!(parsed("--rounds").is_err());
        assert!(parsed("--nothing").is_err());
    }
}
