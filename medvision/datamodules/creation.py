"""From an experiment to its datamodule."""

from medvision.config import find_class, typed_arguments
from medvision.config.settings import Experiment
from medvision.datamodules.base import DataModule


def create_datamodule(experiment: Experiment) -> DataModule:
    """The datamodule of an experiment, not set up: its data set may be elsewhere or gone.

    Raises:
        ConfigError: a class of somebody else's that it names cannot be imported, or takes other arguments.
    """
    kind = find_class("data", experiment.data["name"])
    settings = typed_arguments("data", experiment.data)
    datamodule: DataModule = kind(**settings, split=experiment.split, seed=experiment.seed)
    return datamodule
