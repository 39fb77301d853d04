//! A responder that has its answer ready: shows how fast the load generator
//! and the loopback device are by themselves.

use crate::client::Client;
use crate::error::{Error, Result};
use crate::machine::cpu_seconds;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Instant;

/// Millions of octets in a second that the generator reads from the canned
/// responder, FETCH responses in a second, and its share of one core.
pub struct Canned {
    pub megabytes: f64,
    pub responses: f64,
    pub share: f64,
}

/// `response` is repeated `count` times.
pub fn measure(response: &[u8], count: usize) -> Result<Canned> {
    let block = response.repeat((1 << 18) / response.len() + 1);
    let per_block = block.len() / response.len();
    respond(move |stream| {
        for _ in 0..count / per_block {
            stream.write_all(&block)?;
        }
        Ok(())
    })
}

/// Every file is read and sent as it is: what a server of bodies cannot do
/// without.
pub fn files(files: Vec<PathBuf>) -> Result<Canned> {
    respond(move |stream| {
        let mut buffer = vec![0; 1 << 18];
        for path in files {
            let mut file = File::open(path)?;
            let size = file.metadata()?.len();
            write!(stream, "* 1 FETCH (BODY[] {{{size}}}\r\n")?;
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    n => stream.write_all(&buffer[..n])?,
                }
            }
            stream.write_all(b")\r\n")?;
        }
        Ok(())
    })
}

fn respond(send: impl FnOnce(&mut TcpStream) -> Result<()> + Send + 'static) -> Result<Canned> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let addr = listener.local_addr()?;
    let server = std::thread::spawn(move || -> Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(b"* OK canned\r\n")?;
        let mut byte = [0];
        while byte[0] != b'\n' {
            stream.read_exact(&mut byte)?;
        }
        send(&mut stream)?;
        stream.write_all(b"b1 OK done\r\n")?;
        Ok(())
    });
    let mut client = Client::connect(addr, false)?;
    // The responder runs in this process: its time is told apart by thread.
    let (start, before) = (Instant::now(), thread_seconds());
    let tally = client.run("NOOP")?;
    let taken = start.elapsed().as_secs_f64();
    let share = (thread_seconds() - before) / taken;
    server
        .join()
        .map_err(|_| Error("the canned responder ended".into()))??;
    Ok(Canned {
        megabytes: tally.octets as f64 / taken / 1e6,
        responses: tally.untagged as f64 / taken,
        share,
    })
}

fn thread_seconds() -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    getrusage(UsageWho::RUSAGE_THREAD).map_or_else(
        |_| cpu_seconds(),
        |u| (u.user_time().num_microseconds() + u.system_time().num_microseconds()) as f64 / 1e6,
    )
}
