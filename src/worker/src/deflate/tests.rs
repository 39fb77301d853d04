//! Against flate2 as the client.

use super::inflate::STEP;
use super::{Corrupt, Deflate, Inflate};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use proptest::prelude::*;

/// What a client sends with one flush.
fn compressed(client: &mut Compress, plain: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = plain;
    loop {
        out.reserve(64);
        let before = client.total_in();
        client.compress_vec(rest, &mut out, flush).unwrap();
        rest = &rest[usize::try_from(client.total_in() - before).unwrap()..];
        if rest.is_empty() && out.len() < out.capacity() {
            return out;
        }
    }
}

/// All that comes of `input`, taken in steps.
fn inflated(inflate: &mut Inflate, mut input: &[u8]) -> Result<Vec<u8>, Corrupt> {
    let mut out = Vec::new();
    loop {
        let taken = inflate.step(input)?;
        input = &input[taken..];
        assert!(inflate.fresh().len() < STEP + 258);
        if inflate.fresh().is_empty() {
            assert!(input.is_empty());
            return Ok(out);
        }
        out.extend_from_slice(inflate.fresh());
    }
}

/// The same by flate2; what came before an error counts.
fn reference(input: &[u8]) -> (Vec<u8>, bool) {
    let mut decoder = Decompress::new(false);
    let mut out = Vec::new();
    loop {
        out.reserve(4096);
        let at = usize::try_from(decoder.total_in()).unwrap();
        let before = out.len();
        match decoder.decompress_vec(&input[at..], &mut out, FlushDecompress::None) {
            Err(_) => return (out, false),
            Ok(Status::StreamEnd) => return (out, true),
            Ok(_) if out.len() < out.capacity() && out.len() == before => return (out, true),
            Ok(_) => {}
        }
    }
}

/// What flate2 finds damaged is so here too. Here some damage is seen sooner:
/// then nothing that follows makes it right there either.
fn same_as_reference(wire: &[u8]) -> Result<(), TestCaseError> {
    let (expected, valid) = reference(wire);
    match inflated(&mut Inflate::default(), wire) {
        Ok(got) => prop_assert!(valid && got == expected),
        Err(Corrupt) if valid => {
            let longer = [wire, &[0; 400]].concat();
            prop_assert!(!reference(&longer).1);
        }
        Err(Corrupt) => {}
    }
    Ok(())
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "FETCH ", "1:* ", "(FLAGS)", "a", "\r\n", "UID ", "SELECT ", "INBOX",
    ]);
    let words = prop::collection::vec(words, 0..40).prop_map(|w| w.concat().into_bytes());
    let noise = prop::collection::vec(any::<u8>(), 0..300);
    let run = (any::<u8>(), 0usize..70_000).prop_map(|(b, n)| vec![b; n]);
    prop_oneof![6 => words, 3 => noise, 1 => run]
}

fn flush() -> impl Strategy<Value = FlushCompress> {
    prop::sample::select(vec![
        FlushCompress::None,
        FlushCompress::Partial,
        FlushCompress::Sync,
        FlushCompress::Full,
    ])
}

/// A dynamic block that has one code for lengths, of one bit.
#[test]
fn a_single_code_for_lengths_is_damage() {
    let wire = [0x04, 0, 0, 0x04];
    assert!(!reference(&wire).1);
    assert!(inflated(&mut Inflate::default(), &wire).is_err());
}

