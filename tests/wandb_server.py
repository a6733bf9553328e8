"""A small W&B server on the loopback: enough for the real client, CLI and agent, and it keeps every byte they send.

It answers what `wandb` 0.31 asks for: GraphQL, the file stream of a run and uploads. It proposes grid and random points
(bayes as random ones): what is proved against it is our side, not the engine of the real server.
"""

import gzip
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import unquote

from tests.wandb_backend import Backend, operation_of

FOREIGN_VARIABLES = ("WANDB_", "XDG_", "MEDVISION_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class Request(NamedTuple):
    """What a client sent; the body as it was before the client compressed it."""

    method: str
    path: str
    body: bytes


class WandbServer(Backend):
    """Serves on a free port of 127.0.0.1 inside a `with`.

    Args:
        proposals: the points that every sweep tries, in this order; None to propose by its `method`.
    """

    def __init__(self, proposals: list[dict[str, Any]] | None = None) -> None:
        self.requests: list[Request] = []
        self._headers: list[bytes] = []
        self._lock = threading.RLock()
        self._http = _Http(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        super().__init__(f"http://127.0.0.1:{self._http.server_address[1]}", proposals)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def environment(self, home: Path) -> dict[str, str]:
        """The variables of a process that knows this server alone.

        Args:
            home: its home folder.
        """
        kept = {
            name: value
            for name, value in os.environ.items()
            if (not name.startswith(FOREIGN_VARIABLES) or name == "MEDVISION_CACHE") and name.lower() not in PROXIES
        }
        # `${interpreter}` of a sweep is the `python` of the PATH.
        search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        return kept | {
            "HOME": str(home),
            "NO_PROXY": "127.0.0.1",
            "PATH": search,
            "WANDB_BASE_URL": self.url,
            "WANDB_API_KEY": "0123456789" * 4,
            "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1",
        }

    def everything(self) -> bytes:
        """All that was ever sent here: methods, paths, headers and bodies."""
        with self._lock:
            sent = [f"{unquote(path)} {path}".encode() + b"\n" + body for _, path, body in self.requests]
            return b"\n".join([*self._headers, *sent])

    def operations(self) -> list[str]:
        """The GraphQL operations that were asked for, in their order."""
        bodies = [json.loads(body) for _, path, body in self.requests if path == "/graphql"]
        return [operation_of(body) for body in bodies]

    def answer(self, method: str, path: str, headers: str, body: bytes) -> tuple[int, Any]:
        """Record a request and answer it: HTTP status, and the value that is sent as JSON."""
        with self._lock:
            self._headers.append(headers.encode())
            self.requests.append(Request(method, path, body))
            parts = [unquote(part) for part in path.partition("?")[0].split("/")[1:]]
            if parts == ["graphql"]:
                return 200, self.answer_query(json.loads(body))
            if parts[0] == "files" and parts[-1] == "file_stream":
                return 200, self.stream(self.run(parts[-2]), json.loads(body))
            if method == "PUT" and parts[0] == "storage":
                self.store(parts[1], parts[2], "/".join(parts[3:]), body)
                return 200, {}
            return 404, {}


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients drop their connections when they end."""


def _handler(server: WandbServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            status, value = server.answer(self.command, self.path, str(self.headers), body)
            sent = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PUT = _answer  # noqa: N815  (names of http.server)

        def log_message(self, *_: object) -> None:
            """The recorded requests are the log."""

    return Handler
