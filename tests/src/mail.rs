//! The mail that conversations and workloads use.

use std::path::PathBuf;

/// Messages by name: a number N gives N small messages, any other name the
/// file `tests/messages/NAME.eml`, with CRLF line ends.
pub fn named(name: &str) -> Result<Vec<Vec<u8>>, String> {
    if let Ok(n) = name.parse::<u32>() {
        return Ok((1..=n).map(small).collect());
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("messages")
        .join(format!("{name}.eml"));
    let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(vec![crlf(&bytes)])
}

/// The content of a script's `{{…}}`: `"text"` with `\r`, `\n`, `\0` and `\xHH`
/// (one octet) escapes, or one message by name.
pub fn inline(text: &str) -> Result<Vec<u8>, String> {
    if let Some(body) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        return Ok(unescape(body));
    }
    let number: Option<u32> = text.strip_prefix('m').and_then(|n| n.parse().ok());
    match number {
        Some(n) => Ok(small(n)),
        None => named(text).map(|m| m.concat()),
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next() {
                Some('r') => '\r',
                Some('n') => '\n',
                Some('0') => '\0',
                Some('x') => {
                    let digits: String = chars.by_ref().take(2).collect();
                    out.extend(u8::from_str_radix(&digits, 16));
                    continue;
                }
                Some(c) => c,
                None => break,
            },
            c => c,
        };
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    out
}

/// Message number `n` of the small ones.
pub fn small(n: u32) -> Vec<u8> {
    format!(
        "From: Sender {n} <sender{n}@example.org>\r\n\
         To: receiver@example.org\r\n\
         Subject: Message {n}\r\n\
         Date: Mon, {day} Jan 2024 09:00:00 +0000\r\n\
         Message-ID: <m{n}@example.org>\r\n\
         \r\n\
         This is body {n}.\r\n",
        day = n % 28 + 1
    )
    .into_bytes()
}

/// `text` with every lone LF as CRLF.
pub fn crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 32);
    let mut before = 0;
    for &b in text {
        if b == b'\n' && before != b'\r' {
            out.push(b'\r');
        }
        out.push(b);
        before = b;
    }
    out
}
