"""What W&B never gets: real runs and the real client, against a server that keeps every byte that is sent."""

import io
import re
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from medvision.config.settings import Experiment
from medvision.runs import RunFolder, open_run, read_json
from medvision.tracking import finish, wandb_logger
from tests.kinds import KINDS, write_experiment
from tests.wandb_server import WandbServer

ROOT = Path(__file__).parents[1]
PATIENT, FILE, HOME, HOST = "Mueller7391", "knee5527", "annas-home-8264", "ward-station-6418"
PNG = b"\x89PNG\r\n\x1a\n"
# Drawn into every image, where no letterbox touches it.
PATTERN = np.random.default_rng(7391).integers(0, 256, (4, 8), dtype=np.uint8)
# Every place in which a client can read the name of the machine.
HIDDEN_HOST = f"""
import platform, runpy, socket, sys
socket.gethostname = platform.node = lambda: {HOST!r}
sys.argv = sys.argv[1:]
"""
FIT = HIDDEN_HOST + "runpy.run_module('medvision.fit', run_name='__main__', alter_sys=True)"

OFFLINE = """
import sys
from pathlib import Path
import medvision.training
from medvision.config.settings import Experiment
from medvision.runs import RunFolder
from medvision.tracking import current_run, finish, wandb_logger
from wandb.sdk import wandb_setup
print(f"imported: {'timm' in sys.modules}, session: {wandb_setup._singleton}")
experiment = Experiment(name="x", data={}, model={}, tracking={"wandb": "offline"})
(logger,) = wandb_logger(experiment, RunFolder(Path("run")))
logger.log_metrics({"val/loss": 0.5}, step=1)
read = current_run().settings
print("private:", read.save_code, read.disable_git, read.console, read.x_disable_machine_info,
    read.x_disable_meta, read.x_save_requirements, read.host)
finish(0)
"""


@pytest.fixture
def home(tmp_path) -> Path:
    """The home folder of a user, with images of patients in it."""
    home = tmp_path / HOME
    kind = KINDS["classification"]
    write_experiment(home / "clinic", kind, trainer={"max_epochs": 2, "accelerator": "cpu"})
    for file in sorted((home / "clinic" / "images").rglob("*.png")):
        image = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        image[10:14, 10:18] = PATTERN
        number, turn = re.fullmatch(r"p(\dx\d+)_(\d)", file.stem).groups()
        cv2.imwrite(str(file.with_name(f"{FILE}-{PATIENT}{number}_{turn}.png")), image)
        file.unlink()
    return home


@pytest.fixture
def server():
    with WandbServer() as server:
        yield server


