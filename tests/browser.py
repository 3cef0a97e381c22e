"""Headless Chromium, spoken to through a pipe in the protocol of its developer tools; needs nothing but the browser."""

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""The browser's path, None where there is none."""

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


START = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3]]
for end, place in zip(ends, (3, 4)):
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Starts the browser, which reads its commands from descriptor 3 and writes to 4."""


class Browser:
    """One tab. said: what the page wrote to the console or threw. requested: the addresses that it asked for."""

    def __init__(self, process, commands, answers):
        self.process, self.commands, self.answers = process, commands, answers
        self.numbers, self.session, self.said, self.requested, self.loaded = itertools.count(1), None, [], [], False
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")

    def do(self, method, **parameters):
        """Send a command and return its result; events on the way are noted."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        while (found := self._next()).get("id") != number:
            pass
        assert "error" not in found, found["error"]
        return found["result"]

    def _next(self):
        """The next message."""
        text = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "the browser has closed its pipe"
            text += byte
        found = json.loads(text)
        method, told = found.get("method"), found.get("params", {})
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.said.append(json.dumps(told))
        if method == "Network.requestWillBeSent":
            self.requested.append(told["request"]["url"])
        self.loaded = self.loaded or method == "Page.loadEventFired"
        return found

    def open(self, path):
        """Open a file and wait until it is loaded."""
        self.loaded = False
        self.do("Page.navigate", url=path.absolute().as_uri())
        while not self.loaded:
            self._next()

    def see(self, width, dark=False, height=900):
        """Give the page another width, in CSS pixels, and a theme."""
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.do("Emulation.setEmulatedMedia", features=[theme])

    def run(self, script):
        """The value of a JavaScript expression."""
        found = self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def picture(self):
        """The whole page as the bytes of a PNG file."""
        return base64.b64decode(self.do("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def print(self):
        """The page as the bytes of a PDF file."""
        return base64.b64decode(self.do("Page.printToPDF", printBackground=False, preferCSSPageSize=True)["data"])


@contextlib.contextmanager
def browser():
    """A Browser, closed at the end."""
    (to_read, to_write), (from_read, from_write) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [sys.executable, "-c", START, str(to_read), str(from_write), PROGRAM, *OPTIONS]
        command.append(f"--user-data-dir={profile}")
        with subprocess.Popen(command, pass_fds=(to_read, from_write), stderr=subprocess.DEVNULL) as process:
            os.close(to_read)
            os.close(from_write)
            with os.fdopen(to_write, "wb") as commands, os.fdopen(from_read, "rb") as answers:
                opened = Browser(process, commands, answers)
                try:
                    yield opened
                finally:
                    opened.session = None
                    with contextlib.suppress(AssertionError, OSError):
                        opened.do("Browser.close")
            process.wait(20)
