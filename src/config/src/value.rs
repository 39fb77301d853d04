//! From the text of a value to what it means.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use roost_accounts::PathTemplate;
use roost_types::{IpNet, MailboxName};

use crate::hint;
use crate::keys::Kind;

/// The most elements of any list.
const MAX_LIST: usize = 10_000;
/// Only a fault in the table of keys.
const WRONG_KIND: &str = "value of another kind expected";

type Parsed<T> = Result<T, String>;

pub(crate) fn boolean(text: &str, _: Kind) -> Parsed<bool> {
    match text {
        "yes" | "true" | "on" => Ok(true),
        "no" | "false" | "off" => Ok(false),
        _ => Err("`yes` or `no` expected".into()),
    }
}

pub(crate) fn integer(text: &str, kind: Kind) -> Parsed<u32> {
    let Kind::Integer { min, max } = kind else {
        return Err(WRONG_KIND.into());
    };
    let value = digits(text).filter(|n| (min..=max).contains(n));
    value
        .and_then(|n| u32::try_from(n).ok())
        .ok_or_else(|| format!("a number from {min} to {max} expected"))
}

fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// `None` for `never`, where that is allowed.
pub(crate) fn optional_duration(text: &str, kind: Kind) -> Parsed<Option<Duration>> {
    let Kind::Duration {
        min_secs,
        max_secs,
        never,
    } = kind
    else {
        return Err(WRONG_KIND.into());
    };
    if never && text == "never" {
        return Ok(None);
    }
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let millis: u64 = match unit.trim_start() {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
    let range = Duration::from_secs(min_secs)..=Duration::from_secs(max_secs);
    let value = digits(number).filter(|_| millis > 0 && !number.is_empty());
    value
        .and_then(|n| n.checked_mul(millis))
        .map(Duration::from_millis)
        .filter(|d| range.contains(d))
        .map(Some)
        .ok_or_else(|| {
            let or_never = if never { " or `never`" } else { "" };
            format!(
                "a time such as `500ms`, `15s`, `30m`, `2h`, `1d` from {min_secs}s to {max_secs}s{or_never} expected"
            )
        })
}

pub(crate) fn duration(text: &str, kind: Kind) -> Parsed<Duration> {
    optional_duration(text, kind)?.ok_or_else(|| WRONG_KIND.into())
}

pub(crate) fn size(text: &str, kind: Kind) -> Parsed<u64> {
    let Kind::Size { min, max } = kind else {
        return Err(WRONG_KIND.into());
    };
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "K" | "KB" | "KiB" => 1 << 10,
        "M" | "MB" | "MiB" => 1 << 20,
        "G" | "GB" | "GiB" => 1 << 30,
        _ => 0,
    };
    let value = digits(number).filter(|_| factor > 0 && !number.is_empty());
    value
        .and_then(|n| n.checked_mul(factor))
        .filter(|n| (min..=max).contains(n))
        .ok_or_else(|| {
            format!("a size such as `64K`, `50M`, `1G` from {min} to {max} bytes expected")
        })
}

pub(crate) fn choice(text: &str, kind: Kind) -> Parsed<&'static str> {
    let (Kind::Choice(allowed) | Kind::Choices(allowed)) = kind else {
        return Err(WRONG_KIND.into());
    };
    let found = allowed.iter().copied().find(|a| *a == text);
    found.ok_or_else(|| match hint::nearest(text, allowed.iter().copied()) {
        Some(near) => format!("unknown value `{text}`: did you mean `{near}`?"),
        None => format!(
            "unknown value `{text}`: one of {} expected",
            allowed.join(", ")
        ),
    })
}

pub(crate) fn choices(text: &str, kind: Kind) -> Parsed<Vec<&'static str>> {
    let chosen = list(text, ',').map(|word| choice(word, kind));
    let chosen = chosen.collect::<Parsed<Vec<_>>>()?;
    if chosen.is_empty() {
        return Err("at least one is needed".into());
    }
    match twice(&chosen) {
        Some(word) => Err(format!("`{word}` stands there twice")),
        None => Ok(chosen),
    }
}

pub(crate) fn path(text: &str, _: Kind) -> Parsed<PathBuf> {
    if text.starts_with('/') {
        Ok(PathBuf::from(text))
    } else {
        Err("a path that begins with `/` expected".into())
    }
}

