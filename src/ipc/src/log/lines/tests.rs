use super::*;
use proptest::prelude::*;

fn endpoints(remote: &str) -> Endpoints {
    Endpoints {
        remote: remote.parse().unwrap(),
        local: "[::ffff:192.0.2.1]:143".parse().unwrap(),
    }
}

fn far() -> Endpoints {
    endpoints("[::ffff:192.0.2.7]:4711")
}

fn connection(style: LogStyle, endpoints: &Endpoints) -> Connection<'_> {
    Connection {
        style,
        session: SessionId(12),
        endpoints,
        tls: true,
        secured: false,
    }
}

const ALICE: Login<'static> = Login {
    user: b"alice",
    method: "LOGIN",
};
const COUNTS: SessionCounts = SessionCounts {
    bytes_in: 12,
    bytes_out: 511,
    deleted: 1,
    expunged: 2,
    header_count: 3,
    header_bytes: 4,
    body_count: 5,
    body_bytes: 6,
};
const LASTED: Duration = Duration::from_millis(2500);

#[test]
fn logins() {
    let far = far();
    let line = |style| connection(style, &far).login(ALICE, Some(4242));
    assert_eq!(
        line(LogStyle::Roost),
        "imap-login: Login: user=<alice>, method=LOGIN, rip=192.0.2.7, lip=192.0.2.1, TLS, \
         session=<IMAP-00012>"
    );
    assert_eq!(
        line(LogStyle::Dovecot),
        "imap-login: Login: user=<alice>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, \
         mpid=4242, TLS, session=<IMAP-00012>"
    );
    assert_eq!(
        line(LogStyle::Courier),
        "LOGIN, user=alice, ip=[::ffff:192.0.2.7], port=[4711], protocol=IMAP, starttls=1"
    );
}

#[test]
fn ends_of_sessions() {
    let far = far();
    let line = |style, end| connection(style, &far).ended(ALICE, 77, end, LASTED);
    let logout = Ended::Told(EndReason::Logout, &COUNTS);
    let dovecot = "imap(alice)<77><IMAP-00012>: Disconnected: Logged out in=12 out=511 deleted=1 \
         expunged=2 trashed=0 hdr_count=3 hdr_bytes=4 body_count=5 body_bytes=6";
    assert_eq!(line(LogStyle::Dovecot, logout), dovecot);
    assert_eq!(
        line(LogStyle::Roost, logout),
        format!("{dovecot} time=2.5s, method=LOGIN, rip=192.0.2.7, lip=192.0.2.1, TLS")
    );
    let courier = |word| {
        format!(
            "{word}, user=alice, ip=[::ffff:192.0.2.7], port=[4711], headers=4, body=6, rcvd=12, \
             sent=511, time=2, starttls=1"
        )
    };
    assert_eq!(line(LogStyle::Courier, logout), courier("LOGOUT"));
    let timeout = Ended::Told(EndReason::Timeout, &COUNTS);
    assert_eq!(line(LogStyle::Courier, timeout), courier("TIMEOUT"));
    let kicked = Ended::Told(EndReason::Kicked, &COUNTS);
    assert_eq!(line(LogStyle::Courier, kicked), courier("DISCONNECTED"));
    assert_eq!(
        line(LogStyle::Dovecot, Ended::WorkerDied),
        "imap(alice)<77><IMAP-00012>: Disconnected: Worker died"
    );
}

#[test]
fn failures_are_told_once() {
    let far = far();
    for style in [LogStyle::Roost, LogStyle::Dovecot] {
        let connection = connection(style, &far);
        assert_eq!(connection.failure(ALICE), None);
        let line = connection
            .failures("Disconnected", 3, LASTED, ALICE)
            .unwrap();
        let method = if style == LogStyle::Roost {
            "LOGIN"
        } else {
            "PLAIN"
        };
        assert_eq!(
            line,
            format!(
                "imap-login: Disconnected (auth failed, 3 attempts in 2 secs): user=<alice>, \
                 method={method}, rip=192.0.2.7, lip=192.0.2.1, TLS, session=<IMAP-00012>"
            )
        );
    }
    let connection = connection(LogStyle::Courier, &far);
    assert_eq!(connection.failures("Disconnected", 3, LASTED, ALICE), None);
    assert_eq!(
        connection.failure(ALICE).unwrap(),
        "LOGIN FAILED, user=alice, ip=[::ffff:192.0.2.7], port=[4711]"
    );
    let sasl = Login {
        method: "AUTH=LOGIN",
        ..ALICE
    };
    assert_eq!(
        connection.failure(sasl).unwrap(),
        "LOGIN FAILED, method=LOGIN, ip=[::ffff:192.0.2.7], port=[4711]"
    );
}

#[test]
fn ends_without_a_login() {
    let six = endpoints("[2001:db8::1]:7");
    let nobody = Login {
        user: b"",
        method: "",
    };
    let line = |style, tls, secured| {
        Connection {
            tls,
            secured,
            ..connection(style, &six)
        }
        .aborted(&"Inactivity", "no auth attempts in 2 secs", LASTED, nobody)
    };
    assert_eq!(
        line(LogStyle::Dovecot, false, true),
        "imap-login: Disconnected: Inactivity (no auth attempts in 2 secs): user=<>, \
         rip=2001:db8::1, lip=192.0.2.1, secured, session=<IMAP-00012>"
    );
    assert!(line(LogStyle::Roost, false, false).ends_with("lip=192.0.2.1, session=<IMAP-00012>"));
    assert_eq!(
        line(LogStyle::Courier, false, true),
        "Disconnected, ip=[2001:db8::1], port=[7], time=2"
    );
}

proptest! {
    /// Whatever a client calls itself, a line has one address, one user and
    /// one end.
    #[test]
    fn no_client_can_forge(
        mut user in prop::collection::vec(any::<u8>(), 0..60),
        forged in prop::sample::select(vec![
            ", rip=203.0.113.9", ">, rip=203.0.113.9, session=<x>", ", ip=[203.0.113.9]",
            "\r\nNov 22 05:24:17 h dovecot: imap-login: x", "\" 203.0.113.9 '", "]: LOGIN FAILED",
        ]),
        at in 0usize..60,
    ) {
        let at = at.min(user.len());
        user.splice(at..at, forged.bytes());
        let far = far();
        let login = Login { user: &user, method: "LOGIN" };
        let end = Ended::Told(EndReason::Logout, &COUNTS);
        for &style in LogStyle::ALL {
            let c = connection(style, &far);
            let lines = [
                Some(c.login(login, Some(1))),
                Some(c.ended(login, 1, end, LASTED)),
                c.failure(login),
                c.failures("Disconnected", 1, LASTED, login),
                Some(c.aborted(&"x", "y", LASTED, login)),
            ];
            for line in lines.into_iter().flatten() {
                prop_assert!(!line.chars().any(char::is_control), "{line}");
                prop_assert!(!line.contains("p=203.0.113.9"), "{line}");
                prop_assert!(!line.contains("ip=[203"), "{line}");
                prop_assert!(line.matches("rip=").count() <= 1, "{line}");
                prop_assert!(line.matches('[').count() <= 2, "{line}");
                prop_assert!(!line.contains(['"', '\'']), "{line}");
                prop_assert!(line.matches("LOGIN FAILED").count() <= 1, "{line}");
                prop_assert!(line.matches(" 203.").count() == 0, "{line}");
            }
        }
    }
}
