//! `roostctl tunnel`: octets from standard input to a session, and from the
//! session to standard output. What they say is not looked at.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;

use crate::args::Common;
use crate::{Failure, account, exit, session};

/// Octets at once.
const PIECE: usize = 64 << 10;

pub fn run(common: &Common) -> Result<u8, Failure> {
    let config = account::config(common)?;
    let connection = session::open_chosen(common, &config)?;
    let failed = |e| Failure::new(exit::IOERR, e);
    // Without the buffers of the standard library.
    let input: File = own(io::stdin()).map_err(failed)?;
    let output: File = own(io::stdout()).map_err(failed)?;
    between(input, output, &connection).map_err(failed)?;
    Ok(exit::OK)
}

fn own(stream: impl AsFd) -> io::Result<File> {
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}

/// Until the server has said all. When the input ends, the server hears of it
/// and may still answer; an output that nobody reads any more ends everything.
fn between(
    input: impl Read + Send + 'static,
    output: impl Write,
    connection: &UnixStream,
) -> io::Result<()> {
    let to_server = connection.try_clone()?;
    // It is not waited for: it may sit at a terminal that says nothing more.
    thread::spawn(move || {
        // A server that is gone shows at the other side.
        let _ = copy(input, &to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    match copy(connection, output) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn copy(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            // A connection that was cut off has ended.
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return Ok(()),
            Err(e) => return Err(e),
        };
        to.write_all(piece.get(..read).unwrap_or_default())?;
        to.flush()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says what it has heard, backwards, once that has ended.
    fn server(mut end: UnixStream) {
        let mut heard = Vec::new();
        end.read_to_end(&mut heard).unwrap();
        heard.reverse();
        end.write_all(&heard).unwrap();
    }

    #[test]
    fn the_end_of_the_input_is_not_the_end_of_the_answer() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = thread::spawn(|| server(theirs));
        let mut output = Vec::new();
        let input: Vec<u8> = (0..300_000u32).map(|n| n.to_le_bytes()[0]).collect();
        between(io::Cursor::new(input.clone()), &mut output, &ours).unwrap();
        output.reverse();
        assert_eq!(output, input);
        server.join().unwrap();
    }

    #[test]
    fn an_output_that_is_closed_is_no_error() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = thread::spawn(|| server(theirs));
        between(io::Cursor::new(b"a NOOP"), Closed, &ours).unwrap();
        server.join().unwrap();
    }

    #[test]
    fn the_end_of_the_session_is_the_end() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (input, keeps_open) = UnixStream::pair().unwrap();
        (&theirs).write_all(b"* BYE\r\n").unwrap();
        drop(theirs);
        let mut output = Vec::new();
        between(input, &mut output, &ours).unwrap();
        assert_eq!(output, b"* BYE\r\n");
        drop(keeps_open);
    }
}