def ask(environment: dict[str, str], folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def fit(server: WandbServer, home: Path, mode: str, *options: str) -> str:
    """Fit the experiment of a home folder as its user does, with the images in the order of their names."""
    pattern = "--data.patient_pattern=-(?P<patient>[^-]+)_[0-9]+.png$"
    return ask(
        server.environment(home),
        home / "clinic",
        *("-c", FIT, "medvision.fit", str(home / "clinic" / "discs.yaml"), pattern),
        *(f"--output={home / 'runs'}", f"--tracking.wandb={mode}", *options),
    )


def pictures(server: WandbServer) -> list[np.ndarray]:
    """Every picture among the requests, wherever it is in them."""
    found = []
    for request in server.requests:
        for start in (match.start() for match in re.finditer(re.escape(PNG), request.body)):
            image = cv2.imdecode(np.frombuffer(request.body[start:], np.uint8), cv2.IMREAD_GRAYSCALE)
            found += [] if image is None else [image]
    return found


def told(server: WandbServer) -> set[str]:
    """The markers that arrived."""
    sent = server.everything()
    markers = {name: name.encode() for name in (PATIENT, FILE, HOME, HOST)}
    markers["pixels"] = PATTERN[0].tobytes()
    markers["host"] = f'"{socket.gethostname()}"'.encode()
    found = {name for name, content in markers.items() if content in sent}
    shows = any(np.array_equal(image[10:14, 10:18], PATTERN) for image in pictures(server))
    return found | ({"pixels"} if shows else set())


@pytest.mark.slow
def test_an_online_run_tells_no_marker(server, home):
    output = fit(server, home, "online")
    (arrived,) = server.runs.values()
    run = open_run(home / "runs" / "discs")
    assert f"W&B: {server.url}, run {server.url}/clinic/medvision/runs/{arrived.name}" in output
    assert told(server) == set()
    assert [name.split("/")[2] for name in arrived.files if name.startswith("media/")] == ["test"]
    assert arrived.history[-1]["test/confusion_matrix"]["caption"] == "images of the test split"
    # The salt would bring the names back to who can guess them.
    assert read_json(run.tracking)["salt"].encode() not in server.everything()
    # It is not for want of a run: its curve and results are there, and the names are in its folder.
    assert [row["epoch"] for row in arrived.history if "val/loss" in row] == [0, 1]
    assert arrived.summary["test/auroc"] == pytest.approx(read_json(run.metrics)["test"]["image"]["auroc"]["value"])
    assert arrived.config["data"]["root"] == "images"
    assert arrived.exitcode == 0
    assert pd.read_csv(run.predictions)["patient"].str.contains(PATIENT).all()
    assert PATIENT in run.predictions.read_text()
    assert FILE in run.predictions.read_text()
    # Nothing of the client's stays outside the run folder.
    assert not [path for path in home.rglob("*wandb*") if not path.is_relative_to(run.logs)]


@pytest.mark.slow
def test_an_offline_run_asks_for_nothing_and_tells_no_marker_when_it_is_sent(server, home):
    output = fit(server, home, "offline")
    assert server.requests == []
    run = open_run(home / "runs" / "discs")
    (folder,) = run.logs.glob("wandb/offline-run-*")
    assert f"W&B: not sent; this sends it: cd {run.logs} && wandb sync wandb/{folder.name}" in output
    ask(server.environment(home), run.logs, "-m", "wandb", "sync", f"wandb/{folder.name}")
    (arrived,) = server.runs.values()
    assert arrived.name == read_json(run.tracking)["id"]
    assert [row["epoch"] for row in arrived.history if "val/loss" in row] == [0, 1]
    assert told(server) == set()


@pytest.mark.slow
def test_only_who_asks_for_images_and_checkpoints_sends_them(server, home):
    fit(server, home, "online", "--tracking.images=true", "--tracking.checkpoints=true")
    assert told(server) == {"pixels"}
    assert len([image for image in pictures(server) if image.shape == (32, 32)]) == 8
    (model,) = (artifact for artifact in server.artifacts.values() if artifact.type == "model")
    run = open_run(home / "runs" / "discs")
    sent, kept = torch.load(io.BytesIO(model.files["best.ckpt"])), torch.load(run.best, weights_only=True)
    assert sent["state_dict"].keys() == kept["state_dict"].keys()
    assert all(torch.equal(value, kept["state_dict"][name]) for name, value in sent["state_dict"].items())


def leaks(server: WandbServer, folder: Path) -> set[str]:
    """What a run without a training tells, opened in this process."""
    before = len(server.requests)
    experiment = Experiment.model_validate({"name": "knees", "data": {}, "model": {}, "tracking": {"wandb": "online"}})
    (logger,) = wandb_logger(experiment, RunFolder(folder))
    print(FILE, flush=True)
    logger.log_metrics({"val/loss": 0.5}, step=1)
    finish(0)
    sent = b"".join(request.path.encode() + request.body for request in server.requests[before:])
    (folder / "sent").write_bytes(sent)
    files = {name for run in server.runs.values() for name in run.files}
    found = {FILE} if FILE.encode() in sent else set()
    found |= {"telemetry"} if b"/sdk/otel" in sent else set()
    found |= {"host"} if {run.host for run in server.runs.values()} - {None} else set()
    return found | ({"requirements"} if "requirements.txt" in files else set())


@pytest.mark.parametrize(
    ("variable", "value", "leak"),
    [
        ("WANDB_ERROR_REPORTING", "true", "telemetry"),
        ("WANDB_CONSOLE", "wrap", FILE),
        ("WANDB_X_SAVE_REQUIREMENTS", "true", "requirements"),
    ],
)
def test_a_variable_keeps_something_back(server, tmp_path, monkeypatch, variable, value, leak):
    for name, chosen in server.environment(tmp_path / HOME).items():
        monkeypatch.setenv(name, chosen)
    assert leaks(server, tmp_path / "private") == set()
    # The user's own choice is left to the user.
    monkeypatch.setenv(variable, value)
    assert leaks(server, tmp_path / "chosen") == {leak}


@pytest.mark.slow
@pytest.mark.parametrize(("choice", "requests"), [({}, False), ({"WANDB_ERROR_REPORTING": "true"}, True)])
def test_the_client_reads_its_variables_after_they_are_set(server, tmp_path, choice, requests):
    told = ask(server.environment(tmp_path) | choice, tmp_path, "-c", OFFLINE).splitlines()
    # timm imports the client, which has read nothing by then.
    assert told[0] == "imported: True, session: None"
    assert told[1] == "private: False True off True True False hidden"
    # Offline it would still send telemetry, when the process ends.
    assert bool(server.requests) == requests
