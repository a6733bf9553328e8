from pathlib import Path

from medvision.config.settings import Experiment
from medvision.runs import RunFolder
from medvision.tracking import wandb_logger, without_folders


def test_of_a_path_only_the_last_part_is_told():
    config = {"data": {"root": "/home/anna/clinic/knees", "parts": ["/x/y", "z/y"]}, "lr": 1e-3, "pretrained": False}
    assert without_folders(config) == {
        "data": {"root": "knees", "parts": ["y", "z/y"]},
        "lr": 1e-3,
        "pretrained": False,
    }


def test_tracking_is_off_unless_asked_for(tmp_path):
    assert wandb_logger(Experiment(name="x", data={}, model={}), RunFolder(Path(tmp_path))) == []
