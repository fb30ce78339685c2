#!/usr/bin/env python3
"""Records docs/session.md: two people from nothing to a verified conversation, in a terminal.

    docs/session/record.py             builds the programs, starts a relay, and writes the file
    docs/session/record.py --check     compares the file with what the program prints now, and changes nothing

Each command runs in a pseudo-terminal of its own, as it is typed. Python's own library is all that is needed. In the
comparison, whatever is different in each run (keys, links, codes, times) counts as equal.
"""

import argparse
import difflib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs", "session.md")
COLUMNS, LINES = 100, 50
# Longer than anything here takes on a busy machine.
LIMIT = 120


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, arguments, columns=COLUMNS, lines=LINES):
        self.printed = b""
        self.process, self.master = pty.fork()
        if self.process == 0:
            for name in ("SMP_DATA_DIR", "SMP_PASSPHRASE", "SMP_PASSPHRASE_FILE"):
                os.environ.pop(name, None)
            os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.execvp(arguments[0], arguments)

    def read(self):
        """More of what it prints; whether there may be more still."""
        if not select.select([self.master], [], [], LIMIT)[0]:
            raise SystemExit(f"nothing more comes: {self.printed.decode(errors='replace')}")
        try:
            more = os.read(self.master, 65536)
        except OSError:
            # The end, as Linux says it.
            more = b""
        self.printed += more
        return bool(more)

    def until(self, text):
        """Waits until it has printed a text."""
        while text.encode() not in self.printed:
            if not self.read():
                raise SystemExit(f"“{text}” does not come: {self.printed.decode(errors='replace')}")

    def until_code(self):
        """Waits until it has drawn a QR code whole."""
        while True:
            drawn = re.findall(r"(?m)^[ █▀▄]{20,}$", text_of(self.printed))
            if drawn and 2 * len(drawn) >= len(drawn[0]):
                return
            if not self.read():
                raise SystemExit("there is no QR code")

    def type(self, line):
        os.write(self.master, line.encode() + b"\r")

    def end(self):
        """Everything that it printed, when it has ended; it must have succeeded."""
        while self.read():
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        os.close(self.master)
        if code != 0:
            raise SystemExit(f"exit code {code}: {self.printed.decode(errors='replace')}")
        return self.printed


def text_of(printed):
    """What a terminal has printed, without colours."""
    # Cells of a QR code that are drawn white on black are the other half black.
    halves = str.maketrans("▀▄", "▄▀")
    text = re.sub(r"\x1b\[38;5;231;48;5;16m([^\x1b]*)", lambda cells: cells[1].translate(halves), printed.decode(errors="replace"))
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    return "\n".join(line.rstrip() for line in text.replace("\r", "").strip("\n").split("\n"))


class Recording:
    def __init__(self, program, folder):
        self.program, self.folder, self.lines, self.commands = program, folder, [], 0

    def start(self, person, *words):
        arguments = [self.program, "--data-dir", os.path.join(self.folder, person), *words]
        terminal = Terminal(arguments)
        terminal.person, terminal.words = person, words
        # It stands where it was typed, however late it ends.
        terminal.place = len(self.lines)
        return terminal

    def ended(self, terminal):
        """Notes a command and all that was seen of it, once it has ended."""
        text = text_of(terminal.end()).replace(self.folder, "~")
        shown = " ".join(shell_word(word) for word in terminal.words)
        self.lines[terminal.place : terminal.place] = [f"{terminal.person}$ smp {shown}", *text.split("\n"), ""]
        self.commands += 1
        return text

    def run(self, person, *words):
        return self.ended(self.start(person, *words))


def shell_word(word):
    return word if re.fullmatch(r"[A-Za-z0-9_./:-]+", word) else f"'{word}'"


