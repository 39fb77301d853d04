//! Debian's courier-imap, unpacked beside the build by `contrib/fetch-courier`
//! and spoken to over its standard streams.

use crate::client::Client;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/courier")
}

pub fn installed() -> bool {
    folder().join("usr/bin/imapd").exists()
}

/// One session of Courier's imapd; the program ends with it.
pub struct Session {
    pub client: Client,
    child: Child,
}

fn command(program: &str, uid: u32, gid: u32) -> Command {
    let root = folder();
    let libraries: Vec<String> = [
        "lib/x86_64-linux-gnu",
        "usr/lib/x86_64-linux-gnu",
        "usr/lib",
        "usr/lib/courier-authlib",
        "lib/aarch64-linux-gnu",
        "usr/lib/aarch64-linux-gnu",
    ]
    .iter()
    .map(|l| root.join(l).display().to_string())
    .collect();
    let mut command = Command::new(root.join(program));
    command
        .env("LD_LIBRARY_PATH", libraries.join(":"))
        .uid(uid)
        .gid(gid);
    command
}

/// Makes `home/Maildir` as Courier's own tool does.
pub fn make_maildir(home: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let status = command("usr/bin/maildirmake.courier", uid, gid)
        .arg(home.join("Maildir"))
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("maildirmake: {status}")))
    }
}

impl Session {
    pub fn start(home: &Path, uid: u32, gid: u32) -> io::Result<Self> {
        let mut child = command("usr/bin/imapd", uid, gid)
            .arg("Maildir")
            .current_dir(home)
            .env("AUTHENTICATED", "courier-test")
            .env("AUTHADDR", "courier-test")
            .env("IMAP_KEYWORDS", "1")
            .env("IMAP_USELOCKS", "1")
            .env("IMAP_CAPABILITY", "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(out), Some(input)) = (child.stdout.take(), child.stdin.take()) else {
            return Err(io::Error::other("no pipes"));
        };
        let mut client = Client::over(Box::new(out), Box::new(input), None)?;
        // Without a file monitor it begins with an alert of its own.
        while !client.greeting.starts_with("* PREAUTH") {
            client.greeting = String::from_utf8_lossy(&client.response()?).into_owned();
        }
        Ok(Self { client, child })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.client.command("LOGOUT");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A shell script that does the same for programs that want a command: it
/// begins with the greeting that says that the user is known.
pub fn script(home: &Path, uid: u32, gid: u32) -> String {
    let imapd = command("usr/bin/imapd", uid, gid);
    let libraries = imapd
        .get_envs()
        .find(|(name, _)| *name == "LD_LIBRARY_PATH");
    let libraries = libraries.and_then(|(_, value)| value).unwrap_or_default();
    format!(
        "#!/bin/sh\ncd {home}\nexport AUTHENTICATED=courier-test AUTHADDR=courier-test \
         IMAP_KEYWORDS=1 IMAP_USELOCKS=1\n\
         export IMAP_CAPABILITY='IMAP4rev1 UIDPLUS CHILDREN NAMESPACE'\n\
         export LD_LIBRARY_PATH='{libraries}'\n\
         setpriv --reuid {uid} --regid {gid} --clear-groups '{program}' Maildir 2>/dev/null | \
         sed -u '/^\\* OK \\[ALERT\\]/d'\n",
        home = home.display(),
        libraries = libraries.to_string_lossy(),
        program = imapd.get_program().to_string_lossy(),
    )
}
