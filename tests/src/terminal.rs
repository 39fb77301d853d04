//! A program that wants a terminal, on one of the test's own: 80 by 24, its
//! output kept, and an end for certain.

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const SIZE: Winsize = Winsize {
    ws_row: 24,
    ws_col: 80,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

/// Runs `program` with `arguments` as leader of a session on a new terminal.
/// Returns how it ended, `None` where it had to be killed after `limit`, and
/// all that it showed.
pub fn run(
    program: &str,
    arguments: &[&str],
    env: &[(&str, &str)],
    limit: Duration,
) -> io::Result<(Option<ExitStatus>, String)> {
    let pty = openpty(&SIZE, None)?;
    let mut child = Command::new("setsid")
        .args(["--ctty", program])
        .args(arguments)
        .env("TERM", "xterm")
        .envs(env.iter().copied())
        .stdin(Stdio::from(pty.slave.try_clone()?))
        .stdout(Stdio::from(pty.slave.try_clone()?))
        .stderr(Stdio::from(pty.slave))
        .spawn()?;
    let shown = collect(File::from(pty.master));
    let until = Instant::now() + limit;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break Some(status),
            None if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
            None => break None,
        }
    };
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    child.wait()?;
    // The last holder of the terminal is gone; its reader ends by itself.
    let shown = shown
        .recv_timeout(Duration::from_secs(5))
        .unwrap_or_default();
    Ok((status, String::from_utf8_lossy(&shown).into_owned()))
}

fn collect(mut master: File) -> mpsc::Receiver<Vec<u8>> {
    let (done, shown) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        // EIO tells the end of a terminal.
        let _ = master.read_to_end(&mut text);
        let _ = done.send(text);
    });
    shown
}