proptest! {
    #[test]
    fn what_a_client_sends_is_read_however_it_arrives(
        pieces in prop::collection::vec((text(), flush()), 1..12),
        level in 0u32..10,
        cuts in prop::collection::vec((1usize..200, any::<bool>()), 1..20),
    ) {
        let mut client = Compress::new(Compression::new(level), false);
        let plain: Vec<u8> = pieces.iter().flat_map(|(text, _)| text.clone()).collect();
        let mut wire = Vec::new();
        for (text, flush) in &pieces {
            wire.extend(compressed(&mut client, text, *flush));
        }
        wire.extend(compressed(&mut client, b"", FlushCompress::Sync));
        let mut inflate = Inflate::default();
        let (mut rest, mut got) = (&wire[..], Vec::new());
        for (n, idle) in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*n).min(rest.len()));
            got.extend(inflated(&mut inflate, now).unwrap());
            rest = later;
            if *idle {
                inflate.rest();
                prop_assert!(inflate.memory() <= got.len().min(32 << 10));
            }
        }
        prop_assert!(got == plain, "{} of {} octets", got.len(), plain.len());
    }

    #[test]
    fn damage_is_seen_as_flate2_sees_it(
        plain in text(),
        level in 0u32..10,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut client = Compress::new(Compression::new(level), false);
        let mut wire = compressed(&mut client, &plain, FlushCompress::Sync);
        for (at, value) in damage {
            let at = at.index(wire.len());
            wire[at] = value;
        }
        same_as_reference(&wire)?;
    }

    #[test]
    fn noise_ends_nothing_but_the_stream(wire in prop::collection::vec(any::<u8>(), 0..400)) {
        same_as_reference(&wire)?;
    }

    #[test]
    fn a_client_reads_what_is_sent_between_rests(
        pieces in prop::collection::vec((text(), any::<bool>()), 1..12),
    ) {
        let mut deflate = Deflate::default();
        let mut client = Decompress::new(false);
        for (text, idle) in &pieces {
            let mut wire = Vec::new();
            deflate.write(text, &mut wire).unwrap();
            // Each piece can be read without the next.
            let mut got = Vec::with_capacity(text.len() + 1);
            let before = client.total_in();
            while client.total_in() - before < wire.len() as u64 {
                let at = usize::try_from(client.total_in() - before).unwrap();
                client.decompress_vec(&wire[at..], &mut got, FlushDecompress::Sync).unwrap();
            }
            prop_assert!(&got == text, "{} of {} octets", got.len(), text.len());
            if *idle {
                deflate.rest();
            }
        }
    }
}

#[test]
fn a_bomb_comes_in_small_steps() {
    let mut client = Compress::new(Compression::best(), false);
    let wire = compressed(&mut client, &vec![b'x'; 16 << 20], FlushCompress::Sync);
    assert!(wire.len() < 32 << 10);
    let mut inflate = Inflate::default();
    let (mut rest, mut total, mut most) = (&wire[..], 0, 0);
    loop {
        let taken = inflate.step(rest).unwrap();
        rest = &rest[taken..];
        if inflate.fresh().is_empty() {
            break;
        }
        total += inflate.fresh().len();
        most = most.max(inflate.memory());
    }
    assert_eq!(total, 16 << 20);
    assert!(most <= 256 << 10, "{most}");
}

#[test]
fn behind_its_end_a_stream_has_nothing() {
    let mut client = Compress::new(Compression::fast(), false);
    let mut wire = Vec::with_capacity(100);
    client
        .compress_vec(b"a LOGOUT\r\n", &mut wire, FlushCompress::Finish)
        .unwrap();
    wire.extend_from_slice(b"more");
    let mut inflate = Inflate::default();
    assert_eq!(inflated(&mut inflate, &wire).unwrap(), b"a LOGOUT\r\n");
    assert!(inflate.is_over());
}

#[test]
fn an_idle_connection_keeps_what_it_was_sent_and_no_more() {
    let mut client = Compress::new(Compression::fast(), false);
    let mut inflate = Inflate::default();
    for i in 0..50 {
        let command = format!("a{i} UID FETCH {i}:* (FLAGS)\r\n");
        let wire = compressed(&mut client, command.as_bytes(), FlushCompress::Partial);
        inflated(&mut inflate, &wire).unwrap();
    }
    inflate.rest();
    assert!(inflate.memory() < 2048, "{}", inflate.memory());
    let mut deflate = Deflate::default();
    deflate.write(b"* OK\r\n", &mut Vec::new()).unwrap();
    deflate.rest();
    assert!(deflate.compressor.is_none());
}
