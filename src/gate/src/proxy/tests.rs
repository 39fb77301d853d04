use super::*;
use proptest::prelude::*;

/// The outcome, and what was left unread.
fn run(bytes: &[u8]) -> (Result<Header, Fault>, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut input = bytes;
        let header = read(&mut input).await;
        (header, input.to_vec())
    })
}

fn of(remote: &str, local: &str) -> Header {
    Header::Of(Endpoints {
        remote: remote.parse().unwrap(),
        local: local.parse().unwrap(),
    })
}

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, rest].concat()
}

#[test]
fn lines_of_text() {
    for (line, expected) in [
        (
            "PROXY TCP4 192.0.2.7 192.0.2.1 4711 143\r\n",
            of("192.0.2.7:4711", "192.0.2.1:143"),
        ),
        (
            "PROXY TCP6 2001:db8::7 2001:db8::1 0 65535\r\n",
            of("[2001:db8::7]:0", "[2001:db8::1]:65535"),
        ),
        ("PROXY UNKNOWN\r\n", Header::Nobodys),
        ("PROXY UNKNOWN ffff::1 what ever 1\r\n", Header::Nobodys),
    ] {
        let (header, rest) = run(format!("{line}a NOOP\r\n").as_bytes());
        assert_eq!(header.unwrap(), expected, "{line}");
        assert_eq!(rest, b"a NOOP\r\n", "{line}");
    }
}

#[test]
fn what_is_no_header() {
    for line in [
        "a LOGIN u secret\r\n",
        "proxy TCP4 192.0.2.7 192.0.2.1 4711 143\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 4711\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 4711 143 1\r\n",
        "PROXY TCP4 192.0.2.7  192.0.2.1 4711 143\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::1 4711 143\r\n",
        "PROXY TCP6 192.0.2.7 192.0.2.1 4711 143\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 65536 143\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 0143 143\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 +143 143\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 4711 143\n",
        "PROXY UDP4 192.0.2.7 192.0.2.1 4711 143\r\n",
    ] {
        assert!(run(line.as_bytes()).0.is_err(), "{line}");
    }
    let endless = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 500]].concat();
    let (fault, rest) = run(&endless);
    assert!(matches!(fault, Err(Fault::TooLong)));
    assert_eq!(rest.len(), endless.len() - V1_LONGEST);
}

#[test]
fn binary_headers() {
    let own = v2(0x20, 0x11, &[1; 12]);
    assert_eq!(run(&own).0.unwrap(), Header::Own);
    assert_eq!(run(&v2(0x21, 0x00, b"x")).0.unwrap(), Header::Nobodys);
    assert_eq!(run(&v2(0x21, 0x31, &[0; 216])).0.unwrap(), Header::Nobodys);
    for bad in [
        v2(0x11, 0x11, &[1; 12]),
        v2(0x22, 0x11, &[1; 12]),
        v2(0x21, 0x12, &[1; 12]),
        v2(0x21, 0x11, &[1; 11]),
        v2(0x21, 0x21, &[1; 35]),
    ] {
        assert!(matches!(run(&bad).0, Err(Fault::Malformed)), "{bad:?}");
    }
    let (fault, rest) = run(&v2(0x21, 0x11, &[1; V2_LONGEST + 1]));
    assert!(matches!(fault, Err(Fault::TooLong)));
    assert_eq!(rest.len(), V2_LONGEST + 1, "nothing of it was read");
}

/// A proxy beside the server is trusted; who comes through it is not.
#[test]
fn whoever_has_no_address_is_not_trusted() {
    let settings = crate::tests::settings();
    for proxy in ["127.0.0.1:4711", "[::ffff:127.0.0.1]:4711", "[::1]:4711"] {
        let nobody = nobody(proxy.parse().unwrap());
        assert!(nobody.ip().is_unspecified());
        assert!(!settings.is_trusted(nobody.ip()), "{proxy}");
    }
}

fn written(remote: SocketAddr, local: SocketAddr, more: &[u8]) -> Vec<u8> {
    let (family, addresses) = match (remote.ip(), local.ip()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (0x11, [a.octets(), b.octets()].concat()),
        (IpAddr::V6(a), IpAddr::V6(b)) => (0x21, [a.octets(), b.octets()].concat()),
        _ => unreachable!(),
    };
    let ports = [remote.port().to_be_bytes(), local.port().to_be_bytes()].concat();
    v2(0x21, family, &[&addresses[..], &ports, more].concat())
}

fn endpoints() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    let v4 = any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b)));
    let v6 = any::<([u8; 16], [u8; 16])>().prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b)));
    let pair = prop_oneof![v4, v6];
    (pair, any::<(u16, u16)>())
        .prop_map(|((a, b), (p, q))| (SocketAddr::new(a, p), SocketAddr::new(b, q)))
}

proptest! {
    #[test]
    fn what_was_written_is_read_and_no_more(
        (remote, local) in endpoints(),
        more in prop::collection::vec(any::<u8>(), 0..300),
        behind in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let expected = Header::Of(Endpoints { remote, local });
        let binary = written(remote, local, &more);
        let family = if remote.is_ipv4() { 4 } else { 6 };
        let (from, to) = (remote.ip(), local.ip());
        let (p, q) = (remote.port(), local.port());
        let text = format!("PROXY TCP{family} {from} {to} {p} {q}\r\n").into_bytes();
        for header in [binary, text] {
            let (read, rest) = run(&[&header[..], &behind].concat());
            prop_assert_eq!(read.unwrap(), expected.clone());
            prop_assert_eq!(&rest, &behind);
            for cut in [0, 1, header.len() / 2, header.len() - 1] {
                prop_assert!(run(&header[..cut]).0.is_err());
            }
        }
    }

    #[test]
    fn nothing_that_a_proxy_sends_is_taken_amiss(
        begin in prop::sample::select(vec![&b""[..], &SIGNATURE[..], b"PROXY ", b"PROXY TCP4 "]),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        // Neither panics nor reads on for ever.
        let _ = run(&[begin, &bytes].concat());
    }
}