def talk(recording, relay):
    """The session."""
    init = recording.start("alice", "init")
    init.until("call you?")
    init.type("alice")
    init.until("Which relay")
    init.type(relay)
    recording.ended(init)
    invite = recording.start("alice", "invite", "bob", "--wait")
    invite.until_code()
    link = re.search(r"simplex:/i#\S+", invite.printed.decode()).group()
    recording.run("bob", "init", "--name", "bob", "--relay", relay)
    recording.run("bob", "join", link)
    recording.ended(invite)
    code = re.search(r"(\d{5} )+\d{1,5}", recording.run("alice", "verify", "bob")).group()
    recording.run("bob", "verify", "alice", code)
    recording.run("alice", "verify", "bob", code)
    recording.run("bob", "send", "alice", "hello, and nobody in between")
    recording.run("alice", "listen", "--count", "1")


def page(recording):
    session = "\n".join(recording.lines).rstrip()
    return f"""# A session

Two people, each with a machine of their own, from nothing to a verified conversation in {recording.commands} commands. `smp invite --wait` goes on until
bob has joined: its last lines came after `smp join`. Alice reads the security code to bob over another channel, a telephone call for instance; he compares it with
his, says that they are equal, and she marks that too.

Recorded in a terminal of {COLUMNS} columns and {LINES} lines by [`session/record.py`](session/record.py); a test compares it with what the program prints now.

zxing-cpp, zbar and BoofCV read the codes of short and full links from screenshots, in dark and light terminals, with letters of 10 to 28 pixels: all of them where the
terminal draws block characters itself, as most do, and where it takes those of DejaVu Sans Mono. Those of Noto Sans Mono leave gaps between the lines, and zbar reads none;
`--qr code.png` writes a file that all of them read. [`session/scan.py`](session/scan.py) measures it again.

```text
{session}
```
"""


def comparable(text):
    """The page without what is different in each run."""
    text = re.sub(r"(?m)^[ █▀▄]{20,}$\n?", "", re.sub(r"(?m)^(?=.*[█▀▄])[ █▀▄]+$", "▀" * 20, text))
    text = re.sub(r"(\d{5} )+\d{1,5}", "CODE", text)
    text = re.sub(r"simplex:/i#[^\s']+", "LINK", text)
    text = re.sub(r"smp://[^\s')]+", "RELAY", text)
    return re.sub(r"\b\d\d:\d\d:\d\d UTC", "TIME", text)


def relay_of(folder, program):
    """Starts a relay. Returns the process and its address."""
    place = os.path.join(folder, "relay")
    # A port that is free now.
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
    made = subprocess.run([program, "init", "--dir", place, "--host", "127.0.0.1", "--port", port], check=True, capture_output=True, text=True)
    address = re.search(r"smp://\S+", made.stdout + made.stderr).group()
    process = subprocess.Popen([program, "start", "--dir", place], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(port))).close()
            return process, address
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def record(options):
    with tempfile.TemporaryDirectory(prefix="smp-") as folder:
        process, relay = (None, options.relay) if options.relay else relay_of(folder, options.server)
        try:
            recording = Recording(options.smp, folder)
            talk(recording, relay)
            return page(recording)
        finally:
            if process:
                process.send_signal(signal.SIGTERM)
                process.wait()


def arguments(parser):
    parser.add_argument("--smp", help="the program; built if it is left out")
    parser.add_argument("--server", help="the relay's program; built if it is left out")
    parser.add_argument("--relay", help="the address of a relay that runs already")
    options = parser.parse_args()
    if not options.smp:
        subprocess.run(["cargo", "build", "--quiet", "--bin", "smp", "--bin", "smp-server"], cwd=ROOT, check=True)
        options.smp = os.path.join(ROOT, "target", "debug", "smp")
    options.server = options.server or os.path.join(ROOT, "target", "debug", "smp-server")
    return options


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    options = arguments(parser)
    new = record(options)
    if not options.check:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(new)
        return 0
    with open(PAGE, encoding="utf-8") as file:
        old = comparable(file.read()).split("\n")
    differences = list(difflib.unified_diff(old, comparable(new).split("\n"), "docs/session.md", "now", lineterm=""))
    print("\n".join(differences) or "docs/session.md is what the program prints")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
