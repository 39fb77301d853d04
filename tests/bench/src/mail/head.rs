//! Message headers up to Content-Type, which comes with the body.

use super::{Sent, words};
use crate::maildir::EPOCH;
use crate::rng::Rng;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;

/// The header of message `n`, and what answers to it need.
pub fn write(rng: &mut Rng, n: usize, parent: Option<&Sent>) -> (Vec<u8>, Sent) {
    let mut out = String::with_capacity(3000);
    let (from, address) = person(rng);
    let date = date(EPOCH + 3600 * n as u64, rng);
    let domain = address.split_once('@').map_or("example.org", |a| a.1);
    let id = format!("<{:016x}.{n}@{domain}>", rng.next());
    let _ = writeln!(out, "Return-Path: <{address}>");
    transport(rng, domain, &date, &mut out);
    let _ = writeln!(out, "Date: {date}\nFrom: {from} <{address}>");
    let receivers = if rng.chance(80) {
        1
    } else {
        rng.between(2, 12)
    };
    people(rng, "To", receivers, &mut out);
    if rng.chance(25) {
        let count = rng.between(1, 6);
        people(rng, "Cc", count, &mut out);
    }
    if rng.chance(10) {
        let _ = writeln!(out, "Reply-To: <reply+{n}@{domain}>");
    }
    let subject = match parent {
        Some(p) if rng.chance(90) => reply_subject(rng, &p.subject),
        _ => subject(rng),
    };
    let _ = writeln!(out, "Subject: {}", encoded(&subject, rng));
    let _ = writeln!(out, "Message-ID: {id}");
    let references = parent.map(chain).unwrap_or_default();
    if let Some(p) = parent {
        let _ = writeln!(out, "In-Reply-To: {}", p.id);
        let _ = writeln!(out, "References: {}", references.join("\n "));
    }
    extras(rng, domain, n, &mut out);
    out.push_str("MIME-Version: 1.0\n");
    let sent = Sent {
        id,
        subject,
        references,
    };
    (out.into_bytes(), sent)
}

/// A parent's references and the parent itself, the oldest dropped.
fn chain(parent: &Sent) -> Vec<String> {
    let mut all = parent.references.clone();
    all.push(parent.id.clone());
    let from = all.len().saturating_sub(20);
    all.split_off(from)
}

fn transport(rng: &mut Rng, domain: &str, date: &str, out: &mut String) {
    for hop in 0..rng.between(1, 4) {
        let _ = writeln!(
            out,
            "Received: from relay{hop}.{domain} (relay{hop}.{domain} [192.0.2.{}])\n\
             \tby mx{hop}.example.org (Postfix) with ESMTPS id {:012X}\n\
             \tfor <me@example.org>; {date}",
            rng.below(250),
            rng.next() >> 16
        );
    }
    if rng.chance(70) {
        let _ = writeln!(
            out,
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d={domain}; s=mail;\n\
             \tt={}; bh={};\n\th=From:To:Subject:Date:Message-ID:Content-Type;",
            EPOCH,
            token(rng, 32)
        );
        for lead in ["\tb=", "\t ", "\t "] {
            let _ = writeln!(out, "{lead}{}", token(rng, 54));
        }
    }
}

fn extras(rng: &mut Rng, domain: &str, n: usize, out: &mut String) {
    if rng.chance(15) {
        let _ = writeln!(
            out,
            "List-Id: <talk.{domain}>\nList-Post: <mailto:talk@{domain}>\n\
             List-Unsubscribe: <mailto:talk-leave@{domain}>,\n <https://{domain}/leave/{n}>\n\
             Precedence: list"
        );
    }
    if rng.chance(60) {
        let _ = writeln!(out, "User-Agent: Mailer {}.{}", rng.below(20), rng.below(9));
    }
    if rng.chance(8) {
        let _ = writeln!(out, "X-Priority: {}", rng.between(1, 5));
    }
    if rng.chance(65) {
        let _ = writeln!(
            out,
            "X-Spam-Status: No, score=-{}.{} required=5.0 tests=BAYES_00,\n\
             \tDKIM_SIGNED,DKIM_VALID,SPF_PASS autolearn=ham\n\
             X-Spam-Level: \nX-Virus-Scanned: by scanner at mx.example.org",
            rng.below(5),
            rng.below(10)
        );
    }
}

