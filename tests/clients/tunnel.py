"""Python's imaplib over a command that is logged in already, with four small
messages in INBOX."""

import imaplib
import sys

connection = imaplib.IMAP4_stream(sys.argv[1])
assert connection.state == "AUTH", connection.state
assert b"PREAUTH" in connection.welcome, connection.welcome
assert "UIDPLUS" in connection.capabilities
typ, data = connection.select("INBOX")
assert (typ, data) == ("OK", [b"4"]), (typ, data)
typ, data = connection.append("INBOX", None, None, b"Subject: big\r\n\r\n" + b"x" * 500000 + b"\r\n")
assert typ == "OK", data
connection.noop()
typ, data = connection.fetch("5", "(BODY.PEEK[])")
assert data[0][1].endswith(b"xxx\r\n") and len(data[0][1]) > 500000
assert connection.logout()[0] == "BYE"
print("done")
