//! Bodies that are as they should be.

use super::{head, words};
use crate::rng::Rng;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::Write;

/// About `octets` of text in lines of mail's usual length.
pub fn lines(rng: &mut Rng, out: &mut Vec<u8>, octets: usize, list: &[&str]) {
    let end = out.len() + octets;
    let mut column = 0;
    while out.len() < end {
        let word = if rng.below(50_000) == 0 {
            words::RARE
        } else {
            rng.pick(list)
        };
        out.extend_from_slice(word.as_bytes());
        column += word.len() + 1;
        if column > 68 {
            out.push(b'\n');
            column = 0;
            if rng.chance(6) {
                out.push(b'\n');
            }
        } else {
            out.push(b' ');
        }
    }
    out.push(b'\n');
}

fn text_size(rng: &mut Rng) -> usize {
    rng.size(1800, 2.6, 120_000)
}

pub fn plain(rng: &mut Rng, out: &mut Vec<u8>) {
    let size = text_size(rng);
    match rng.below(10) {
        0..=5 => {
            out.extend_from_slice(
                b"Content-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: 7bit\n\n",
            );
            lines(rng, out, size, &words::ENGLISH);
        }
        6..=7 => {
            out.extend_from_slice(
                b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n",
            );
            lines(rng, out, size, &words::GERMAN);
        }
        8 => {
            out.extend_from_slice(b"Content-Type: text/plain; charset=\"UTF-8\"; format=flowed\nContent-Transfer-Encoding: quoted-printable\n\n");
            let mut text = Vec::new();
            lines(rng, &mut text, size, &words::GERMAN);
            quoted_printable(&text, out);
        }
        _ => {
            out.extend_from_slice(
                b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n",
            );
            let mut text = Vec::new();
            let list: &[&str] = if rng.chance(50) {
                &words::RUSSIAN
            } else {
                &words::JAPANESE
            };
            lines(rng, &mut text, size, list);
            base64_lines(&text, out);
        }
    }
}

pub fn alternative(rng: &mut Rng, out: &mut Vec<u8>) {
    let boundary = boundary(rng);
    let _ = write!(
        out,
        "Content-Type: multipart/alternative; boundary=\"{boundary}\"\n\n"
    );
    alternatives(rng, &boundary, out);
}

fn alternatives(rng: &mut Rng, boundary: &str, out: &mut Vec<u8>) {
    let mut text = Vec::new();
    let size = text_size(rng);
    let list: &[&str] = if rng.chance(70) {
        &words::ENGLISH
    } else {
        &words::GERMAN
    };
    lines(rng, &mut text, size, list);
    let _ = write!(
        out,
        "--{boundary}\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: quoted-printable\n\n"
    );
    quoted_printable(&text, out);
    let _ = write!(
        out,
        "\n--{boundary}\nContent-Type: text/html; charset=utf-8\n\
         Content-Transfer-Encoding: quoted-printable\n\n"
    );
    quoted_printable(&html(&text), out);
    let _ = write!(out, "\n--{boundary}--\n");
}

fn html(text: &[u8]) -> Vec<u8> {
    let mut out = b"<html><head><meta charset=\"utf-8\"></head><body>\n".to_vec();
    for line in text.split(|&b| b == b'\n') {
        out.extend_from_slice(b"<p style=\"margin: 0px; font-family: sans-serif\">");
        out.extend_from_slice(line);
        out.extend_from_slice(b"</p>\n");
    }
    out.extend_from_slice(b"</body></html>\n");
    out
}

pub fn newsletter(rng: &mut Rng, out: &mut Vec<u8>) {
    let mut text = Vec::new();
    let size = rng.size(12_000, 2.0, 90_000);
    lines(rng, &mut text, size, &words::ENGLISH);
    out.extend_from_slice(b"Content-Type: text/html; charset=\"utf-8\"\nContent-Transfer-Encoding: quoted-printable\n\n");
    quoted_printable(&html(&text), out);
}

pub fn attachments(rng: &mut Rng, pool: &[u8], out: &mut Vec<u8>) {
    let (outer, inner) = (boundary(rng), boundary(rng));
    let _ = write!(
        out,
        "Content-Type: multipart/mixed;\n boundary=\"{outer}\"\n\nThis is a message of several \
         parts in MIME format.\n--{outer}\nContent-Type: multipart/alternative;\n boundary=\"{inner}\"\n\n"
    );
    alternatives(rng, &inner, out);
    for n in 0..if rng.chance(75) { 1 } else { rng.between(2, 5) } {
        attachment(rng, pool, &outer, n, out);
    }
    let _ = write!(out, "\n--{outer}--\n");
}

fn attachment(rng: &mut Rng, pool: &[u8], outer: &str, n: usize, out: &mut Vec<u8>) {
    let kinds = [
        ("application/pdf", "pdf"),
        ("image/jpeg", "jpg"),
        ("image/png", "png"),
        (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "docx",
        ),
    ];
    let (kind, ending) = kinds[rng.below(kinds.len())];
    let name = rng.pick(&words::ENGLISH);
    let file = if rng.chance(15) {
        format!("filename*=utf-8''%C3%9Cbersicht%20{n}.{ending}")
    } else {
        format!("filename=\"{name}-{n}.{ending}\"")
    };
    let size = rng.size(45_000, 3.0, 2_000_000).min(pool.len() - 1);
    let from = rng.below(pool.len() - size);
    let _ = write!(
        out,
        "\n--{outer}\nContent-Type: {kind};\n name=\"{name}-{n}.{ending}\"\n\
         Content-Transfer-Encoding: base64\nContent-Disposition: attachment;\n {file};\n size={size}\n\
         Content-ID: <part{n}.{}>\n\n",
        head::token(rng, 6)
    );
    base64_lines(&pool[from..from + size], out);
}

pub fn forward(rng: &mut Rng, n: usize, out: &mut Vec<u8>) {
    let outer = boundary(rng);
    let _ = write!(
        out,
        "Content-Type: multipart/mixed; boundary={outer}\n\n--{outer}\nContent-Type: text/plain\n\n"
    );
    lines(rng, out, 400, &words::ENGLISH);
    let _ = write!(
        out,
        "\n--{outer}\nContent-Type: message/rfc822\nContent-Disposition: inline\n\n"
    );
    let (inside, _) = head::write(rng, n / 2, None);
    out.extend_from_slice(&inside);
    alternative(rng, out);
    let _ = write!(out, "\n--{outer}--\n");
}

pub fn boundary(rng: &mut Rng) -> String {
    format!("----=_Part_{}_{:x}", rng.below(99_999), rng.next())
}

pub fn base64_lines(bytes: &[u8], out: &mut Vec<u8>) {
    let mut line = [0; 76];
    for chunk in bytes.chunks(57) {
        if let Ok(n) = STANDARD.encode_slice(chunk, &mut line) {
            out.extend_from_slice(&line[..n]);
            out.push(b'\n');
        }
    }
}

fn quoted_printable(text: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    for &b in text {
        if b == b'\n' {
            out.push(b);
            column = 0;
            continue;
        }
        if column > 72 {
            out.extend_from_slice(b"=\n");
            column = 0;
        }
        if b == b'=' || !(b' '..=b'~').contains(&b) {
            let _ = write!(out, "={b:02X}");
            column += 3;
        } else {
            out.push(b);
            column += 1;
        }
    }
}