pub fn token(rng: &mut Rng, octets: usize) -> String {
    let bytes: Vec<u8> = (0..octets).map(|_| rng.below(256) as u8).collect();
    STANDARD.encode(bytes)
}

fn person(rng: &mut Rng) -> (String, String) {
    let name = rng.pick(&words::PEOPLE);
    let local: String = name
        .chars()
        .filter(char::is_ascii_alphabetic)
        .map(|c| c.to_ascii_lowercase())
        .take(8)
        .collect();
    let address = format!("{local}{}@{}", rng.below(60), rng.pick(&words::DOMAINS));
    let shown = if !name.is_ascii() {
        format!("=?UTF-8?B?{}?=", STANDARD.encode(name))
    } else if name.contains([',', '\'']) {
        format!("\"{name}\"")
    } else {
        name.to_owned()
    };
    (shown, address)
}

fn people(rng: &mut Rng, field: &str, count: usize, out: &mut String) {
    let all: Vec<_> = (0..count)
        .map(|_| {
            let (name, address) = person(rng);
            format!("{name} <{address}>")
        })
        .collect();
    let _ = writeln!(out, "{field}: {}", all.join(",\n\t"));
}

fn subject(rng: &mut Rng) -> String {
    let count = rng.between(2, 8);
    let list: &[&str] = match rng.below(100) {
        0..=79 => &words::ENGLISH,
        80..=91 => &words::GERMAN,
        92..=95 => &words::RUSSIAN,
        _ => &words::JAPANESE,
    };
    let words: Vec<_> = (0..count).map(|_| rng.pick(list)).collect();
    words.join(" ")
}

fn reply_subject(rng: &mut Rng, of: &str) -> String {
    if of.starts_with("Re: ") && rng.chance(90) {
        return of.to_owned();
    }
    let lead = rng.pick(&["Re: ", "Re: ", "Re: ", "RE: ", "Fwd: ", "AW: "]);
    format!("{lead}{of}")
}

/// As it stands where it is ASCII, else in encoded words of either kind.
fn encoded(subject: &str, rng: &mut Rng) -> String {
    if subject.is_ascii() {
        return subject.to_owned();
    }
    let quoted = rng.chance(50);
    let words: Vec<_> = subject
        .split(' ')
        .collect::<Vec<_>>()
        .chunks(3)
        .enumerate()
        .map(|(n, chunk)| {
            // The space between encoded words does not count: it goes inside.
            let lead = if n == 0 { "" } else { " " };
            let text = format!("{lead}{}", chunk.join(" "));
            if quoted {
                format!("=?utf-8?Q?{}?=", q_encoded(&text))
            } else {
                format!("=?UTF-8?B?{}?=", STANDARD.encode(text))
            }
        })
        .collect();
    words.join("\n ")
}

fn q_encoded(text: &str) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        match b {
            b' ' => out.push('_'),
            b if b.is_ascii_alphanumeric() => out.push(char::from(b)),
            b => {
                let _ = write!(out, "={b:02X}");
            }
        }
    }
    out
}

/// A date of RFC 5322, in one of the usual zones.
fn date(at: u64, rng: &mut Rng) -> String {
    let (zone, seconds) = [
        ("+0000", 0i64),
        ("+0100", 3600),
        ("-0500", -18000),
        ("+0900", 32400),
    ][rng.below(4)];
    let local = at.saturating_add_signed(seconds);
    let days = local / 86400;
    let names = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let (year, month, day) = civil(days as i64);
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    format!(
        "{}, {day} {} {year} {:02}:{:02}:{:02} {zone}",
        names[(days % 7) as usize],
        months[(month - 1) as usize],
        local / 3600 % 24,
        local / 60 % 60,
        local % 60
    )
}

/// Year, month and day of a day since 1970 (Howard Hinnant's algorithm).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month, doy - (153 * mp + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_676), (2023, 11, 15));
        let mut rng = Rng::new(0);
        let zulu = (0..50)
            .map(|_| date(1_700_000_000, &mut rng))
            .find(|d| d.ends_with("+0000"));
        assert_eq!(zulu.as_deref(), Some("Tue, 14 Nov 2023 22:13:20 +0000"));
    }
}
