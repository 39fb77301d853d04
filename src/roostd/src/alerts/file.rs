//! The alerts' file: `ID KIND NAME POSTED TEXT` in each line, the name of one
//! for everybody being `-`.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use roost_ipc::{AlertKind, AlertRow};
use roost_os::{dir, file};

use super::{MAX_ALERTS, is_name, is_text};

pub const NAME: &str = "alerts";
const TEMPORARY: &str = "alerts.new";
/// The file with lines that are none, for whoever wants to look.
const DAMAGED: &str = "alerts.damaged";
/// Octets that are read: more than all alerts take.
const MAX_FILE: u64 = 4 << 20;

/// None where there is no file. A file with damaged lines gets a second name, to
/// be kept as it is, and true is returned; what is good in it counts.
pub fn read(dir: &Path) -> io::Result<(Vec<AlertRow>, bool)> {
    let path = dir.join(NAME);
    let input = match fs::File::open(&path) {
        Ok(input) => input,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), false)),
        Err(error) => return Err(error),
    };
    let lines = BufReader::new(input.take(MAX_FILE)).split(b'\n');
    let lines = lines.collect::<io::Result<Vec<_>>>()?;
    let good: Vec<_> = lines.iter().filter_map(|line| parse(line)).collect();
    let damaged = lines.len() - good.len();
    if damaged > 0 {
        let aside = dir.join(DAMAGED);
        log::error!(
            "{}: {damaged} damaged lines; the file is set aside as {}",
            path.display(),
            aside.display()
        );
        set_aside(&path, &aside)?;
    }
    let good = good.into_iter().take(MAX_ALERTS).collect();
    Ok((good, damaged > 0))
}

/// The first name stays until the good lines take its place.
fn set_aside(path: &Path, aside: &Path) -> io::Result<()> {
    match fs::remove_file(aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::hard_link(path, aside),
    }
}

fn parse(line: &[u8]) -> Option<AlertRow> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.splitn(5, ' ');
    let mut next = || words.next();
    let (id, kind, name, posted, text) = (next()?, next()?, next()?, next()?, next()?);
    let kind = AlertKind::ALL.iter().find(|k| k.name() == kind)?;
    let name = match kind {
        AlertKind::Server => (name == "-").then_some("")?,
        AlertKind::Account | AlertKind::Domain => is_name(name).then_some(name)?,
    };
    Some(AlertRow {
        id: id.parse().ok()?,
        kind: *kind,
        name: name.to_owned(),
        posted: posted.parse().ok()?,
        text: is_text(text).then(|| text.to_owned())?,
    })
}

pub fn text<'a>(alerts: impl Iterator<Item = &'a AlertRow>) -> String {
    let mut text = String::new();
    for alert in alerts {
        let name = match alert.kind {
            AlertKind::Server => "-",
            AlertKind::Account | AlertKind::Domain => &alert.name,
        };
        let (id, kind, posted) = (alert.id, alert.kind.name(), alert.posted);
        text.push_str(&format!("{id} {kind} {name} {posted} {}\n", alert.text));
    }
    text
}

pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let (name, temporary) = (NAME.as_bytes(), TEMPORARY.as_bytes());
    file::replace(
        dir::open(path)?,
        name,
        temporary,
        0o600,
        text.as_bytes(),
        true,
    )
}
