//! Mail that is broken as mail is broken in the wild.

use super::{body, words};
use crate::rng::Rng;
use std::io::Write;

pub fn write(rng: &mut Rng, pool: &[u8], out: &mut Vec<u8>) {
    let boundary = body::boundary(rng);
    match rng.below(6) {
        0 => {
            // The last boundary never comes.
            let _ = write!(
                out,
                "Content-Type: multipart/mixed; boundary=\"{boundary}\"\n\n--{boundary}\n\
                 Content-Type: text/plain\n\n"
            );
            body::lines(rng, out, 1500, &words::ENGLISH);
        }
        1 => {
            out.extend_from_slice(b"Content-Type: multipart/mixed\n\n");
            body::lines(rng, out, 1500, &words::ENGLISH);
        }
        2 => {
            out.extend_from_slice(
                b"Content-Type: text/plain; charset=x-unknown\nContent-Transfer-Encoding: 9bit\n\n",
            );
            body::lines(rng, out, 1500, &words::GERMAN);
        }
        3 => {
            out.extend_from_slice(b"X-Raw: \xfcber \xe4lter\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\nGr\xfc\xdfe\n");
            body::lines(rng, out, 600, &words::ENGLISH);
        }
        4 => {
            // Base64 cut short, with letters that are none of it.
            out.extend_from_slice(
                b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n",
            );
            body::base64_lines(&pool[..4000], out);
            out.extend_from_slice(b"AA#!A\n=");
        }
        _ => {
            // No header at all but what the transport wrote, and an empty body.
            out.extend_from_slice(b"Content-Type:\nX-Empty:\n\n");
        }
    }
}
