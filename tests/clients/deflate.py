"""A client with COMPRESS=DEFLATE (RFC 4978) over clear text and TLS: one
window for the whole session, also across IDLE, and flushes of every kind."""

import socket
import ssl
import sys
import zlib

port, tls_port, user, password = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]


class Client:
    def __init__(self, tls):
        self.socket = socket.create_connection(("127.0.0.1", tls_port if tls else port))
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.packer = self.unpacker = None
        self.read = b""
        self.line()

    def line(self):
        while b"\r\n" not in self.read:
            octets = self.socket.recv(65536)
            assert octets, "closed"
            self.read += self.unpacker.decompress(octets) if self.unpacker else octets
        line, self.read = self.read.split(b"\r\n", 1)
        return line

    def send(self, octets, flush=zlib.Z_SYNC_FLUSH):
        if self.packer:
            octets = self.packer.compress(octets) + self.packer.flush(flush)
        self.socket.sendall(octets)

    def until(self, start):
        lines = [self.line()]
        while not lines[-1].startswith(start):
            lines.append(self.line())
        return lines

    def ok(self, command, flush=zlib.Z_SYNC_FLUSH):
        self.send(b"x " + command + b"\r\n", flush)
        lines = self.until(b"x ")
        assert lines[-1].startswith(b"x OK"), lines
        return lines

    def compress(self):
        self.ok(b"COMPRESS DEFLATE")
        self.packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        self.unpacker = zlib.decompressobj(-15)


def converse(tls):
    client = Client(tls)
    client.ok(b"LOGIN %s %s" % (user.encode(), password.encode()))
    client.compress()
    client.send(b"y COMPRESS DEFLATE\r\n")
    assert client.until(b"y ")[-1].startswith(b"y NO [COMPRESSIONACTIVE]")
    client.ok(b"SELECT INBOX")
    # The window is full of this, and later commands refer back to it.
    text = b"".join(b"line %d of a message that is no secret\r\n" % n for n in range(3000))
    client.send(b"x APPEND INBOX {%d}\r\n" % len(text))
    assert client.line().startswith(b"+ ")
    client.send(text)
    client.send(b"\r\n")
    assert client.until(b"x ")[-1].startswith(b"x OK")
    for flush in (zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH):
        client.send(b"x IDLE\r\n", flush)
        client.until(b"+ ")
        other = Client(False)
        other.ok(b"LOGIN %s %s" % (user.encode(), password.encode()))
        other.send(b"x APPEND INBOX {6+}\r\nx:y\r\n\n\r\n")
        other.until(b"x OK")
        assert client.until(b"* ")[-1].endswith(b" EXISTS")
        client.send(b"DONE\r\n", flush)
        client.until(b"x OK")
        # Refers back to what was sent before IDLE.
        client.ok(b"NOOP", flush)
        client.send(b'x SEARCH TEXT "line 2999 of a message that is no secret"\r\n', flush)
        found = client.until(b"x ")
        assert found[-1].startswith(b"x OK") and b"* SEARCH" in found[0], found
    body = client.ok(b"FETCH 1:* BODY.PEEK[]")
    assert any(b"line 2999 of" in line for line in body)
    assert client.ok(b"LOGOUT")[0].startswith(b"* BYE")


converse(False)
converse(True)
print("done")
