//! One message file opened for reading, decompressed where it is stored
//! compressed.

use flate2::read::MultiGzDecoder;
use roost_os::file;
use roost_types::UnixTime;
use ruzstd::decoding::StreamingDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Whether a file that begins so may be a compressed message.
pub(crate) fn looks_compressed(beginning: &[u8]) -> bool {
    beginning.starts_with(GZIP) || beginning.starts_with(ZSTD)
}

/// An open message. Reading goes on even when the message is expunged or
/// renamed meanwhile. Yields the bytes as stored (LF or CRLF line ends),
/// decompressed.
pub struct Message {
    source: Source,
    internal_date: UnixTime,
    save_date: UnixTime,
    stored_size: u64,
    raw_size: Option<u64>,
    /// Octets that decompression may still yield.
    left: u64,
}

enum Source {
    Plain(File),
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
    Zstd(Box<StreamingDecoder<BufReader<File>, ruzstd::decoding::FrameDecoder>>),
}

impl Message {
    /// `size` is what the name says (`,S=`): of a compressed message, its
    /// size before compression. Decompression may yield that much, and up to
    /// `limit` in any case.
    pub(crate) fn new(file: File, size: Option<u64>, limit: u64) -> io::Result<Self> {
        let stat = file::stat(&file)?;
        if !stat.is_file() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let source = Source::of(file, size == Some(stat.size))?;
        let plain = matches!(source, Source::Plain(_));
        Ok(Self {
            source,
            internal_date: UnixTime(stat.mtime_sec),
            save_date: UnixTime(stat.ctime_sec),
            stored_size: stat.size,
            raw_size: if plain { Some(stat.size) } else { size },
            // A size that is told wrong loses no mail.
            left: limit.max(size.unwrap_or(0)),
        })
    }

    /// INTERNALDATE: the file's modification time.
    pub fn internal_date(&self) -> UnixTime {
        self.internal_date
    }

    /// SAVEDATE: the file's change time (a rename may move it).
    pub fn save_date(&self) -> UnixTime {
        self.save_date
    }

    /// Octets the file takes, compressed or not.
    pub fn stored_size(&self) -> u64 {
        self.stored_size
    }

    /// Octets that reading will yield, where that is known without reading.
    pub fn raw_size(&self) -> Option<u64> {
        self.raw_size
    }

    /// Passes over the next `count` octets; costs nothing where the message
    /// is not compressed. Going beyond the end is no error.
    pub fn skip(&mut self, count: u64) -> io::Result<()> {
        if let Source::Plain(file) = &mut self.source {
            let count = i64::try_from(count).map_err(|_| io::ErrorKind::InvalidInput)?;
            file.seek(SeekFrom::Current(count))?;
            return Ok(());
        }
        io::copy(&mut self.take(count), &mut io::sink())?;
        Ok(())
    }
}

impl Source {
    /// A file as large as its name says is not compressed, whatever it begins
    /// with.
    fn of(mut file: File, is_plain: bool) -> io::Result<Self> {
        if is_plain {
            return Ok(Self::Plain(file));
        }
        let mut magic = [0; 4];
        let mut filled = 0;
        while let Some(room) = magic.get_mut(filled..).filter(|r| !r.is_empty()) {
            match file.read(room)? {
                0 => break,
                n => filled += n,
            }
        }
        file.seek(SeekFrom::Start(0))?;
        let magic = magic.get(..filled).unwrap_or_default();
        if magic.starts_with(GZIP) {
            return Ok(Self::Gzip(Box::new(MultiGzDecoder::new(BufReader::new(
                file,
            )))));
        }
        if magic.starts_with(ZSTD) {
            let decoder = StreamingDecoder::new(BufReader::new(file)).map_err(invalid)?;
            return Ok(Self::Zstd(Box::new(decoder)));
        }
        Ok(Self::Plain(file))
    }
}

