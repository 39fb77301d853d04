//! Debian's Dovecot. What both settings share is what it takes to run beside
//! others for virtual users, and limits high enough for the workloads.

use super::{Kind, Server};
use crate::error::Result;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What is fast without giving up what Roost promises: fsync alike, external
/// deliveries seen, everything that clients ask for kept in the cache, login
/// processes that live on ("high-performance mode"), mail processes ready and
/// used again.
const TUNED: &str = "
mail_fsync = optimized
maildir_copy_with_hardlinks = yes
maildir_stat_dirs = no
maildir_very_dirty_syncs = yes
mailbox_list_index = yes
mailbox_list_index_include_inbox = yes
mailbox_list_index_very_dirty_syncs = yes
mail_never_cache_fields =
mail_always_cache_fields = flags date.sent date.received size.virtual imap.envelope imap.body imap.bodystructure mime.parts hdr.from hdr.to hdr.cc hdr.bcc hdr.subject hdr.date hdr.sender hdr.reply-to hdr.message-id hdr.in-reply-to hdr.references hdr.priority hdr.x-priority hdr.newsgroups hdr.content-type hdr.content-description hdr.lines hdr.list-post hdr.x-label hdr.list-id
mail_cache_fields = flags date.sent date.received size.virtual imap.envelope imap.bodystructure mime.parts
auth_cache_size = 16 M
";

/// Sessions that idle for a second leave their process.
const HIBERNATE: &str = "
imap_hibernate_timeout = 1s
service imap {
  unix_listener imap-master {
    user = $default_internal_user
  }
}
service imap-hibernate {
  client_limit = 20000
}
";

pub fn write(server: &Server, work: &Path) -> Result<()> {
    let dir = server.dir.display();
    // Dovecot's own default is a login process for each connection.
    let (login, imap, extra) = match server.kind {
        Kind::Default => ("process_limit = 20000", "", ""),
        // A process that waits for its next session would count as memory.
        Kind::Hibernate => (FAST_LOGIN, "", HIBERNATE),
        _ => (FAST_LOGIN, FAST_IMAP, ""),
    };
    let tuned = if server.kind == Kind::Default {
        ""
    } else {
        TUNED
    };
    let text = format!(
        "base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{work}/certificate.pem
ssl_key = <{work}/key.pem
disable_plaintext_auth = no
first_valid_uid = 1000
mail_location = maildir:~/Maildir
mail_max_userip_connections = 0
default_client_limit = 20000
default_vsz_limit = 4 G
{tuned}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
  {login}
}}
service imap {{
  process_limit = 20000
  {imap}
}}
service anvil {{
  client_limit = 60000
}}
service auth {{
  client_limit = 60000
}}
passdb {{
  driver = passwd-file
  args = scheme=plain username_format=%u {dir}/passwd
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {dir}/passwd
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
{extra}
",
        port = server.port,
        tls_port = server.tls_port,
        work = work.display(),
    );
    fs::write(server.dir.join("dovecot.conf"), text)?;
    Ok(())
}

const FAST_LOGIN: &str = "service_count = 0\n  process_min_avail = 2\n  process_limit = 2";
const FAST_IMAP: &str = "service_count = 256\n  process_min_avail = 10";

pub fn command(server: &Server) -> Command {
    let mut command = Command::new("/usr/sbin/dovecot");
    command
        .arg("-F")
        .arg("-c")
        .arg(server.dir.join("dovecot.conf"));
    command
}
