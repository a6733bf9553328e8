"""Streamlit, told to serve this computer alone, to watch and write nothing, and to keep what is uploaded in memory."""

from collections.abc import Sequence
from pathlib import Path

from starlette.formparsers import MultiPartParser
from streamlit.web import bootstrap

from medvision.application.uploads import MEGABYTES

MAIN = Path(__file__).with_name("main.py")


def settings(address: str, port: int, *, browser: bool) -> dict[str, object]:
    """The options of Streamlit; they win over its configuration files.

    Args:
        address: that is listened to.
        port: likewise.
        browser: open it.
    """
    return {
        "server.address": address,
        "server.port": port,
        "server.headless": not browser,
        "server.showEmailPrompt": False,
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        # Another site whose name leads to this computer must not talk to the app through the browser.
        "server.allowedHosts": [address, "localhost"],
        "server.maxUploadSize": MEGABYTES,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "server.enableStaticServing": False,
        "browser.serverAddress": address,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        # What goes wrong in the program is told in the terminal; a page must not show paths of this computer.
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "logger.hideWelcomeMessage": True,
    }


def serve(runs: Sequence[str], address: str, port: int, *, browser: bool) -> None:
    """Serve the app until it is interrupted.

    Args:
        runs: the run folders.
        address: that is listened to.
        port: likewise, free.
        browser: open it.
    """
    # Above this size a part of an upload would be kept in a file of the temporary folder instead of in memory.
    MultiPartParser.spool_max_size = (MEGABYTES + 1) * 2**20
    options = {name.replace(".", "_"): value for name, value in settings(address, port, browser=browser).items()}
    bootstrap.load_config_options(options)
    bootstrap.run(str(MAIN), False, list(runs), options)
