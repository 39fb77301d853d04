//! The parent's side of one child: started, asked, read from, and never left
//! behind.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use super::{CHILD_ARGUMENT, PamError, Reply, Request};

/// A conversation under way. Dropping it ends it.
pub struct Process {
    running: Running,
    stream: UnixStream,
}

impl Process {
    pub async fn start(executable: &Path, request: &Request) -> Result<Self, PamError> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let stream = UnixStream::from_std(ours)?;
        let running = Running(
            Command::new(executable)
                .arg0("roost-auth")
                .arg(CHILD_ARGUMENT)
                .env_clear()
                .current_dir("/")
                .stdin(Stdio::from(OwnedFd::from(theirs)))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()?,
        );
        let mut process = Self { running, stream };
        // A child that died already shows in its missing answer.
        let _ = process.stream.write_all(&request.encode()).await;
        let _ = process.stream.shutdown().await;
        Ok(process)
    }

    /// The next reply, of at most 64 KiB.
    pub async fn reply(&mut self) -> Result<Reply, PamError> {
        // A child that died may have written part of it.
        match self.read().await {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) | Err(_) => Err(PamError::Died(self.running.status().await)),
        }
    }

    async fn read(&mut self) -> std::io::Result<Option<Reply>> {
        let len = self.stream.read_u16_le().await?;
        let mut reply = vec![0; usize::from(len)];
        self.stream.read_exact(&mut reply).await?;
        Ok(Reply::decode(&reply))
    }
}

/// A child that does not outlive the wait for it.
struct Running(Child);

impl Running {
    async fn status(&mut self) -> String {
        self.kill();
        match self.0.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Ends the child and whatever its modules have started.
    fn kill(&self) {
        // None once it has been waited for, when the number may be another's.
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid {
            // It may have ended by itself.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
