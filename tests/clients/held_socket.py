"""Holds a listening socket as systemd does, starts roostd with it, and again:
held_socket.py ROOSTD CONFIG PORT USER PASSWORD"""

import imaplib
import os
import signal
import socket
import sys

roostd, config, port, user, password = sys.argv[1:]
socket.setdefaulttimeout(30)
held = socket.socket()
held.settimeout(None)
held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
held.bind(("127.0.0.1", int(port)))
held.listen(16)


def start():
    pid = os.fork()
    if pid:
        return pid
    if held.fileno() != 3:
        os.dup2(held.fileno(), 3)
    os.set_inheritable(3, True)
    own = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    os.execve(roostd, ["roostd", "-c", config], {**os.environ, **own})


def end(pid):
    os.kill(pid, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def use(client):
    assert b"ready" in client.welcome, client.welcome
    client.login(user, password)
    client.select()
    client.logout()


first = start()
# Nobody else could listen there: it is ours that is served.
use(imaplib.IMAP4("127.0.0.1", int(port)))
end(first)
# No server runs, and a client that connects now is not refused.
waiting = socket.create_connection(("127.0.0.1", int(port)))
second = start()
greeting = waiting.recv(1000)
assert greeting.startswith(b"* OK"), greeting
waiting.close()
use(imaplib.IMAP4("127.0.0.1", int(port)))
end(second)
