"""The experiment file: settings, layers of YAML and options, error messages. Nothing here imports torch."""

from medvision.config.experiment import load_experiment, show
from medvision.config.plugins import find_class, typed_arguments
from medvision.config.settings import Experiment

__all__ = ["Experiment", "find_class", "load_experiment", "show", "typed_arguments"]
