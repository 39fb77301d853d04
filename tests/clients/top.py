#!/usr/bin/python3
"""roostctl top on a pseudo-terminal: `top.py ROOSTCTL CONFIG`.

u and v are connected; v's connection is ended by keys. Then the program is ended
by a key and, in a second round, by a signal: the terminal must be as before. In
a third one the terminal goes away.
"""

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time

LIMIT = 60


class Terminal:
    def __init__(self):
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 100))
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.child = subprocess.Popen(
            [sys.argv[1], "-c", sys.argv[2], "top"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "xterm"},
        )
        self.shown = b""

    def wait_for(self, text):
        until = time.monotonic() + LIMIT
        while text not in self.shown:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                self.child.kill()
                sys.exit(f"{text} was not shown: {self.shown[-3000:]!r}")
            self.shown += os.read(self.master, 65536)

    def press(self, keys):
        self.shown = b""
        os.write(self.master, keys)

    def ends(self):
        if self.child.wait(LIMIT) != 0:
            sys.exit("it failed")
        self.wait_for(b"\x1b[?1049l")
        if termios.tcgetattr(self.slave) != self.before:
            sys.exit("the terminal is not as it was")


top = Terminal()
top.wait_for(b"\x1b[?1049h")
top.wait_for(b"2 connections")
top.press(b"/v")
top.wait_for(b"Filter: v_")
top.press(b"\r")
top.wait_for(b"[v]")
top.press(b"k")
top.wait_for(b" of v? (y/n)")
top.press(b"y")
top.wait_for(b"was told to end")
top.press(b"q")
top.ends()

top = Terminal()
top.wait_for(b"1 connection, ")
top.child.send_signal(signal.SIGTERM)
top.ends()

top = Terminal()
top.wait_for(b"1 connection, ")
os.close(top.slave)
os.close(top.master)
top.child.wait(LIMIT)
