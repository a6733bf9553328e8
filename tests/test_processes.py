"""What needs a second process: a kill in the middle, two devices, a built wheel."""

import json
import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import pandas as pd
import pytest
import torch

from medvision.runs import open_run, read_table
from tests.kinds import KINDS, write_experiment

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]


@pytest.fixture(params=KINDS)
def experiment(request, tmp_path) -> Path:
    options = {"schedule": {"name": "plateau", "patience": 1}, "trainer": {"max_epochs": 8, "accelerator": "cpu"}}
    return write_experiment(tmp_path, KINDS[request.param], patients=24, **options) / "discs.yaml"


def start(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "medvision.fit", *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def wait_for_epochs(process: subprocess.Popen, output: Path, count: int) -> Path:
    while True:
        assert process.poll() is None, process.communicate()[0]
        for history in output.glob("*/2*/history.csv"):
            if len(pd.read_csv(history)) >= count:
                return history.parent
        time.sleep(0.01)


def test_kill_nine_then_resume_is_bit_identical(experiment, tmp_path):
    finish(start(experiment, f"--output={tmp_path / 'whole'}"))
    process = start(experiment, f"--output={tmp_path / 'killed'}")
    wait_for_epochs(process, tmp_path / "killed", 3)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    finish(start("--resume", "latest", f"--output={tmp_path / 'killed'}"))
    whole, killed = (open_run(tmp_path / name / "discs") for name in ("whole", "killed"))
    assert whole.predictions.read_bytes() == killed.predictions.read_bytes()
    left, right = (torch.load(run.last, weights_only=True)["state_dict"] for run in (whole, killed))
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_ctrl_c_says_how_to_go_on(experiment, tmp_path):
    process = start(experiment, f"--output={tmp_path / 'runs'}", "--trainer.max_epochs=500")
    folder = wait_for_epochs(process, tmp_path / "runs", 2)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert f"python -m medvision.fit --resume {folder.resolve()}" in output
    finish(start("--resume", folder, "--trainer.max_epochs=3"))


def test_two_devices_predict_what_one_predicts(experiment, tmp_path):
    two_devices = ["--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.max_epochs=2"]
    finish(start(experiment, f"--output={tmp_path / 'two'}", *two_devices))
    assert len(list((tmp_path / "two" / "discs").glob("2*"))) == 1
    two = open_run(tmp_path / "two" / "discs")
    before, metrics = read_table(two.predictions), json.loads(two.metrics.read_text())
    # Every image once, scored as one device scores it.
    assert sorted(before["image"]) == sorted(read_table(two.split).query("split != 'train'")["image"])
    ask(sys.executable, "-m", "medvision.evaluate", two.path, cwd=ROOT)
    after = read_table(two.predictions)
    columns = [name for name in before if name.startswith(("p_", "dice_", "area_", "hd95_"))]
    assert columns
    for name in columns:
        left, right = (table.sort_values("image")[name].to_numpy(float) for table in (before, after))
        assert left == pytest.approx(right, abs=1e-5, nan_ok=True)
    for name, entry in json.loads(two.metrics.read_text())["test"]["image"].items():
        if "low" in entry:
            assert entry["value"] == pytest.approx(metrics["test"]["image"][name]["value"], abs=1e-5)
    masks = after.get("mask", pd.Series(dtype=object))
    assert all((two.path / name).is_file() for name in masks)
    assert not len(masks) or two.animation_gif.is_file()


@pytest.mark.parametrize("experiment", ["classification"], indirect=True)
def test_two_devices_train_what_one_trains(experiment, tmp_path):
    # Without batch norm, which has statistics of its own on each device.
    options = ["--schedule.name=none", "--model.dropout=0", "--data.batch_size=8", "--trainer.max_epochs=2"]
    finish(start(experiment, f"--output={tmp_path / 'one'}", *options))
    finish(start(experiment, f"--output={tmp_path / 'two'}", *options, "--trainer.devices=2", "--trainer.strategy=ddp"))
    left, right = (read_table(open_run(tmp_path / name / "discs").predictions) for name in ("one", "two"))
    pd.testing.assert_frame_equal(left, right, atol=1e-4)


def test_a_built_wheel_installs_and_runs(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("medvision_lightning-*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", wheel], check=True)
    # The stack is taken from this environment; medvision itself from the wheel.
    site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    stack = [path for path in sys.path if path.endswith("site-packages")]
    (site / "stack.pth").write_text("\n".join(stack) + "\n")
    found = ask(python, "-c", "import medvision; print(medvision.__file__)", cwd=tmp_path)
    assert str(site) in found
    medvision = python.with_name("medvision")
    ask(medvision, "samples", "knee_sections", "knees", "--patients", "8", cwd=tmp_path)
    assert (tmp_path / "knees" / "SIMULATED.json").is_file()
    assert "fit" in ask(medvision, cwd=tmp_path)


def ask(*command: object, cwd: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
