use super::*;

const CLIENT_FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const CLIENT_FINAL: &[u8] = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

fn pencil() -> Secrets {
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    Secrets::derive(b"pencil", &salt, 4096)
}

/// RFC 7677 §3.
#[test]
fn rfc_example() {
    let first = ClientFirst::parse(CLIENT_FIRST, false, &Bindings::default()).unwrap();
    assert_eq!(first.user, "user");
    let (exchange, server_first) = first.challenge(pencil(), SERVER_NONCE);
    assert_eq!(
        server_first,
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
         s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    assert_eq!(
        exchange.finish(CLIENT_FINAL).unwrap().as_deref(),
        Some("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    );
}

#[test]
fn a_wrong_proof_and_wrong_secrets_fail() {
    let first = ClientFirst::parse(CLIENT_FIRST, false, &Bindings::default()).unwrap();
    let (exchange, _) = first.challenge(pencil(), SERVER_NONCE);
    let wrong = String::from_utf8_lossy(CLIENT_FINAL).replace("p=dHzb", "p=eHzb");
    assert_eq!(exchange.finish(wrong.as_bytes()), Ok(None));

    let first = ClientFirst::parse(CLIENT_FIRST, false, &Bindings::default()).unwrap();
    let (exchange, _) = first.challenge(Secrets::unmatchable(b"seed", 16, 4096), SERVER_NONCE);
    assert_eq!(exchange.finish(CLIENT_FINAL), Ok(None));
}

#[test]
fn a_foreign_nonce_or_a_short_proof_is_refused() {
    for (from, to) in [
        ("k0,p=", "k1,p="),
        ("c=biws", "c=eSws"),
        ("qmmiz7AndVQ=", ""),
    ] {
        let first = ClientFirst::parse(CLIENT_FIRST, false, &Bindings::default()).unwrap();
        let (exchange, _) = first.challenge(pencil(), SERVER_NONCE);
        let text = String::from_utf8_lossy(CLIENT_FINAL).replace(from, to);
        assert!(
            !matches!(exchange.finish(text.as_bytes()), Ok(Some(_))),
            "{to}"
        );
    }
}

/// The client's side, for what the RFCs have no example of.
pub(crate) fn client_final(
    header_and_binding: &[u8],
    bare: &str,
    server_first: &str,
    password: &[u8],
) -> String {
    let nonce = server_first
        .strip_prefix("r=")
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    let salt = server_first
        .split(",s=")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    let salt = STANDARD.decode(salt).unwrap();
    let salted = pbkdf2::pbkdf2_hmac_array::<sha2::Sha256, 32>(password, &salt, 4096);
    let client_key = secrets::hmac(&salted, b"Client Key");
    let stored: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(client_key).into();
    let without = format!("c={},r={nonce}", STANDARD.encode(header_and_binding));
    let signature = secrets::hmac(
        &stored,
        format!("{bare},{server_first},{without}").as_bytes(),
    );
    let proof: Vec<u8> = client_key
        .iter()
        .zip(signature)
        .map(|(k, s)| k ^ s)
        .collect();
    format!("{without},p={}", STANDARD.encode(proof))
}

#[test]
fn plus_binds_to_the_channel() {
    let bindings = Bindings {
        tls_exporter: Some(b"exported".to_vec()),
        tls_server_end_point: Some(b"certificate".to_vec()),
    };
    for (kind, data, right) in [
        ("tls-exporter", &b"exported"[..], true),
        ("tls-server-end-point", b"certificate", true),
        ("tls-exporter", b"another connection", false),
    ] {
        let header = format!("p={kind},,");
        let bare = "n=user,r=abc";
        let message = format!("{header}{bare}");
        let first = ClientFirst::parse(message.as_bytes(), true, &bindings).unwrap();
        let (exchange, server_first) = first.challenge(pencil(), &server_nonce().unwrap());
        let input = [header.as_bytes(), data].concat();
        let last = client_final(&input, bare, &server_first, b"pencil");
        let outcome = exchange.finish(last.as_bytes());
        assert_eq!(matches!(outcome, Ok(Some(_))), right, "{kind}: {outcome:?}");
    }
}

#[test]
fn downgrades_and_unknown_bindings_are_refused() {
    let bound = Bindings {
        tls_exporter: Some(b"x".to_vec()),
        tls_server_end_point: None,
    };
    let none = Bindings::default();
    let refused = |message: &str, plus, bindings: &Bindings| {
        ClientFirst::parse(message.as_bytes(), plus, bindings).err()
    };
    assert_eq!(
        refused("y,,n=u,r=1", false, &bound),
        Some(SaslError::ChannelBinding)
    );
    assert_eq!(refused("y,,n=u,r=1", false, &none), None);
    assert_eq!(refused("n,,n=u,r=1", false, &bound), None);
    assert_eq!(
        refused("n,,n=u,r=1", true, &bound),
        Some(SaslError::Malformed)
    );
    assert_eq!(
        refused("p=tls-exporter,,n=u,r=1", false, &bound),
        Some(SaslError::Malformed)
    );
    assert_eq!(
        refused("p=tls-unique,,n=u,r=1", true, &bound),
        Some(SaslError::ChannelBinding)
    );
    assert_eq!(
        refused("n,,m=x,n=u,r=1", false, &none),
        Some(SaslError::Extension)
    );
    assert_eq!(
        refused("n,,n=u,r=", false, &none),
        Some(SaslError::Malformed)
    );
}

#[test]
fn stored_secrets_are_read_in_dovecots_form() {
    // `doveadm pw -s SCRAM-SHA-256 -p pencil` writes this form; the values
    // are those of RFC 7677's example.
    let text = "4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,\
                wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    let secrets = Secrets::parse(text).unwrap();
    assert!(secrets.matches(b"pencil"));
    assert!(!secrets.matches(b"pencils"));
    for bad in [
        "",
        "4096",
        "0,W22Z,AA==,AA==",
        &text[..text.len() - 4],
        &format!("{text},x"),
    ] {
        assert!(Secrets::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn made_up_secrets_are_stable() {
    let (a, b) = (
        Secrets::unmatchable(b"seed", 16, 4096),
        Secrets::unmatchable(b"seed", 16, 4096),
    );
    assert_eq!((a.salt(), a.salt().len()), (b.salt(), 16));
    assert_ne!(a.salt(), Secrets::unmatchable(b"tree", 16, 4096).salt());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn whoever_has_the_password_gets_in_and_nobody_else(
        user in "[a-z,= é]{1,20}",
        password in "[ -~]{1,30}",
        other in "[ -~]{1,30}",
        salt in proptest::collection::vec(proptest::prelude::any::<u8>(), 1..40),
    ) {
        let quoted = user.replace('=', "=3D").replace(',', "=2C");
        let bare = format!("n={quoted},r=abc");
        for given in [&password, &other] {
            let message = format!("n,,{bare}");
            let first = ClientFirst::parse(message.as_bytes(), false, &Bindings::default()).unwrap();
            proptest::prop_assert_eq!(&first.user, &user);
            let stored = Secrets::derive(password.as_bytes(), &salt, 4096);
            let (exchange, server_first) = first.challenge(stored, "xyz");
            let last = client_final(b"n,,", &bare, &server_first, given.as_bytes());
            let right = matches!(exchange.finish(last.as_bytes()), Ok(Some(_)));
            proptest::prop_assert_eq!(right, given == &password);
        }
    }

    #[test]
    fn nothing_a_client_sends_panics(first in ".{0,60}", last in "[c=biws,rp+x]{0,60}") {
        for (plus, message) in [(false, first.clone()), (true, first), (false, last.clone())] {
            let _ = ClientFirst::parse(message.as_bytes(), plus, &Bindings::default());
        }
        let parsed = ClientFirst::parse(CLIENT_FIRST, false, &Bindings::default()).unwrap();
        let (exchange, _) = parsed.challenge(pencil(), SERVER_NONCE);
        proptest::prop_assert!(!matches!(exchange.finish(last.as_bytes()), Ok(Some(_))));
    }
}