pub(crate) fn optional_path(text: &str, kind: Kind) -> Parsed<Option<PathBuf>> {
    if text.is_empty() {
        Ok(None)
    } else {
        path(text, kind).map(Some)
    }
}

pub(crate) fn maildir(text: &str, _: Kind) -> Parsed<PathTemplate> {
    PathTemplate::parse(text).map_err(|e| e.to_string())
}

pub(crate) fn optional_home(text: &str, kind: Kind) -> Parsed<Option<PathTemplate>> {
    let home = optional_maildir(text, kind)?;
    if home.as_ref().is_some_and(PathTemplate::needs_home) {
        return Err("a path that begins with / expected".into());
    }
    Ok(home)
}

pub(crate) fn optional_maildir(text: &str, kind: Kind) -> Parsed<Option<PathTemplate>> {
    if text.is_empty() {
        Ok(None)
    } else {
        maildir(text, kind).map(Some)
    }
}

pub(crate) fn addresses(text: &str, _: Kind) -> Parsed<Vec<SocketAddr>> {
    let parse = |word: &str| {
        word.parse().map_err(|_| {
            format!("`{word}` is not ADDRESS:PORT such as `0.0.0.0:143` or `[::]:143`")
        })
    };
    limited(list(text, ',').map(parse))
}

pub(crate) fn networks(text: &str, _: Kind) -> Parsed<Vec<IpNet>> {
    let parse = |word: &str| {
        word.parse().map_err(|_| {
            format!("`{word}` is not a network such as `192.0.2.0/24` or `2001:db8::/32`")
        })
    };
    limited(list(text, ',').map(parse))
}

pub(crate) fn words(text: &str, _: Kind) -> Parsed<Vec<String>> {
    limited(
        text.split(|c: char| c == ',' || c.is_whitespace())
            .filter(|w| !w.is_empty())
            .map(|w| Ok(w.to_owned())),
    )
}

/// The levels are split later, when the separator is known.
pub(crate) fn mailbox_names(text: &str, _: Kind) -> Parsed<Vec<String>> {
    limited(list(text, ',').map(|name| Ok(name.to_owned())))
}

pub(crate) fn text(text: &str, _: Kind) -> Parsed<String> {
    Ok(text.to_owned())
}

pub(crate) fn uri(text: &str, _: Kind) -> Parsed<String> {
    let scheme = |s: &str| {
        s.starts_with(|c: char| c.is_ascii_alphabetic())
            && s.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    let good = (text.split_once(':')).is_some_and(|(s, rest)| scheme(s) && !rest.is_empty())
        && text.bytes().all(|b| b.is_ascii_graphic());
    match good || text.is_empty() {
        true => Ok(text.to_owned()),
        false => Err("a URI expected, such as `mailto:postmaster@example.org`, or nothing".into()),
    }
}

pub(crate) fn word(text: &str, _: Kind) -> Parsed<String> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c == '/' || c == ':') {
        return Err("one word expected".into());
    }
    Ok(text.to_owned())
}

pub(crate) fn optional_word(text: &str, kind: Kind) -> Parsed<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    word(text, kind).map(Some)
}

/// A host or domain name in ASCII (RFC 1123 §2.1), made small.
pub(crate) fn domain(text: &str, _: Kind) -> Parsed<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if text.len() <= 253 && text.split('.').all(label) {
        Ok(Some(text.to_ascii_lowercase()))
    } else {
        Err(format!("`{text}` is not a host or domain name"))
    }
}

/// A name that can be a mailbox when split at `separator`.
pub(crate) fn check_mailbox(name: &str, separator: char) -> Parsed<()> {
    MailboxName::parse(name, separator)
        .map(|_| ())
        .map_err(|e| format!("`{name}`: {e}"))
}

/// syslog's number of a facility (RFC 5424 §6.2.1).
pub(crate) fn facility(name: &str) -> u8 {
    match name {
        "user" => 1,
        "daemon" => 3,
        "auth" => 4,
        "authpriv" => 10,
        "local0" => 16,
        "local1" => 17,
        "local2" => 18,
        "local3" => 19,
        "local4" => 20,
        "local5" => 21,
        "local6" => 22,
        "local7" => 23,
        _ => 2,
    }
}

