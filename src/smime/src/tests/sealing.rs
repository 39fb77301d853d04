use super::{Holder, P256};
use crate::{Recipient, SealError, Sealed, Sealer};
use roost_types::UnixTime;
use std::io::{self, Read};
use std::sync::Arc;

fn recipient(holder: &Holder) -> Arc<Recipient> {
    Arc::new(Recipient::from_pem(&holder.pem(), UnixTime::now()).unwrap())
}

#[test]
fn pieces_make_no_difference() {
    let holder = Holder::new(P256);
    let recipient = recipient(&holder);
    let message = b"From: a\r\nX-Other: b\r\nSubject: c\r\n\r\nbody\r\n".repeat(3);
    for piece in [1, 7, 1000] {
        let mut sealer = Sealer::new(Arc::clone(&recipient), message.len() as u64);
        let mut out = Vec::new();
        for octets in message.chunks(piece) {
            sealer.write(octets, &mut out).unwrap();
        }
        let total = sealer.total().unwrap();
        sealer.finish(&mut out).unwrap();
        assert_eq!(out.len() as u64, total);
        assert_eq!(holder.decrypt(&out), message);
        let header = b"From: a\r\nSubject: c\r\nMIME-Version: 1.0\r\n";
        assert!(out.starts_with(header), "{piece}");
    }
}

/// A header without an end is taken as it is after a while, without the field
/// that is cut.
#[test]
fn endless_headers_are_not_collected() {
    let holder = Holder::new(P256);
    let message = [b"Subject: x\r\nFrom: ".as_slice(), &[b'a'; 300 << 10]].concat();
    let mut sealer = Sealer::new(recipient(&holder), message.len() as u64);
    let mut out = Vec::new();
    for octets in message.chunks(10_000) {
        sealer.write(octets, &mut out).unwrap();
    }
    sealer.finish(&mut out).unwrap();
    assert!(out.starts_with(b"Subject: x\r\nMIME-Version: "));
    assert_eq!(holder.decrypt(&out), message);
}

#[test]
fn another_size_than_announced_is_an_error() {
    let recipient = recipient(&Holder::new(P256));
    let message = b"Subject: x\r\n\r\nbody\r\n";
    let mut sealer = Sealer::new(Arc::clone(&recipient), 10);
    assert_eq!(sealer.write(message, &mut Vec::new()), Err(SealError::Size));
    let sealer = Sealer::new(Arc::clone(&recipient), 10);
    assert_eq!(sealer.finish(&mut Vec::new()), Err(SealError::Size));

    for size in [5, message.len() as u64 + 1] {
        let sealed = Sealed::new(Arc::clone(&recipient), &message[..], size);
        let read = sealed.and_then(|mut s| s.read_to_end(&mut Vec::new()));
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

/// A stream of any length goes through the same few buffers.
#[test]
fn memory_does_not_grow_with_the_message() {
    let size = 20 << 20;
    let source = io::repeat(b'x').take(size);
    let mut sealed = Sealed::new(recipient(&Holder::new(P256)), source, size).unwrap();
    let mut piece = [0; 1000];
    let mut read = 0;
    loop {
        let n = sealed.read(&mut piece).unwrap();
        if n == 0 {
            break;
        }
        read += n as u64;
        assert!(sealed.held() < 1 << 20, "{}", sealed.held());
    }
    assert_eq!(read, sealed.size());
}
