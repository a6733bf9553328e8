"""The app in a process of its own, and a real browser that looks at it; both tell of everything they ask others for."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from medvision.errors import MedvisionError

ROOT = Path(__file__).parents[2]
LONGEST_START, LONGEST_ANSWER = 90, 60
NAMES = ("chromium", "google-chrome", "chrome")
RUNNING = re.compile(r"http://127\.0\.0\.1:\d+")


def find_chromium() -> str | None:
    """The browser: `MEDVISION_CHROMIUM`, or one that is installed; None leaves the choice to Playwright."""
    return os.environ.get("MEDVISION_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def free_port() -> int:
    """A port of this computer that nothing listens on; the system gives another one each time."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class ServedApp:
    """The app in a process; its home, temporary, cache and working folders are its own, and empty at the start.

    Args:
        folder: for all of that.
        runs: run folders.
    """

    def __init__(self, folder: Path, runs: Sequence[Path | str]) -> None:
        self.folders = {name: folder / name for name in ("home", "temporary", "cache", "work")}
        for one in self.folders.values():
            one.mkdir(parents=True)
        self.record, self.log = folder / "record.txt", folder / "app.log"
        home, temporary, cache, work = map(str, self.folders.values())
        variables = {"HOME": home, "TMPDIR": temporary, "XDG_CACHE_HOME": cache, "XDG_CONFIG_HOME": home}
        variables |= {"MEDVISION_CACHE": cache, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, str(Path(__file__).with_name("watched_app.py")), str(self.record)]
        # A port of its own: two apps that start at the same moment may both find the first one free.
        command += [*(str(Path(run).absolute()) for run in runs), "--no-browser", f"--port={free_port()}"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=work, env={**os.environ, **variables}, stdout=log, stderr=subprocess.STDOUT
            )
        self.url = self._wait()
        # What the libraries of every command do when they are imported; nothing has been handed in yet.
        self.at_start = len(self._recorded())

    def _wait(self) -> str:
        end = time.monotonic() + LONGEST_START
        while time.monotonic() < end:
            found = RUNNING.search(self.log.read_text())
            if found is not None:
                try:
                    urllib.request.urlopen(f"{found[0]}/_stcore/health", timeout=5).close()
                except (urllib.error.URLError, ConnectionError):
                    pass
                else:
                    return found[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        self.stop()
        raise MedvisionError(f"the app did not start: {self.log.read_text()[-2000:]}")

    def _recorded(self) -> list[str]:
        return self.record.read_text().splitlines()

    def written(self) -> list[str]:
        """What it has opened for writing, made, renamed or started since it listens."""
        return [line for line in self._recorded()[self.at_start :] if line.startswith(("writes", "starts"))]

    def left_behind(self) -> list[str]:
        """Files in its own folders."""
        return [str(file) for folder in self.folders.values() for file in folder.rglob("*")]

    def spoken_to(self) -> list[str]:
        """Addresses of other computers that it has spoken to, or whose names it has asked for."""
        lines = [line for line in self._recorded() if line.startswith("speaks")]
        return [line for line in lines if "127.0.0.1" not in line and "'localhost'" not in line]

    def memory(self) -> float:
        """The most memory that it has had so far, in GiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 2**20

    def stop(self) -> int:
        """End it as Ctrl-C would; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@contextmanager
def serve(folder: Path, runs: Sequence[Path | str]) -> Iterator[ServedApp]:
    """The app as long as the block lasts."""
    app = ServedApp(folder, runs)
    try:
        yield app
    finally:
        app.stop()


class Visitor:
    """One person with a browser window of their own.

    Args:
        browser: of Playwright.
        url: of the app.
        size: of the window, width and height in pixels.
    """

    def __init__(self, browser, url: str, size: tuple[int, int] = (1200, 900)) -> None:
        self.url, self.foreign, self.errors = url, [], []
        self.context = browser.new_context(viewport={"width": size[0], "height": size[1]}, accept_downloads=True)
        self.page = self.context.new_page()
        self.page.set_default_timeout(LONGEST_ANSWER * 1000)
        # Of the context, so that frames, workers and opened windows count, too.
        self.context.on("request", lambda request: self._note(request.url))
        self.page.on("websocket", lambda socket: self._note(socket.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _note(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob", "about") and parts.netloc != urlsplit(self.url).netloc:
            self.foreign.append(url)

    def open(self, address: str = "") -> None:
        """Go to a page, such as `?page=predict`."""
        self.page.goto(f"{self.url}/{address}")
        self.settle()

    def settle(self) -> None:
        """Wait until the app has drawn everything."""
        self.page.wait_for_selector('[data-testid="stApp"][data-test-connection-state="CONNECTED"]')
        for drawn in ("stRadio", "stAlert"):
            self.page.wait_for_selector(f'[data-testid="{drawn}"]', state="attached")
        # A click is noticed a moment later.
        self.page.wait_for_timeout(300)
        self.page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')

    def hand_in(self, *files: Path, until: str = "answered in") -> None:
        """Upload files on the page that is open.

        Args:
            files: any number.
            until: words that the page says once it is done.
        """
        self.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files([str(file) for file in files])
        self.page.get_by_text(until).first.wait_for()
        self.settle()

    def text(self) -> str:
        """What can be read on the page, outside of pictures and charts."""
        return self.page.get_by_test_id("stMain").inner_text()

    def close(self) -> None:
        """Close the window."""
        self.context.close()