fn list(text: &str, separator: char) -> impl Iterator<Item = &str> {
    text.split(separator)
        .map(str::trim)
        .filter(|w| !w.is_empty())
}

fn limited<T>(values: impl Iterator<Item = Parsed<T>>) -> Parsed<Vec<T>> {
    let values = values.take(MAX_LIST + 1).collect::<Parsed<Vec<T>>>()?;
    if values.len() > MAX_LIST {
        return Err(format!("more than {MAX_LIST} values"));
    }
    Ok(values)
}

/// The first that stands there twice.
pub(crate) fn twice<T: PartialEq + Copy>(values: &[T]) -> Option<T> {
    let mut rest = values;
    while let Some((first, behind)) = rest.split_first() {
        if behind.contains(first) {
            return Some(*first);
        }
        rest = behind;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Kind = Kind::Duration {
        min_secs: 1,
        max_secs: 86_400,
        never: true,
    };
    const SIZE: Kind = Kind::Size {
        min: 1024,
        max: 1 << 32,
    };

    #[test]
    fn times_have_units() {
        let secs = |n| Ok(Some(Duration::from_secs(n)));
        for (text, expected) in [
            ("15s", secs(15)),
            ("15", secs(15)),
            ("30m", secs(1800)),
            ("2 h", secs(7200)),
            ("1d", secs(86_400)),
            ("1500ms", Ok(Some(Duration::from_millis(1500)))),
            ("never", Ok(None)),
        ] {
            assert_eq!(optional_duration(text, TIME), expected, "{text}");
        }
        for bad in [
            "",
            "s",
            "0",
            "2d",
            "-1s",
            "5 weeks",
            "1h30m",
            "999999999999999999999s",
        ] {
            assert!(optional_duration(bad, TIME).is_err(), "{bad}");
        }
        let always = Kind::Duration {
            min_secs: 0,
            max_secs: 9,
            never: false,
        };
        assert!(duration("never", always).is_err());
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, expected) in [
            ("1024", 1024),
            ("64K", 65_536),
            ("50M", 52_428_800),
            ("4 GiB", 1 << 32),
        ] {
            assert_eq!(size(text, SIZE), Ok(expected), "{text}");
        }
        for bad in ["", "M", "1023", "5G", "1.5M", "10X", "99999999999999999999"] {
            assert!(size(bad, SIZE).is_err(), "{bad}");
        }
    }

    #[test]
    fn lists() {
        assert_eq!(
            addresses("0.0.0.0:143, [::]:143", Kind::Addresses)
                .unwrap()
                .len(),
            2
        );
        assert_eq!(addresses("", Kind::Addresses), Ok(vec![]));
        assert!(addresses("143", Kind::Addresses).is_err());
        assert!(addresses("localhost:143", Kind::Addresses).is_err());
        assert!(networks("10.0.0.0/33", Kind::Networks).is_err());
        assert_eq!(
            words("a, b c,,d", Kind::Words).unwrap(),
            ["a", "b", "c", "d"]
        );
        assert_eq!(
            mailbox_names("My Mail, b", Kind::MailboxNames).unwrap(),
            ["My Mail", "b"]
        );
        assert!(words(&"x ".repeat(MAX_LIST + 1), Kind::Words).is_err());
        let both = Kind::Choices(&["pam", "passwd-file"]);
        assert_eq!(
            choices("passwd-file,pam", both).unwrap(),
            ["passwd-file", "pam"]
        );
        assert!(choices("pam, pam", both).is_err());
        assert!(choices("", both).is_err());
        assert!(
            choices("passwd_file", both)
                .unwrap_err()
                .contains("`passwd-file`?")
        );
    }

    #[test]
    fn names_of_hosts() {
        assert_eq!(
            domain("Mail.Example.ORG", Kind::Domain),
            Ok(Some("mail.example.org".into()))
        );
        assert_eq!(domain("", Kind::Domain), Ok(None));
        for bad in ["a..b", "-a", "a b", "ü.example", &"a.".repeat(200)] {
            assert!(domain(bad, Kind::Domain).is_err(), "{bad}");
        }
    }
}
