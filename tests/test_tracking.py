import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import wandb

from medvision import tracking
from medvision.config.settings import Experiment, TrackingSettings
from medvision.errors import ConfigError
from medvision.runs import RunFolder, read_json, write_json
from medvision.tracking import (
    TrackingError,
    current_run,
    finish,
    hash_name,
    log_parent,
    wandb_logger,
    wandb_mode,
    without_folders,
)
from tests.wandb_server import WandbServer

NESTED = {
    "model": {"task": "classification", "dropout": 0.5},
    "optimizer": {"lr": 1e-5},
    "trainer": {"max_epochs": 3},
}


def experiment_of(mode: str = "off", **sections: object) -> Experiment:
    """An experiment whose settings are read as a run of W&B would record them."""
    return Experiment.model_validate(
        {"name": "knees", "data": {"root": "/home/anna/knees"}, "tracking": {"wandb": mode}, **NESTED, **sections}
    )


@pytest.fixture
def user(tmp_path, monkeypatch):
    """The variables of a user who has told W&B nothing, with a home folder of their own."""
    for name in [name for name in os.environ if name.startswith(("WANDB_", "MEDVISION_SWEEP"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return monkeypatch


@pytest.fixture
def server(user, tmp_path):
    """A W&B server that this process knows."""
    with WandbServer() as server:
        for name, value in server.environment(tmp_path / "home").items():
            user.setenv(name, value)
        yield server
        finish(1)


def test_of_a_path_only_the_last_part_is_told():
    config = {
        "data": {"root": "/home/anna/clinic/knees", "parts": ["/x/y", "z/y"], "home": "~/clinic/hips"},
        "lr": 1e-3,
        "pretrained": False,
    }
    assert without_folders(config) == {
        "data": {"root": "knees", "parts": ["y", "z/y"], "home": "hips"},
        "lr": 1e-3,
        "pretrained": False,
    }


def test_a_hashed_name_is_an_hmac_under_the_salt():
    # RFC 2104 by hand: H(key ^ opad, H(key ^ ipad, text)), with blocks of 64 bytes.
    key = b"salt".ljust(64, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in key) for pad in (0x36, 0x5C))
    expected = hashlib.sha256(outer + hashlib.sha256(inner + "Müller".encode()).digest()).hexdigest()
    assert hash_name("Müller", "salt") == expected[:10]
    assert hash_name("Müller", "other") != hash_name("Müller", "salt")


@pytest.mark.parametrize(
    ("variables", "setting", "expected"),
    [
        ({}, "off", "off"),
        ({}, "offline", "offline"),
        ({}, "online", "online"),
        ({"WANDB_SWEEP_ID": "abc"}, "off", "online"),
        ({"WANDB_SWEEP_ID": "abc"}, "offline", "online"),
        ({"WANDB_SWEEP_ID": "abc", "WANDB_MODE": "offline"}, "online", "offline"),
        ({"WANDB_SWEEP_ID": "abc", "WANDB_MODE": "disabled"}, "online", "off"),
        ({"WANDB_MODE": "disabled"}, "online", "off"),
        ({"WANDB_MODE": "online"}, "off", "online"),
        ({"WANDB_MODE": "dryrun"}, "off", "offline"),
        ({"WANDB_MODE": ""}, "offline", "offline"),
    ],
)
def test_the_environment_wins_over_the_sweep_and_the_sweep_over_the_file(user, variables, setting, expected):
    for name, value in variables.items():
        user.setenv(name, value)
    assert wandb_mode(TrackingSettings(wandb=setting)) == expected


def test_an_unknown_mode_is_told(user):
    user.setenv("WANDB_MODE", "onlin")
    with pytest.raises(ConfigError, match="WANDB_MODE: 'onlin' is none of online, offline, disabled"):
        wandb_mode(TrackingSettings())


def test_nothing_is_recorded_unless_asked_for_and_only_once(user, tmp_path):
    run = RunFolder(tmp_path)
    assert wandb_logger(experiment_of("off"), run) == []
    assert wandb_logger(experiment_of("offline", trainer={"fast_dev_run": True}), run) == []
    user.setenv("WANDB_SWEEP_ID", "abc")
    assert wandb_logger(experiment_of(), RunFolder(tmp_path / "parts" / "fold-0")) == []
    user.setattr(tracking.rank_zero_only, "rank", 1)
    assert wandb_logger(experiment_of("online"), run) == []
    log_parent(experiment_of("online"), run, {"val/auroc": 0.5})
    assert current_run() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("folder", "name", "group"),
    [
        ("runs/knees/0607-ab", "0607-ab", "knees"),
        ("runs/knees/0607-ab/parts/fold-0", "0607-ab/fold-0", "0607-ab"),
        ("runs/knees/0607-ab/choices/parts/fold-0-1", "0607-ab/fold-0-1", "0607-ab"),
        ("runs/search/0607-ab/trials/3", "0607-ab/3", "0607-ab"),
        ("runs/search/0607-ab/trials/3/parts/fold-0", "0607-ab/3/fold-0", "0607-ab/3"),
    ],
)
def test_runs_of_one_folder_are_a_group(folder, name, group):
    assert tracking._names(experiment_of(), RunFolder(Path(folder))) == (name, group)


def test_a_run_arrives_whole_and_goes_on_where_it_stopped(server, tmp_path, capsys):
    run = RunFolder(tmp_path / "0607-ab")
    run.path.mkdir()
    write_json(run.environment, {"data": {"simulated": True}})
    before = dict(os.environ)
    (logger,) = wandb_logger(experiment_of("online"), run)
    logger.log_hyperparams({"pretrained": "/home/anna/weights.ckpt"})
    logger.log_metrics({"val/auroc": 0.25}, step=7)
    finish(0)
    known = read_json(run.tracking)
    (wandb_logger(experiment_of("online"), run)[0]).log_metrics({"val/auroc": 0.75}, step=14)
    finish(1)
    assert dict(os.environ) == before
    # Of the same id, in the same place, with another secret for nobody.
    assert read_json(run.tracking) == known
    (arrived,) = server.runs.values()
    assert (arrived.name, arrived.project, arrived.exitcode) == (known["id"], "medvision", 1)
    assert (arrived.display_name, arrived.group) == ("0607-ab", "knees")
    curve = [(row["trainer/global_step"], row["val/auroc"]) for row in arrived.history]
    assert curve == [(7, 0.25), (14, 0.75)]
    expected = experiment_of("online").model_dump(mode="json") | {"data": {"root": "knees"}}
    assert {name: value for name, value in arrived.config.items() if name != "_wandb"} == expected
    assert b'"simulated"' in server.everything()
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"W&B: {server.url}, run {known['url']}"] * 2
    assert known["url"].startswith(server.url)
    assert not (run.logs / "wandb_copies").exists()
    assert not list(tmp_path.glob("home/**/*wandb*"))


