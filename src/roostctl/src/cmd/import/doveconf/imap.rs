//! What counts for IMAP, in one block.
//!
//! What must stay true: what stands in `protocol imap` is seen by whoever asks
//! the whole, before what stands in the whole; nothing of it is lost on the way.

use super::Block;

/// 2.4's lists of words, which are blocks of `word = yes`.
const LISTS: &[&str] = &[
    "auth_mechanisms",
    "haproxy_trusted_networks",
    "listen",
    "login_trusted_networks",
    "protocols",
];

/// Blocks that are asked for as blocks, though they may have no name.
const KEPT: &[&str] = &[
    "dict",
    "mail_plugins",
    "namespace",
    "passdb",
    "plugin",
    "protocol",
    "userdb",
];

impl Block {
    /// The whole, with what counts for IMAP alone over it.
    pub fn for_imap(mut self) -> Self {
        self.flatten();
        let all = std::mem::take(&mut self.blocks);
        let (own, others) = all.into_iter().partition(Self::is_of_imap);
        self.blocks = others;
        for block in own {
            self.own
                .extend(block.settings.iter().map(|(key, _)| key.clone()));
            self.settings.extend(block.settings);
            for mut inner in block.blocks {
                inner.of_imap = true;
                self.merge(inner);
            }
        }
        self.lists();
        self
    }

    /// `protocol imap`, and `protocol !pop3`.
    fn is_of_imap(&self) -> bool {
        let mut names = self.name.split([' ', ',']).filter(|name| !name.is_empty());
        self.kind == "protocol"
            && match self.name.strip_prefix('!') {
                Some(_) => names.all(|name| name.strip_prefix('!') != Some("imap")),
                None => names.any(|name| name == "imap"),
            }
    }

    /// What is called the same is the same; databases and namespaces without a
    /// name are further ones.
    fn merge(&mut self, block: Self) {
        let several = matches!(block.kind.as_str(), "passdb" | "userdb" | "namespace");
        let same = |b: &&mut Self| (&b.kind, &b.name) == (&block.kind, &block.name);
        let further = several && block.name.is_empty();
        match self.blocks.iter_mut().find(same).filter(|_| !further) {
            None => self.blocks.push(block),
            Some(there) => {
                there.settings.extend(block.settings);
                for inner in block.blocks {
                    there.merge(inner);
                }
            }
        }
    }

    /// `ssl_server { cert_file = x }` is `ssl_server_cert_file = x`.
    fn flatten(&mut self) {
        if matches!(self.kind.as_str(), "passdb" | "userdb") {
            return;
        }
        for mut block in std::mem::take(&mut self.blocks) {
            block.flatten();
            let kind = block.kind.as_str();
            if !block.name.is_empty() || KEPT.contains(&kind) || LISTS.contains(&kind) {
                self.blocks.push(block);
                continue;
            }
            for (key, value) in block.settings {
                self.settings.push((format!("{kind}_{key}"), value));
            }
            for mut inner in block.blocks {
                inner.kind = format!("{kind}_{}", inner.kind);
                self.blocks.push(inner);
            }
        }
    }

    fn lists(&mut self) {
        for mut block in std::mem::take(&mut self.blocks) {
            block.lists();
            if !block.name.is_empty() || !LISTS.contains(&block.kind.as_str()) {
                self.blocks.push(block);
                continue;
            }
            let on = block.settings.iter().filter(|(_, value)| value != "no");
            let words: Vec<&str> = on.map(|(key, _)| key.as_str()).collect();
            self.settings.push((block.kind.clone(), words.join(" ")));
            if block.of_imap {
                self.own.insert(block.kind);
            }
        }
    }

    /// Whether the value is that of IMAP alone.
    pub fn is_own(&self, key: &str) -> bool {
        self.own.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_imap_counts_first() {
        let text = "ssl = yes\nplugin {\n a = 1\n b = 1\n}\npassdb {\n driver = pam\n}\n\
                    protocol lmtp {\n ssl = no\n}\nprotocol !imap {\n ssl = no\n}\n\
                    protocol imap {\n ssl = required\n plugin {\n  b = 2\n }\n \
                    passdb {\n  driver = passwd-file\n }\n}\nprotocol !pop3 {\n x = 1\n}\n";
        let whole = Block::parse(text).unwrap().for_imap();
        assert_eq!(whole.get("ssl"), Some("required"));
        assert_eq!(whole.get("x"), Some("1"));
        assert!(whole.is_own("ssl") && whole.is_own("x") && !whole.is_own("a"));
        let plugin: Vec<_> = whole.blocks("plugin").collect();
        assert_eq!(plugin.len(), 1);
        assert_eq!(
            (plugin[0].get("a"), plugin[0].get("b")),
            (Some("1"), Some("2"))
        );
        assert_eq!(whole.blocks("passdb").count(), 2);
        assert_eq!(whole.blocks("protocol").count(), 2);
    }

    #[test]
    fn blocks_of_2_4_are_settings() {
        let text = "listen {\n ::1 = yes\n 192.0.2.1 = no\n 127.0.0.1 = yes\n}\n\
                    ssl_server {\n cert_file = /c\n}\nservice imap-login {\n \
                    inet_listener imap {\n  listen {\n   ::1 = yes\n  }\n }\n}\n";
        let whole = Block::parse(text).unwrap().for_imap();
        assert_eq!(whole.get("listen"), Some("::1 127.0.0.1"));
        assert_eq!(whole.get("ssl_server_cert_file"), Some("/c"));
        let service = whole.blocks("service").next().unwrap();
        let listener = service.blocks("inet_listener").next().unwrap();
        assert_eq!(listener.get("listen"), Some("::1"));
    }
}
