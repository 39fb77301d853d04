//! What a client can do before it logs in.

use roost_ipc::Mechanism;

use crate::settings::Settings;

/// How far a connection can be trusted with a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    pub tls: bool,
    /// From a trusted network.
    pub trusted: bool,
}

impl Link {
    /// Whether a password may go over it in clear.
    pub fn allows_cleartext(self, settings: &Settings) -> bool {
        self.tls || self.trusted || settings.cleartext_always
    }

    /// Whether SCRAM can bind to it, and is offered so.
    pub fn offers_plus(self, settings: &Settings) -> bool {
        self.tls && settings.mechanisms.contains(&Mechanism::ScramSha256Plus)
    }

    /// Whether AUTHENTICATE takes this mechanism at all; a clear-text one may
    /// still be refused for want of TLS.
    pub fn knows(self, mechanism: Mechanism, settings: &Settings) -> bool {
        settings.mechanisms.contains(&mechanism)
            && (self.tls || mechanism != Mechanism::ScramSha256Plus)
    }
}

/// The names of CAPABILITY, in order.
pub fn capabilities(settings: &Settings, link: Link) -> Vec<String> {
    let fixed = [
        "IMAP4rev1",
        "IMAP4rev2",
        "SASL-IR",
        "LITERAL+",
        "ENABLE",
        "ID",
        "LOGIN-REFERRALS",
    ];
    let mut names: Vec<String> = fixed.into_iter().map(str::to_owned).collect();
    if !link.tls && settings.tls.is_some() {
        names.push("STARTTLS".to_owned());
    }
    let cleartext = link.allows_cleartext(settings);
    if !cleartext {
        names.push("LOGINDISABLED".to_owned());
    }
    for &mechanism in &settings.mechanisms {
        if link.knows(mechanism, settings) && (cleartext || !mechanism.is_clear_text()) {
            names.push(format!("AUTH={}", mechanism.name()));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::settings;

    fn names(tls: bool, trusted: bool) -> String {
        capabilities(&settings(), Link { tls, trusted }).join(" ")
    }

    #[test]
    fn clear_links_of_strangers_offer_no_password() {
        assert_eq!(
            names(false, false),
            "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE ID LOGIN-REFERRALS STARTTLS LOGINDISABLED \
             AUTH=SCRAM-SHA-256"
        );
    }

    #[test]
    fn tls_offers_everything_but_itself() {
        assert_eq!(
            names(true, false),
            "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE ID LOGIN-REFERRALS \
             AUTH=PLAIN AUTH=LOGIN AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS"
        );
    }

    #[test]
    fn trusted_networks_may_use_passwords() {
        assert_eq!(
            names(false, true),
            "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE ID LOGIN-REFERRALS STARTTLS \
             AUTH=PLAIN AUTH=LOGIN AUTH=SCRAM-SHA-256"
        );
    }
}
