import socket
import subprocess
import sys

import pytest

from medvision import app
from medvision.application import server
from medvision.errors import ConfigError, RunError
from tests.finished_runs import write_finished_run


@pytest.fixture
def started(monkeypatch):
    """What was served instead of serving it."""
    calls = []
    monkeypatch.setattr(server, "serve", lambda *given, **named: calls.append((*given, named)))
    return calls


@pytest.fixture
def run(tmp_path):
    return str(write_finished_run(tmp_path / "knee" / "1").path)


def taken():
    other = socket.socket()
    other.bind(("127.0.0.1", 0))
    other.listen()
    return other


def test_runs_are_served_to_this_computer_alone(started, run, capsys):
    with taken() as other:
        free = other.getsockname()[1]
    app.main([run, "--port", str(free), "--no-browser"])
    assert started == [((run,), "127.0.0.1", free, {"browser": False})]
    assert f"http://127.0.0.1:{free} " in capsys.readouterr().out
    app.main([run])
    assert started[1][-1] == {"browser": True}
    assert started[1][2] >= app.FIRST_PORT


def test_the_next_port_is_taken_where_none_was_asked_for(started, run, monkeypatch):
    with taken() as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(app, "FIRST_PORT", port)
        app.main([run])
        assert started[0][2] > port
        with pytest.raises(ConfigError, match=f"--port: {port} of 127.0.0.1 cannot be used: .* name another"):
            app.main([run, "--port", str(port)])


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_what_is_no_port_is_refused(started, run, port):
    with pytest.raises(ConfigError, match="--port"):
        app.main([run, f"--port={port}"])
    assert not started


def test_other_addresses_are_not_offered(started, run):
    for option in ("--address=0.0.0.0", "--host=0.0.0.0", "--server.address=0.0.0.0"):
        with pytest.raises(ConfigError, match="unknown option"):
            app.main([run, option])
    assert not started


def test_a_folder_that_is_no_run_is_refused_before_anything_is_served(started, run, tmp_path):
    with pytest.raises(RunError, match="no run folder"):
        app.main([run, str(tmp_path)])
    with pytest.raises(ConfigError, match="RUN"):
        app.main([])
    assert not started


def test_without_streamlit_the_extra_is_named(run):
    program = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('streamlit', 'torch', 'altair', 'starlette'): raise ImportError(name)\n"
        "import importlib.util as util\n"
        "known = util.find_spec\n"
        "util.find_spec = lambda name, package=None: None if name == 'streamlit' else known(name, package)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from medvision import app\n"
        "from medvision.command import run\n"
        f"run(app.main, [{run!r}])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "medvision: the app needs an extra: pip install 'medvision-lightning[app]'\n"
