"""A client that knows only what is subscribed: LSUB, and each of those
mailboxes opened, read and copied from. Arguments: port, TLS port, user,
password, and the mailboxes that must be there."""

import imaplib
import re
import sys

port, _, user, password, *wanted = sys.argv[1:]
imap = imaplib.IMAP4("127.0.0.1", int(port))
imap.login(user, password)


def ok(answer):
    status, data = answer
    assert status == "OK", answer
    return data


names = []
for line in ok(imap.lsub('""', "*")):
    attributes, separator, name = re.fullmatch(
        rb'\(([^)]*)\) "(.)" "?([^"]*)"?', line
    ).groups()
    assert separator == b"/", line
    assert b"Noselect" not in attributes, line
    names.append(name.decode())
assert sorted(names) == sorted(wanted), names
for name in names:
    count = int(ok(imap.select(name))[0])
    assert count > 0, name
    for number in range(1, count + 1):
        message = ok(imap.fetch(str(number), "(BODY[])"))[0][1]
        assert b"This is body" in message, message
    ok(imap.copy("1", "Copies"))
assert int(ok(imap.select("Copies"))[0]) == len(names)
imap.logout()
print("done")
