//! `roostctl config`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Subcommand;
use roost_config::{Config as Settings, Setting};

use crate::args::{Common, DEFAULT_CONFIG};
use crate::out::print;
use crate::table::{Cell, PLAIN, Table};
use crate::{Failure, account, exit};

#[derive(Subcommand, Debug)]
pub enum Config {
    /// Shows what is set, and where
    Show {
        /// Only what the file sets
        #[arg(long)]
        set: bool,
        /// Only keys of this section, or of this name
        #[arg(value_name = "SECTION|KEY")]
        names: Vec<String>,
    },
    /// Looks for errors, as roostd -t does
    Check,
    /// Prints a file with every key and its default
    Defaults,
}

const SHOW: &[&str] = &["section", "key", "value", "file", "line"];
const CHECK: &[&str] = &["file", "line", "problem"];

pub fn run(common: &Common, command: &Config) -> Result<u8, Failure> {
    match command {
        Config::Show { set, names } => show(common, *set, names),
        Config::Check => check(common),
        Config::Defaults => {
            common.no_table()?;
            print(&Settings::sample());
            Ok(exit::OK)
        }
    }
}

fn file(common: &Common) -> PathBuf {
    let path = common.config.clone();
    path.unwrap_or_else(|| DEFAULT_CONFIG.into())
}

fn show(common: &Common, only_set: bool, names: &[String]) -> Result<u8, Failure> {
    // What is wrong with it is told first.
    account::config(common)?;
    let path = file(common);
    let contents = match std::fs::read(&path) {
        Ok(contents) => contents,
        // Without a file the defaults hold, as account::config says.
        Err(_) if common.config.is_none() => Vec::new(),
        Err(e) => {
            let text = format!("{}: {e}", path.display());
            return Err(Failure::new(exit::NOINPUT, text));
        }
    };
    let is_named = |setting: &Setting, name: &str| {
        let word = setting.section.split(' ').next().unwrap_or_default();
        [word, setting.section.as_str(), setting.key.as_str()].contains(&name)
    };
    let settings = Settings::settings(&contents);
    let unknown = |name: &&String| !settings.iter().any(|setting| is_named(setting, name));
    if let Some(name) = names.iter().find(unknown) {
        let text = format!("there is no section and no key {name}");
        return Err(Failure::new(exit::USAGE, text));
    }
    let mut table = Table::new(common.json, SHOW);
    let mut section = None;
    for setting in settings {
        let meant = names.is_empty() || names.iter().any(|name| is_named(&setting, name));
        if !meant || only_set && setting.line.is_none() {
            continue;
        }
        if !common.json && section.as_ref() != Some(&setting.section) {
            if section.is_some() {
                table.heading(PLAIN, "");
            }
            table.heading(PLAIN, &format!("[{}]", setting.section));
            section = Some(setting.section.clone());
        }
        let place = match setting.line {
            Some(line) => format!("    # {}:{line}", path.display()),
            None => String::new(),
        };
        let line = format!("{} = {}{place}", setting.key, setting.value);
        let cells = [
            Cell::Text(setting.section),
            Cell::Text(setting.key),
            Cell::Text(setting.value),
            match setting.line {
                Some(_) => Cell::Text(path.display().to_string()),
                None => Cell::None,
            },
            setting.line.map_or(Cell::None, |n| Cell::Number(n as u64)),
        ];
        table.row(line.trim_end(), &cells);
    }
    table.end();
    Ok(exit::OK)
}

fn check(common: &Common) -> Result<u8, Failure> {
    let path = file(common);
    let mut table = Table::new(common.json, CHECK);
    let mut code = exit::OK;
    match Settings::load(&path) {
        Err(errors) => {
            code = exit::CONFIG;
            for error in errors {
                let cells = [
                    Cell::Text(error.file.display().to_string()),
                    error.line.map_or(Cell::None, |n| Cell::Number(n as u64)),
                    Cell::Text(error.message.clone()),
                ];
                table.row(&error.to_string(), &cells);
            }
        }
        // Certificates and what else is outside the file.
        Ok(_) => {
            for problem in beyond(&path)? {
                code = exit::CONFIG;
                let cells = [Cell::None, Cell::None, Cell::Text(problem.clone())];
                table.row(&problem, &cells);
            }
        }
    }
    table.end();
    Ok(code)
}

/// What roostd has to say of a file that is well in itself.
fn beyond(path: &Path) -> Result<Vec<String>, Failure> {
    let mut command = Command::new(roostd());
    command.arg("-t").arg("-c").arg(path).stdin(Stdio::null());
    let failed = |e| Failure::new(exit::UNAVAILABLE, format!("roostd cannot be asked: {e}"));
    let output = command.output().map_err(failed)?;
    if output.status.success() {
        return Ok(Vec::new());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        lines.push(format!("roostd -t: {}", output.status));
    }
    Ok(lines)
}

/// Beside this program, or where the package has it, or else in the path.
fn roostd() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let beside = own.with_file_name("roostd");
    let sbin = own.parent().and_then(Path::parent);
    let sbin = sbin.map(|prefix| prefix.join("sbin/roostd"));
    let there = std::iter::once(beside).chain(sbin);
    let mut there = there.filter(|path| path.exists());
    there.next().unwrap_or_else(|| "roostd".into())
}
