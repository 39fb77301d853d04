//! roostctl(1) and the completion, compared with the definition of the command
//! line. `ROOST_WRITE_DOCS=1` has the test write the completion's words.

use std::collections::BTreeSet;
use std::fmt::Write;

use clap::{Command, CommandFactory};

use crate::args::Args;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
const BEGIN: &str = "    # BEGIN commands\n";
const END: &str = "    # END commands\n";

/// Every command with its path, as `acl list`; the program itself is "".
fn commands() -> Vec<(String, Command)> {
    let mut program = Args::command();
    program.build();
    let mut all = Vec::new();
    collect(&program, String::new(), &mut all);
    all
}

fn collect(command: &Command, path: String, all: &mut Vec<(String, Command)>) {
    for sub in command.get_subcommands().filter(|s| !s.is_hide_set()) {
        if sub.get_name() != "help" {
            let path = format!("{path} {}", sub.get_name());
            collect(sub, path.trim().to_owned(), all);
        }
    }
    all.push((path, command.clone()));
}

/// `--fix`, and `-u` where there is a short form.
fn options(command: &Command) -> BTreeSet<String> {
    let visible = command.get_arguments().filter(|a| !a.is_hide_set());
    let mut names = BTreeSet::new();
    for argument in visible {
        names.extend(argument.get_long().map(|long| format!("--{long}")));
        names.extend(argument.get_short().map(|short| format!("-{short}")));
    }
    names
}

fn is_leaf(command: &Command) -> bool {
    command.get_subcommands().next().is_none()
}

#[test]
fn the_completion_has_every_word() {
    let path = format!("{ROOT}packaging/completions/roostctl");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (there, after) = rest.split_once(END).unwrap();
    let mut wanted = String::new();
    for (path, command) in commands() {
        let subs = command.get_subcommands().filter(|s| !s.is_hide_set());
        let names = subs.map(|s| s.get_name().to_owned());
        let words: Vec<_> = names.chain(options(&command)).collect();
        writeln!(wanted, "    '{path}') echo '{}' ;;", words.join(" ")).unwrap();
    }
    if std::env::var_os("ROOST_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
    } else {
        assert!(there == wanted, "differs: run this with ROOST_WRITE_DOCS=1");
    }
}

/// The manual has a heading `.It Cm acl list …` for each command, with its
/// arguments, and no others; and each option, in the list of all or with its
/// command.
#[test]
fn the_manual_has_every_command() {
    let page = std::fs::read_to_string(format!("{ROOT}man/roostctl.1")).unwrap();
    let headings: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix(".It Cm "))
        .collect();
    let mut wanted = Vec::new();
    for (path, command) in commands() {
        if is_leaf(&command) {
            wanted.push(heading(&path, &command));
        }
    }
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let there = headings.iter().map(|&h| h.to_owned()).collect();
    assert_eq!(sorted(there), sorted(wanted));
    let general: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix(".It Fl "))
        .flat_map(|line| line.split([' ', ',']))
        .filter_map(|word| word.strip_prefix('-'))
        .map(|word| format!("--{word}"))
        .collect();
    let program: BTreeSet<String> = options(&Args::command())
        .into_iter()
        .filter(|name| name.starts_with("--"))
        .collect();
    let built_in = ["--help", "--version"].map(str::to_owned);
    assert_eq!(general, program.into_iter().chain(built_in).collect());
}

/// `acl rights Ar mailbox Ar account Op Fl -group Ar group ...`
fn heading(path: &str, command: &Command) -> String {
    let mut heading = path.to_owned();
    let general = options(&Args::command());
    for argument in command.get_arguments().filter(|a| !a.is_hide_set()) {
        let many = matches!(
            argument.get_action(),
            clap::ArgAction::Append | clap::ArgAction::Count
        );
        let dots = if many { " ..." } else { "" };
        let value = || argument.get_id().as_str().to_lowercase();
        let own = argument
            .get_value_names()
            .and_then(|names| names.first())
            .map_or_else(value, |name| name.to_lowercase());
        let text = match argument.get_long() {
            Some(long) if general.contains(&format!("--{long}")) || long == "help" => continue,
            Some("version") => continue,
            Some(long) if argument.is_required_set() => format!(" Fl -{long} Ar {own}{dots}"),
            Some(long) if argument.get_action().takes_values() => {
                format!(" Op Fl -{long} Ar {own}{dots}")
            }
            Some(long) => format!(" Op Fl -{long}"),
            None if argument.is_required_set() => format!(" Ar {own}{dots}"),
            None => format!(" Op Ar {own}{dots}"),
        };
        heading.push_str(&text);
    }
    heading
}
