"""Python's imaplib against a server with four small messages in INBOX:
clear text, STARTTLS and TLS, every command the library has a method for."""

import imaplib
import ssl
import sys
import time

port, tls_port, user, password = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def round_trip(connection, first):
    ok(connection.noop())
    ok(connection.namespace())
    assert any(b"INBOX" in line for line in ok(connection.list()))
    assert int(ok(connection.select("INBOX"))[0]) == 4
    uids = ok(connection.uid("SEARCH", None, "ALL"))[0].split()
    assert len(uids) == 4
    data = ok(connection.fetch("1", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
    assert b"Subject: Message" in data[0][1]
    box = "Round%d" % first
    ok(connection.create(box))
    ok(connection.subscribe(box))
    assert any(box.encode() in line for line in ok(connection.lsub()))
    ok(connection.append(box, r"(\Seen)", imaplib.Time2Internaldate(time.time()),
                         b"Subject: appended\r\n\r\nbody\r\n"))
    ok(connection.copy("1:2", box))
    assert b"MESSAGES 3" in ok(connection.status(box, "(MESSAGES UNSEEN)"))[0]
    ok(connection.select(box))
    assert ok(connection.search(None, "SUBJECT", '"appended"'))[0] == b"1"
    ok(connection.store("1", "+FLAGS", r"(\Deleted)"))
    assert ok(connection.expunge()) == [b"1"]
    ok(connection.check())
    ok(connection.close())
    ok(connection.rename(box, box + "-b"))
    ok(connection.unsubscribe(box))
    ok(connection.delete(box + "-b"))
    assert connection.logout()[0] == "BYE"


plain = imaplib.IMAP4("127.0.0.1", port)
plain.login(user, password)
round_trip(plain, 1)

upgraded = imaplib.IMAP4("127.0.0.1", port)
upgraded.starttls(context)
upgraded.authenticate("PLAIN", lambda _: b"\0%s\0%s" % (user.encode(), password.encode()))
round_trip(upgraded, 2)

secure = imaplib.IMAP4_SSL("127.0.0.1", tls_port, ssl_context=context)
secure.login(user, password)
round_trip(secure, 3)

wrong = imaplib.IMAP4("127.0.0.1", port)
try:
    wrong.login(user, "not it")
except imaplib.IMAP4.error as e:
    assert "AUTHENTICATIONFAILED" in str(e), e
else:
    raise AssertionError("a wrong password was taken")
print("done")
