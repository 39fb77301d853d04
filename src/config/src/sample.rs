//! The sample file, made from the table of keys.

use std::fmt::Write;

use crate::keys::{KEYS, Key, Section};

const HEAD: &str = "\
# Roost's configuration. Each key is shown with its default; what is left out
# keeps it. Lines that begin with # or ; are comments. `roostd -t` checks the
# file; SIGHUP has it read again, and connections stay.
";

pub(crate) fn sample() -> String {
    let mut out = HEAD.to_owned();
    for section in Section::ALL {
        // Writing to a String cannot fail.
        let _ = put_section(&mut out, section);
    }
    out
}

fn put_section(out: &mut String, section: Section) -> std::fmt::Result {
    writeln!(out, "\n# {}", section.doc())?;
    let keys = KEYS.iter().filter(|k| k.section == section);
    match section {
        Section::Domains => {
            out.push_str("[domains]\n#192.0.2.1 = example.org\n#2001:db8::1 = example.org\n");
        }
        Section::Router => {
            out.push_str("[router]\n#old.name = account\n#moved.name = name@other.example\n");
        }
        Section::TlsName => {
            out.push_str("#[tls mail.example.org]\n");
            for key in keys {
                writeln!(
                    out,
                    "#{} = /etc/roost/mail.example.org-{}.pem",
                    key.name, key.name
                )?;
            }
        }
        Section::User => {
            out.push_str("#[user joe]\n");
            for key in keys {
                let general = KEYS
                    .iter()
                    .find(|k| is_general(k, key) && !k.default.is_empty());
                writeln!(out, "#{} = {}", key.name, general.map_or("", |k| k.default))?;
            }
        }
        _ => {
            writeln!(out, "[{}]", section.word())?;
            for key in keys {
                put_key(out, key)?;
            }
        }
    }
    Ok(())
}

/// `storage` of `[quota]` is `quota_storage` for one account.
fn is_general(general: &Key, own: &Key) -> bool {
    let rest = own.name.strip_prefix(general.section.word());
    general.name == own.name || rest.and_then(|r| r.strip_prefix('_')) == Some(general.name)
}

fn put_key(out: &mut String, key: &Key) -> std::fmt::Result {
    writeln!(out, "# {}", key.doc)?;
    let line = format!("{} = {}", key.name, key.default);
    writeln!(out, "{}", line.trim_end())
}
