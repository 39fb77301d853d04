"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677) spoken by hand,
so that the server is checked by something other than itself."""

import base64
import hashlib
import hmac
import imaplib
import os
import ssl
import sys

port, tls_port, user, password = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE


class Scram:
    def __init__(self, gs2, binding, password):
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.bare = "n=%s,r=%s" % (user, self.nonce)
        self.gs2, self.binding, self.password = gs2, binding, password
        self.step = 0
        self.signature = None

    def __call__(self, challenge):
        self.step += 1
        if self.step == 1:
            return (self.gs2 + self.bare).encode()
        if self.step == 2:
            text = challenge.decode()
            fields = dict(f.split("=", 1) for f in text.split(","))
            assert fields["r"].startswith(self.nonce) and int(fields["i"]) >= 4096
            salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(),
                                         base64.b64decode(fields["s"]), int(fields["i"]))
            client_key = hmac.digest(salted, b"Client Key", "sha256")
            bound = base64.b64encode(self.gs2.encode() + self.binding).decode()
            final = "c=%s,r=%s" % (bound, fields["r"])
            message = ",".join([self.bare, text, final]).encode()
            proof = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
            proof = bytes(a ^ b for a, b in zip(client_key, proof))
            server_key = hmac.digest(salted, b"Server Key", "sha256")
            self.signature = hmac.digest(server_key, message, "sha256")
            return (final + ",p=" + base64.b64encode(proof).decode()).encode()
        assert base64.b64decode(challenge.decode()[2:]) == self.signature
        return b""


def login(connection, mechanism, gs2, binding=b"", word=password):
    scram = Scram(gs2, binding, word)
    connection.authenticate(mechanism, scram)
    assert scram.signature is not None and scram.step == 3
    assert connection.select("INBOX")[0] == "OK"
    connection.logout()


def refused(make, *arguments, **more):
    try:
        login(make(), *arguments, **more)
    except imaplib.IMAP4.error:
        return
    raise AssertionError("must be refused: %r" % (arguments,))


def plain():
    return imaplib.IMAP4("127.0.0.1", port)


def secure():
    return imaplib.IMAP4_SSL("127.0.0.1", tls_port, ssl_context=context)


def end_point(connection):
    certificate = connection.sock.getpeercert(binary_form=True)
    return hashlib.sha256(certificate).digest()


login(plain(), "SCRAM-SHA-256", "n,,")
refused(plain, "SCRAM-SHA-256", "n,,", word="wrong")

assert "AUTH=SCRAM-SHA-256-PLUS" in secure().capabilities
assert "AUTH=SCRAM-SHA-256-PLUS" not in plain().capabilities
connection = secure()
login(connection, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", end_point(connection))
refused(secure, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", b"\0" * 32)
# Saying that the server has no channel binding, where it offers it, is the
# mark of somebody in between (RFC 5802 section 6).
refused(secure, "SCRAM-SHA-256", "y,,")
login(secure(), "SCRAM-SHA-256", "n,,")
print("done")
