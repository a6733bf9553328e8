"""The front that all commands share: options, exit codes, and mistakes in one line each."""

import argparse
import importlib.metadata
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import medvision
from medvision import DISTRIBUTION
from medvision.config.settings import Experiment
from medvision.config.suggestions import suggest
from medvision.config.sweep_values import check_all_passed
from medvision.errors import ConfigError, MedvisionError

INTERRUPTED = 130
BROKEN_PIPE = 141
# Distributions of other authors on PyPI that install an import package of our name over ours.
FOREIGN = ("medvision", "medvision-segmentation")

Main = Callable[[list[str]], object]


class Parser(argparse.ArgumentParser):
    """An argparse parser of one command; a mistake raises ConfigError, in one line and without the usage.

    Args:
        verb: the name of the command, the module `medvision.<verb>`.
        description: what `--help` says first; the docstring of the module.
    """

    def __init__(self, verb: str, description: str | None) -> None:
        super().__init__(
            prog=f"python -m medvision.{verb}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self._takes_settings = False

    def error(self, message: str) -> NoReturn:
        """Raise the mistake that argparse found."""
        raise ConfigError(f"{message}; see {self.prog} --help")

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse the options of a command.

        Raises:
            ConfigError: an unknown option, with the nearest known one, or a missing argument.
        """
        options, rest = self.parse_known_intermixed_args(argv)
        if rest:
            raise ConfigError(*(self._unknown(word) for word in rest))
        return options

    def add_experiment(self, *, required: bool = True) -> None:
        """Add the experiment files; `parse_experiment` then also takes settings as options.

        Args:
            required: at least one file must be given.
        """
        self._takes_settings = True
        self.add_argument(
            "files", nargs="+" if required else "*", metavar="FILE", help="experiment files; later ones win"
        )
        self.epilog = (
            "Every setting of the experiment is an option too, and wins over the files:\n"
            "  --optimizer.lr=3e-4 --trainer.max_epochs=5 --data.root=/images"
        )

    def parse_experiment(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse like `parse`; `overrides` holds the options that are settings, such as `--optimizer.lr=3e-4`.

        Raises:
            ConfigError: as `parse`, a setting that is not given as `--key=value`, or one that a sweep has chosen and
                that is not given at all.
        """
        overrides = [word for word in argv if self._is_setting(word)]
        bare = [word for word in overrides if "=" not in word]
        if bare:
            raise ConfigError(*(f"{word}: write {word}=value" for word in bare))
        options = self.parse([word for word in argv if not self._is_setting(word)])
        options.overrides = overrides
        if "files" in options and options.files:
            check_all_passed(argv)
        return options

    def _is_setting(self, word: str) -> bool:
        option = word.partition("=")[0]
        key = option.removeprefix("--")
        if key == option or option in self._option_string_actions:
            return False
        return "." in key or key in Experiment.model_fields

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"unexpected argument '{word}'; see {self.prog} --help"
        option = word.partition("=")[0]
        sections = [f"--{name}" for name in Experiment.model_fields if self._takes_settings]
        known = [name for name in self._option_string_actions if name.startswith("--")]
        return f"unknown option '{option}'{suggest(option, [*known, *sections])}"


def run(main: Main, argv: Sequence[str] | None = None) -> NoReturn:
    """Run a command and end the process: 0, or the exit code of its mistake, told without a traceback.

    Args:
        main: the command; its result is for callers in Python and is dropped here.
        argv: its arguments; None for those of the process.
    """
    try:
        check_package(Path(medvision.__file__).parent)
        main(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except MedvisionError as error:
        print(*(f"medvision: {line}" for line in error.lines), sep="\n", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("medvision: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader, such as `head`, has gone: Python's own flush at exit must not fail a second time.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE)
    sys.exit(0)


def check_package(package: Path) -> None:
    """Refuse to run from a folder into which another distribution has installed its own `medvision`.

    pip does not notice when two distributions write the same package: the files are then a mixture of both.

    Args:
        package: the folder of the imported package.

    Raises:
        ConfigError: which distribution it is, and how to mend it.
    """
    for name in FOREIGN:
        for found in importlib.metadata.distributions(name=name, path=[str(package.parent)]):
            label = f"{found.metadata['Name']} {found.version}"
            raise ConfigError(
                f"another package, {label}, has installed its files into {package}; mend it with: "
                f"pip uninstall -y {' '.join(FOREIGN)} && pip install --force-reinstall --no-deps {DISTRIBUTION}"
            )
