"""Pages opened in a headless Chromium that is driven through pipes: what they ask for, and how they look."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "about:blank")
# Descriptors on which Chromium hears and answers with the option.
_PIPE, _HEARD, _SAID = "--remote-debugging-pipe", 3, 4
_PATIENCE_S = 60


@contextlib.contextmanager
def browser():
    """Give a browser with one empty page; skips the test where there is none."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        raise unittest.SkipTest("needs Chromium")
    import fcntl  # Windows has none

    with contextlib.ExitStack() as stack:
        profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        hears, tells = os.pipe()
        listens, says = os.pipe()
        # Out of the way of the two, to which they are moved in the new process.
        theirs = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 10) for one in (hears, says)]
        process = subprocess.Popen(
            [program, *_OPTIONS, _PIPE, f"--user-data-dir={profile}"],
            stdout=-3, stderr=-3, close_fds=False,
            preexec_fn=lambda: (os.dup2(theirs[0], _HEARD), os.dup2(theirs[1], _SAID)),
        )  # fmt: skip
        for one in (hears, says, *theirs):
            os.close(one)
        stack.callback(process.wait)
        pipes = [stack.enter_context(open(*one, buffering=0)) for one in ((tells, "wb"), (listens, "rb"))]
        yield Browser(*pipes)


class Browser:
    """One page of Chromium, to which commands of its DevTools protocol are written."""

    def __init__(self, tells, listens):
        self._tells, self._listens = tells, listens
        self._session, self._number = None, 0
        self.events, self._heard = [], b""
        (target, *_) = self.call("Target.getTargets")["targetInfos"]
        self._session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """Return the answer to a command; events that come before it are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._tells.write(json.dumps(message).encode() + b"\0")
        while (said := self._hear()).get("id") != self._number:
            continue
        if "error" in said:
            raise RuntimeError(f"{method}: {said['error']['message']}")
        return said["result"]

    def _hear(self):
        while b"\0" not in self._heard:
            if not select.select([self._listens], [], [], _PATIENCE_S)[0]:
                raise TimeoutError("Chromium does not answer")
            if not (more := self._listens.read(1 << 16)):
                raise EOFError("Chromium ended")
            self._heard += more
        said, _, self._heard = self._heard.partition(b"\0")
        message = json.loads(said)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, path, width):
        """Load a page of a file at a width in pixels; what pops up is closed."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.events.clear()
        self.call("Page.navigate", url=Path(path).absolute().as_uri())
        while not self.happened("Page.loadEventFired"):
            if self._hear().get("method") == "Page.javascriptDialogOpening":
                self.call("Page.handleJavaScriptDialog", accept=True)

    def happened(self, method):
        """Return what is known of each event of a kind since the page was opened."""
        return [one["params"] for one in self.events if one["method"] == method]

    def asked(self):
        """Return the addresses that the page asked for, but for its own and what it holds itself."""
        urls = [one["request"]["url"] for one in self.happened("Network.requestWillBeSent")]
        return [url for url in urls[1:] if not url.startswith("data:")]

    def evaluate(self, expression):
        """Return the value of an expression of JavaScript in the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def picture(self):
        """Return the whole page as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def pdf(self):
        """Return the page as it is printed on A4."""
        said = self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=True)
        return base64.b64decode(said["data"])
