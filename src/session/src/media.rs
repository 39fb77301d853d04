//! Which messages are marked with `$Media` when they arrive.

use roost_message::{Content, Limits, Part, scan};
use std::io::{self, Read};

/// Whether the message, or a part of it at the top level, is sound or moving
/// pictures.
pub fn has_media(message: &mut dyn Read) -> io::Result<bool> {
    let root = scan(message, &Limits::DEFAULT)?.root;
    Ok(is_media(&root)
        || match &root.content {
            Content::Multipart(parts) => parts.iter().any(is_media),
            Content::Leaf | Content::Message(_) => false,
        })
}

fn is_media(part: &Part) -> bool {
    let media = part.media_type();
    let kinds: [&[u8]; 2] = [b"audio", b"video"];
    kinds
        .iter()
        .any(|kind| media.kind.eq_ignore_ascii_case(kind))
        || media.is(b"multipart", b"voice-message")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(message: &str) -> bool {
        has_media(&mut message.as_bytes()).unwrap()
    }

    #[test]
    fn parts_at_the_top_level_decide() {
        assert!(judged("Content-Type: Audio/ogg\n\nx\n"));
        assert!(judged("Content-Type: video/mp4; name=a\n\nx\n"));
        assert!(!judged("Content-Type: text/plain; name=audio/ogg\n\nx\n"));
        assert!(!judged("Subject: audio/ogg\n\nContent-Type: audio/ogg\n"));
        let mixed = |inner: &str| {
            format!(
                "Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\nContent-Type: {inner}\n--b--\n"
            )
        };
        assert!(judged(&mixed("audio/wav\n\nx")));
        assert!(judged(&mixed(
            "multipart/voice-message; boundary=c\n\n--c\n\nx\n--c--"
        )));
        assert!(!judged(&mixed("image/png\n\nx")));
        let deeper = "multipart/related; boundary=c\n\n--c\nContent-Type: audio/wav\n\nx\n--c--";
        assert!(!judged(&mixed(deeper)));
        assert!(!judged(&mixed(
            "message/rfc822\n\nContent-Type: audio/wav\n\nx"
        )));
        let voice = mixed("text/plain\n\nx").replace("mixed", "voice-message");
        assert!(judged(&voice));
    }
}