fn invalid(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

impl Read for Message {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let decoder: &mut dyn Read = match &mut self.source {
            Source::Plain(file) => return file.read(buf),
            Source::Gzip(decoder) => decoder,
            Source::Zstd(decoder) => decoder,
        };
        let n = decoder.read(buf)?;
        match self.left.checked_sub(n as u64) {
            Some(left) => self.left = left,
            None => return Err(invalid("decompresses to too much")),
        }
        Ok(n)
    }
}

/// Octets with every line end as CRLF. Reads to the end.
pub(crate) fn crlf_size(message: &mut dyn Read) -> io::Result<u64> {
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    let mut before = 0;
    loop {
        let n = match message.read(&mut buffer) {
            Ok(0) => return Ok(size),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let piece = buffer.get(..n).unwrap_or_default();
        size += n as u64;
        for at in memchr::memchr_iter(b'\n', piece) {
            let cr = match at.checked_sub(1) {
                Some(at) => piece.get(at).copied(),
                None => Some(before),
            };
            size += u64::from(cr != Some(b'\r'));
        }
        before = piece.last().copied().unwrap_or(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file_with(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file
    }

    fn read(mut message: Message) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        message.read_to_end(&mut out).map(|_| out)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn compressed_messages_are_read_as_they_were() {
        let text = b"Subject: x\n\nbody\n".repeat(50);
        let zstd = ruzstd::encoding::compress_to_vec(
            text.as_slice(),
            ruzstd::encoding::CompressionLevel::Fastest,
        );
        for packed in [gzip(&text), zstd, text.clone()] {
            let size = Some(text.len() as u64);
            let message = Message::new(file_with(&packed), size, 1 << 20).unwrap();
            assert_eq!(message.raw_size(), size);
            assert_eq!(message.stored_size(), packed.len() as u64);
            assert_eq!(read(message).unwrap(), text);
        }
    }

    #[test]
    fn a_bomb_is_stopped_and_damage_is_an_error() {
        let packed = gzip(&vec![b'x'; 100_000]);
        let message = Message::new(file_with(&packed), Some(1_000), 10_000).unwrap();
        let error = read(message).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let message = Message::new(file_with(&packed), None, 10_000).unwrap();
        assert!(read(message).is_err());
        let message = Message::new(file_with(&packed), Some(1_000), 1 << 20).unwrap();
        assert_eq!(read(message).unwrap().len(), 100_000);
        let cut = packed.get(..packed.len() / 2).unwrap();
        let message = Message::new(file_with(cut), Some(100_000), 1 << 20).unwrap();
        assert!(read(message).is_err());
    }

    #[test]
    fn what_only_looks_compressed_is_served_as_it_is() {
        let text = [GZIP, b" is how gzip begins\n"].concat();
        let size = Some(text.len() as u64);
        let message = Message::new(file_with(&text), size, 1 << 20).unwrap();
        assert_eq!(read(message).unwrap(), text);
    }

    #[test]
    fn skipping_is_the_same_for_both() {
        let text = b"0123456789".repeat(100);
        for packed in [gzip(&text), text.clone()] {
            let mut message = Message::new(file_with(&packed), Some(1_000), 1 << 20).unwrap();
            message.skip(995).unwrap();
            assert_eq!(read(message).unwrap(), b"56789");
        }
    }

    #[test]
    fn crlf_sizes() {
        for (text, size) in [
            ("", 0),
            ("a", 1),
            ("a\nb\n", 6),
            ("a\r\n\n", 5),
            ("\r\r\n", 3),
        ] {
            assert_eq!(crlf_size(&mut text.as_bytes()).unwrap(), size, "{text:?}");
        }
        // Across the buffer's end.
        let text = [vec![b'x'; 64 * 1024 - 1], b"\r\n\n".to_vec()].concat();
        assert_eq!(crlf_size(&mut text.as_slice()).unwrap(), 64 * 1024 + 3);
    }
}
