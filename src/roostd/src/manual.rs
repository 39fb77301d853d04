//! roostd(8) and the completion, compared with the definition of the command
//! line. `ROOST_WRITE_DOCS=1` has the test write the completion's words.

use std::collections::BTreeSet;

use clap::CommandFactory;

use crate::args::Args;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
const BEGIN: &str = "    # BEGIN options\n";
const END: &str = "    # END options\n";

/// `-c` and `--config`.
fn options() -> BTreeSet<String> {
    let mut program = Args::command();
    program.build();
    let mut names = BTreeSet::new();
    for argument in program.get_arguments() {
        names.extend(argument.get_long().map(|long| format!("--{long}")));
        names.extend(argument.get_short().map(|short| format!("-{short}")));
    }
    names
}

#[test]
fn the_completion_has_every_option() {
    let path = format!("{ROOT}packaging/completions/roostd");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (there, after) = rest.split_once(END).unwrap();
    let words: Vec<_> = options().into_iter().collect();
    let wanted = format!("    local words='{}'\n", words.join(" "));
    if std::env::var_os("ROOST_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
    } else {
        assert!(there == wanted, "differs: run this with ROOST_WRITE_DOCS=1");
    }
}

#[test]
fn the_manual_has_every_option() {
    let page = std::fs::read_to_string(format!("{ROOT}man/roostd.8")).unwrap();
    let headings = page.lines().filter_map(|line| line.strip_prefix(".It Fl "));
    let there: BTreeSet<String> = headings
        .flat_map(|line| line.split([' ', ',']))
        .filter(|word| !["", "Fl", "Ar"].contains(word))
        .filter(|word| word.starts_with('-') || word.len() == 1)
        .map(|word| format!("-{word}"))
        .collect();
    assert_eq!(there, options());
}