def test_parts_in_one_process_are_runs_of_their_own(server, tmp_path):
    for number in range(2):
        folder = RunFolder(tmp_path / "0607-ab" / "parts" / f"fold-{number}")
        (logger,) = wandb_logger(experiment_of("online"), folder)
        logger.log_metrics({"val/auroc": 0.5 + number / 4}, step=1)
        finish(0)
    assert sorted((run.display_name, run.group, run.history[0]["val/auroc"]) for run in server.runs.values()) == [
        ("0607-ab/fold-0", "0607-ab", 0.5),
        ("0607-ab/fold-1", "0607-ab", 0.75),
    ]


# The client leaves its parameter file to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*parameters.yaml:pytest.PytestUnraisableExceptionWarning")
def test_a_cross_validation_in_a_sweep_is_one_run(server, user, tmp_path, capfd):
    for name, value in {"SWEEP_ID": "abc", "RUN_ID": "abcrun0", "PROJECT": "search", "ENTITY": "clinic"}.items():
        user.setenv(f"WANDB_{name}", value)
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text("wandb_version: 1\nmodel: {value: {dropout: 0.5}}\n")
    user.setenv("WANDB_SWEEP_PARAM_PATH", str(parameters))
    log_parent(
        experiment_of("off"), RunFolder(tmp_path / "0607-ab"), {"val/auroc": 0.625, "val/auroc_sd": np.float64(0.125)}
    )
    (arrived,) = server.runs.values()
    assert (arrived.name, arrived.project, arrived.sweep, arrived.exitcode) == ("abcrun0", "search", "abc", 0)
    (row,) = arrived.history
    assert (row["val/auroc"], row["val/auroc_sd"]) == (0.625, 0.125)
    # A sweep locks the names of its parameters: what is added to them later is lost.
    assert arrived.config["model"] == NESTED["model"]
    assert "Ignoring" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("variables", "words"),
    [({}, "No API key configured"), ({"WANDB_API_KEY": "abc"}, "API key must have 40. characters, has 3")],
)
def test_what_the_client_refuses_is_told_in_a_line(user, tmp_path, variables, words):
    for name, value in {"WANDB_BASE_URL": "http://127.0.0.1:9", **variables}.items():
        user.setenv(name, value)
    with pytest.raises(TrackingError, match=f"W&B: .*{words}.*; without it: --tracking.wandb=offline") as caught:
        wandb_logger(experiment_of("online"), RunFolder(tmp_path / "run"))
    assert caught.value.exit_code == 2
    assert current_run() is None
    assert "WANDB_CONSOLE" not in os.environ


def test_a_run_of_somebody_else_is_left_alone(user, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    theirs = wandb.init(mode="disabled")
    with pytest.raises(ConfigError, match="this process has a run open already"):
        wandb_logger(experiment_of("offline"), RunFolder(tmp_path / "run"))
    finish(0)
    assert wandb.run is theirs
    theirs.finish()


def test_what_was_not_sent_says_how_to_send_it(user, tmp_path, capsys):
    run = RunFolder(tmp_path / "of Anna")
    for _ in range(2):
        wandb_logger(experiment_of("offline"), run)
        finish(0)
    first, second = sorted(folder.relative_to(run.logs) for folder in run.logs.glob("wandb/offline-run-*"))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"W&B: not sent; this sends it: cd '{run.logs}' && wandb sync {first} {second}"
    assert json.loads(run.tracking.read_text())["url"] is None
