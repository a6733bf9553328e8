import pytest

from medvision.config.settings import Experiment
from medvision.datamodules.creation import create_datamodule
from medvision.datamodules.folder import Folder
from medvision.errors import ConfigError


def experiment(name):
    data = {"name": name, "root": "gone", "image_size": 48}
    return Experiment.model_validate(
        {"name": "x", "seed": 5, "data": data, "model": {"task": "classification"}, "split": {"val": 0.3}}
    )


def test_it_has_the_settings_of_the_experiment_and_needs_no_data():
    found = create_datamodule(experiment("folder"))
    assert isinstance(found, Folder)
    assert (found.root, found.image_size, found.split.val, found.seed) == ("gone", 48, 0.3, 5)


def test_a_class_that_is_not_there_is_told():
    asked = experiment("no_such_module:Data")
    with pytest.raises(ConfigError, match="no_such_module"):
        create_datamodule(asked)
