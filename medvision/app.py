"""Show runs in the browser: their test images, training and report, and what they say of images of your own.

Any number of runs; the app is for this computer alone, and stops with Ctrl-C:

    python -m medvision.app runs/double_contour/latest
    python -m medvision.app runs/nerve_us/latest runs/hip_us/latest --port 8600

Nothing is sent to any other computer, and images that are handed in are never written to disk. It needs an extra:
pip install 'medvision-lightning[app]'
"""

import importlib.util
import socket
import sys
from argparse import Namespace
from contextlib import closing

from medvision import DISTRIBUTION
from medvision.command import Parser, run
from medvision.errors import ConfigError

ADDRESS = "127.0.0.1"
FIRST_PORT, PORTS = 8501, 100


def main(argv: list[str]) -> None:
    """Serve the app until it is interrupted.

    Args:
        argv: the options of the command line.

    Raises:
        ConfigError: Streamlit is missing, or the port is taken.
        RunError: no run.
    """
    options = _parse(argv)
    port = _free_port(options.port)
    # Late imports: torch and Streamlit take seconds, which a mistake in the options need not wait for.
    from medvision.application import server
    from medvision.application.opened import open_runs

    names = tuple(options.runs)
    open_runs(names)
    print(f"app: http://{ADDRESS}:{port} (Ctrl-C stops it)", flush=True)
    server.serve(names, ADDRESS, port, browser=options.browser)


def _parse(argv: list[str]) -> Namespace:
    parser = Parser("app", __doc__)
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run folders, or `latest`")
    parser.add_argument("--port", type=int, help=f"of this computer (default: the first free one from {FIRST_PORT} on)")
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="do not open the browser")
    options = parser.parse(argv)
    if options.port is not None and not 1 <= options.port <= 65535:
        raise ConfigError(f"--port: {options.port} is no port; give a number from 1024 to 65535")
    if importlib.util.find_spec("streamlit") is None:
        raise ConfigError(f"the app needs an extra: pip install '{DISTRIBUTION}[app]'")
    return options


def _free_port(wanted: int | None) -> int:
    candidates = range(FIRST_PORT, FIRST_PORT + PORTS) if wanted is None else [wanted]
    for port in candidates:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as trial:
            # As the server itself will: a port of a server that has just stopped is free.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((ADDRESS, port))
            except OSError as error:
                reason = error.strerror or str(error)
            else:
                return port
    raise ConfigError(f"--port: {candidates[-1]} of {ADDRESS} cannot be used: {reason}; name another with --port")


if __name__ == "__main__":
    sys.exit(run(main))
