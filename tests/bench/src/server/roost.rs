//! Roost with its defaults; only limits on connections are raised.

use super::Server;
use crate::error::Result;
use std::fs;
use std::path::Path;
use std::process::Command;

pub fn write(server: &Server, work: &Path) -> Result<()> {
    let dir = server.dir.display();
    fs::create_dir_all(server.dir.join("empty"))?;
    let text = format!(
        "[server]
log_target = stderr
chroot_dir = {dir}/empty

[listen]
imap = 127.0.0.1:{port}
imaps = 127.0.0.1:{tls_port}

[tls]
state_dir = {dir}
certificate = {work}/certificate.pem
key = {work}/key.pem

[auth]
backend = passwd-file
passwd_file = {dir}/passwd

[limits]
max_connections = 20000
max_connections_per_ip = 0
max_connections_per_user = 0
",
        port = server.port,
        tls_port = server.tls_port,
        work = work.display(),
    );
    fs::write(server.dir.join("roost.conf"), text)?;
    Ok(())
}

pub fn command(server: &Server) -> Command {
    let mut command = Command::new(roost_tests::process::executables().join("roostd"));
    command.arg("-c").arg(server.dir.join("roost.conf"));
    command
}
