//! Dovecot's quota rules: `*:storage=1G:messages=1000`.

use crate::entry::LineError;
use roost_types::QuotaLimits;

/// The limits of a rule for the whole account; `None` for one about a single
/// mailbox, which nothing here has.
pub fn limits(rule: &str) -> Result<Option<QuotaLimits>, LineError> {
    let mut parts = rule.split(':');
    if parts.next() != Some("*") {
        return Ok(None);
    }
    let mut limits = QuotaLimits::default();
    for part in parts.filter(|part| !part.is_empty()) {
        if matches!(part, "ignore" | "noenforcing") {
            return Ok(Some(QuotaLimits::default()));
        }
        let (key, value) = part.split_once('=').ok_or(LineError::Quota)?;
        match key {
            "storage" => limits.storage = octets(value, 1024)?,
            "bytes" => limits.storage = octets(value, 1)?,
            "messages" => limits.messages = octets(value, 1)?,
            _ => return Err(LineError::Quota),
        }
    }
    Ok(Some(limits))
}

/// A number with Dovecot's units; `plain` is that of a bare one.
fn octets(text: &str, plain: u64) -> Result<u64, LineError> {
    let split = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let factor = match unit.to_ascii_uppercase().as_str() {
        "" => plain,
        "B" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return Err(LineError::Quota),
    };
    let number: u64 = number.parse().map_err(|_| LineError::Quota)?;
    let octets = number.checked_mul(factor);
    octets
        .filter(|&n| i64::try_from(n).is_ok())
        .ok_or(LineError::Quota)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_as_dovecot_reads_them() {
        let both = |storage, messages| Some(QuotaLimits { storage, messages });
        for (rule, expected) in [
            ("*:storage=1G", both(1 << 30, 0)),
            ("*:storage=100", both(102_400, 0)),
            ("*:bytes=100:messages=5", both(100, 5)),
            ("*:messages=2k", both(0, 2048)),
            ("*", both(0, 0)),
            ("*:storage=1G:ignore", both(0, 0)),
            ("Trash:storage=+10%", None),
        ] {
            assert_eq!(limits(rule), Ok(expected), "{rule}");
        }
        for rule in [
            "*:storage",
            "*:storage=x",
            "*:storage=10%",
            "*:foo=1",
            "*:bytes=99999999999T",
        ] {
            assert_eq!(limits(rule), Err(LineError::Quota), "{rule}");
        }
    }
}
