//! `roostctl tunnel`: octets from standard input to a session, and from the
//! session to standard output. What they say is not looked at.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::args::Common;
use crate::{Failure, account, exit, session};

/// Octets at once.
const PIECE: usize = 64 << 10;

pub fn run(common: &Common) -> Result<u8, Failure> {
    common.no_table()?;
    let config = account::config(common)?;
    let connection = session::open_chosen(common, &config, true)?;
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
    input: impl Read + AsFd + Send + 'static,
    output: impl Write + AsFd,
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

fn copy(mut from: impl Read + AsFd, mut to: impl Write + AsFd) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            // A connection that was cut off has ended.
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return Ok(()),
            Err(e) => {
                wait(e, &from, PollFlags::POLLIN)?;
                continue;
            }
        };
        let mut rest = piece.get(..read).unwrap_or_default();
        while !rest.is_empty() {
            match to.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(e) => wait(e, &to, PollFlags::POLLOUT)?,
            }
        }
    }
}

/// Who has started this program may have left the descriptors non-blocking,
/// and uses them himself: they are not changed.
fn wait(error: io::Error, stream: &impl AsFd, event: PollFlags) -> io::Result<()> {
    match error.kind() {
        ErrorKind::Interrupted => Ok(()),
        ErrorKind::WouldBlock => {
            let mut fds = [PollFd::new(stream.as_fd(), event)];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => Ok(()),
                Err(e) => Err(e.into()),
            }
        }
        _ => Err(error),
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

    /// What an output gets, to the end.
    fn collect(mut end: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
        thread::spawn(move || {
            let mut got = Vec::new();
            end.read_to_end(&mut got).unwrap();
            got
        })
    }

    #[test]
    fn the_end_of_the_input_is_not_the_end_of_the_answer() {
        for nonblocking in [false, true] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let server = thread::spawn(|| server(theirs));
            let (input, mut says) = UnixStream::pair().unwrap();
            let (output, hears) = UnixStream::pair().unwrap();
            input.set_nonblocking(nonblocking).unwrap();
            output.set_nonblocking(nonblocking).unwrap();
            let text: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()[0]).collect();
            let said = text.clone();
            // Finds nothing to read at first.
            let client = thread::spawn(move || {
                thread::yield_now();
                says.write_all(&said).unwrap();
            });
            let hears = collect(hears);
            between(input, output, &ours).unwrap();
            let mut got = hears.join().unwrap();
            got.reverse();
            assert!(got == text, "{nonblocking}: {}", got.len());
            client.join().unwrap();
            server.join().unwrap();
        }
    }

    #[test]
    fn an_output_that_is_closed_is_no_error() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = thread::spawn(|| server(theirs));
        let (input, mut says) = UnixStream::pair().unwrap();
        says.write_all(b"a NOOP").unwrap();
        drop(says);
        let (output, hears) = UnixStream::pair().unwrap();
        drop(hears);
        between(input, output, &ours).unwrap();
        server.join().unwrap();
    }

    #[test]
    fn the_end_of_the_session_is_the_end() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (input, keeps_open) = UnixStream::pair().unwrap();
        (&theirs).write_all(b"* BYE\r\n").unwrap();
        drop(theirs);
        let (output, hears) = UnixStream::pair().unwrap();
        between(input, output, &ours).unwrap();
        assert_eq!(collect(hears).join().unwrap(), b"* BYE\r\n");
        drop(keeps_open);
    }
}
