use super::*;

const SHA512: &str = "$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.";

/// Made by `openssl passwd`, crypt(3) and `doveadm pw`, all of "secret".
const HASHES: [&str; 23] = [
    SHA512,
    "$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.",
    "{SHA512-CRYPT}$6$QxTdn8uiezdj3CbL$0tcYoMgLgMHSk5qsH1ugII/rLvI7ST0ZbFFaLaBIKVNc6v.sB9hnhMRBdbO5PqTQgQoX/ykgE9S6cFVR4rt1f1",
    "{CRYPT}$6$rounds=1000$roundsalt$0oYNoemtpMZIRX8om2kSVpAjw8P5P5pxiTVoFwI/3GjmMXe09pWsdsNY1YwdaoWbiv6Yfs7mJF3vB5Gg0.9Dx/",
    "{BLF-CRYPT}$2y$05$8hrHWARa2lhzUqlcMUvY1OBIltMte5mVUWhnHDxGEPmYvT3.J41ia",
    "$2b$05$CCCCCCCCCCCCCCCCCCCCC.pIKrLVkBX9/OvQMSygY1pWEVn72t6na",
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$BDjreFVL0+3KlPeX/H0eKg$OBe7KkooAHjkx/0E/GaymeMVEAZI9kSPKvHWn+rjqy0",
    "$argon2i$v=19$m=32768,t=4,p=1$uaINjRsdYEEscKOZFXL2mg$LlpeOvZ6lgsIqVMO06AH2sDMwg6FuDu9uHlgXGIIuhA",
    "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$rcw1qnvIWAX2k0shnHZoxw$wJ1rJ4g1+/43NnJSq/Xl7bLshy4CWKattaI94dWGzNE",
    "{SCRAM-SHA-256}4096,tYCOk+iL1dNo09EQvwPFww==,XEhMfMuyLt20nihFGZuzZuUukZhK6TEDd4uSZS2WZec=,zxTVp0mA44edEqwt4zGOm98qRMYSfodsmvJjU6dyZN8=",
    "{scram-sha-256}4096,C9H9kFY5bWs9U/XravVOlA==,TH9eBy+33Pj2VMw81eBrb8BnB+znNNARZ1MJaZebQuY=,JeJpr4bUcHB1xfQKe/7sgFcwzwog1s0tsk49Cs2r4Uk=",
    "{PLAIN}secret",
    "{plain}secret",
    "{CLEARTEXT}secret",
    "{PLAIN.B64}c2VjcmV0",
    "{PLAIN.HEX}736563726574",
    "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
    "{SSHA256}clwphKG7aT029KsnZ84OJdQKS5IhWvgJzGVK1j19C3KnLehI",
    "{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/isg==",
    "{SSHA512}egepWRhs37G/Mfohvlc183JfDUE2adnOyTNBLsU0R1e1xU4chYMsQAcrAHR/9woJ+sf7vR0WMboyE5ZP8bk6VgxykUg=",
    "{SHA256.HEX}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
    "{SSHA512.HEX}cac4ad54a6a3ffad92502e1e6f6fa64ea5decee0100039be12db2688b120e25a65e10ad5b092d303019ece5478396bb6d679d76fd5ac30e3f5a87ddbf41ba2adc3897f6f",
    "{sha256}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
];

#[test]
fn hashes_of_other_programs_are_understood() {
    for hash in HASHES {
        let stored = Stored::parse(hash).unwrap_or_else(|e| panic!("{hash}: {e}"));
        assert!(stored.verify(b"secret"), "{hash}");
        assert!(!stored.verify(b"Secret"), "{hash}");
        assert!(!stored.verify(b""), "{hash}");
    }
}

#[test]
fn every_scheme_that_is_named_is_checked() {
    for scheme in roost_accounts::SCHEMES {
        let parsed = Stored::parse(&format!("{{{scheme}}}$6$x"));
        let unknown = Some(SchemeError::Unsupported(scheme.to_owned()));
        assert_ne!(parsed.err(), unknown, "{scheme}");
    }
    for hash in HASHES {
        let scheme = roost_accounts::scheme_of(hash);
        assert!(scheme.is_none_or(roost_accounts::knows_scheme), "{hash}");
    }
}

#[test]
fn passwords_count_as_typed_and_as_prepared() {
    // crypt(3) over the bytes of "m²", which SASLprep makes "m2".
    let typed = "$6$roundsalt$jZXVB4jR4aBl3QLPvf8w5QvMEnFtREOSqtlqpZezRRfcZjZCOr94pnkJ5ldQHv.uEkKf4xT2pQ1vz4AAP1GGZ1";
    assert!(Stored::parse(typed).unwrap().verify("m²".as_bytes()));
    assert!(!Stored::parse(typed).unwrap().verify(b"m2"));
    assert!(Stored::parse("{PLAIN}m2").unwrap().verify("m²".as_bytes()));
}

#[test]
fn long_passwords_are_not_hashed() {
    let plain = format!("{{PLAIN}}{}", "x".repeat(2000));
    assert!(
        !Stored::parse(&plain)
            .unwrap()
            .verify("x".repeat(2000).as_bytes())
    );
}

#[test]
fn what_cannot_match_is_an_error_at_reading() {
    let damaged = |hash: &str| Stored::parse(hash).err();
    assert_eq!(damaged(""), Some(SchemeError::Empty));
    assert_eq!(damaged("{PLAIN}"), Some(SchemeError::Empty));
    for locked in ["*", "!", "!!", "x", "!$6$a$b", "{CRYPT}*"] {
        assert_eq!(damaged(locked), Some(SchemeError::Locked), "{locked}");
    }
    for broken in [
        &SHA512[..SHA512.len() - 1],
        "$6$saltstring",
        "{SHA512-CRYPT}$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.",
        "$2y$05$short",
        "$argon2id$v=19$m=65536,t=3,p=1$BDjreFVL0+3KlPeX/H0eKg",
        "{SCRAM-SHA-256}1,2,3,4",
        "{PLAIN.HEX}7",
        "{PLAIN.HEX}zz",
        "{PLAIN.B64}*",
        "{SSHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
        "{SHA512}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
        "{SHA256}*",
    ] {
        assert!(
            matches!(damaged(broken), Some(SchemeError::Damaged(_))),
            "{broken}"
        );
    }
    for other in ["{MD5}x", "{PLAIN.rot13}x", "plaintext", "$1$a$b"] {
        assert!(
            matches!(damaged(other), Some(SchemeError::Unsupported(_))),
            "{other}"
        );
    }
}

#[test]
fn the_dummy_takes_its_time_and_fits_nothing() {
    assert!(matches!(Stored::dummy(), Stored::ShaCrypt(_)));
    assert!(!Stored::dummy().verify(b"secret"));
}
