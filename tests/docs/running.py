"""A command of a page, made short, and run where everything that it names exists."""

import contextlib
import importlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from medvision.config import load_experiment
from medvision.errors import ConfigError, MedvisionError
from tests.docs.commands import Command, medvision_call
from tests.docs.sandbox import FOLDS, PATIENTS, SMALL, USUAL_PATIENTS, Store, small

# What a page writes in capitals, or in angle brackets, stands for something of the reader's: the first time it is this,
# the second time that.
PLACEHOLDERS = {
    "RUN": ("runs/first/latest", "runs/second/latest"),
    "FOLDS": ("runs/folds/latest",),
    "FILE": ("experiments/knee_sections.yaml",),
    "IMAGES": ("scans",),
    "IMAGES…": ("scans",),
    "FOLDER": ("drawn",),
    "DIR": ("written",),
}
INSIDE = {"<name>": "knee_sections", "knee_sections/<name of the run>": "first/latest", "<sweep>": "latest"}
# Commands that train, and so take the settings of a short training.
TRAINING = ("fit", "cross_validate", "compare", "cluster")
# With these a command starts processes that read `sys.argv` again: not from inside of pytest.
ALONE = ("--trainer.devices", "--devices", "--workers")
BENCHMARKS = {
    "benchmarks/coverage.py": ["--repetitions=4", "--resamples=20"],
    "benchmarks/differences.py": ["--repetitions=2", "--resamples=20"],
    "benchmarks/extrapolation.py": ["--repetitions=1", "--resamples=20"],
    "benchmarks/head_circumference.py": ["runs/fetal_head_us/latest"],
    "benchmarks/input.py": ["--images=20", "--rounds=1", "--memory", "20", "40"],
    "benchmarks/overhead.py": ["--images=24", "--epochs=1", "--rounds=1", "--size=32"],
    "benchmarks/cross_validation.py": ["--rounds=1"],
    "benchmarks/predict.py": ["--images=8", "--rounds=1", "--size=32"],
}
# Lines that say in words what the numbers were; `tests/reports` has them for numbers of each kind.
DEPENDS = (
    "Only ",
    "(95 % interval",
    "The clusters follow patients beyond",
    "class are in one cluster",
    "% interval",
    "patients with different classes",
    "different classes",
    "0.02).",
    "  model.",
)
OVERRIDE = re.compile(r"--[a-z_]+(\.\w+)+=")


def concrete(text: str) -> str:
    """A command as it is typed once every stand-in is replaced by something that can be there."""
    for name, value in INSIDE.items():
        text = text.replace(name, value)
    for name, values in PLACEHOLDERS.items():
        # Only masks are laid over images.
        left = ["runs/tissue_three_class/latest"] if name == "RUN" and "--overlay" in text else list(values)
        pattern = rf"(?<![\w./$'\"-]){re.escape(name)}(?![\w.\"'])"
        text = re.sub(pattern, lambda _, left=left: left.pop(0) if len(left) > 1 else left[0], text)
    return text


def words_of(text: str) -> list[str]:
    """The words of a command after its stand-ins were replaced and variables were looked up."""
    return Command("", 0, os.path.expandvars(concrete(text))).words


def shorten(verb: str, arguments: list[str]) -> list[str]:
    """The same command with little to train; what it says of epochs, sizes and repeats is replaced."""
    if verb == "samples":
        kept = _without(_without(arguments, "--patients"), "--images")
        return [*kept, f"--patients={PATIENTS.get(kept[0], USUAL_PATIENTS)}", "--images=1"]
    files = any(word.endswith(".yaml") for word in arguments)
    if verb not in TRAINING or not files or "--show" in arguments:
        return arguments
    kept = [word for word in arguments if word.removeprefix("--").partition("=")[0] not in SMALL]
    folds = [f"--split.folds={FOLDS}"] if verb == "cross_validate" or "--cross-validate" in kept else []
    inner = [f"--split.inner_folds={FOLDS}"] if "--choose" in kept else []
    kept = [word for word in kept if not (folds and word.startswith("--split.folds="))]
    return [*_fewer(kept), *folds, *inner, *small()]


def _without(arguments: list[str], option: str) -> list[str]:
    kept = [word for word in arguments if not word.startswith(f"{option}=")]
    if option in kept:
        at = kept.index(option)
        del kept[at : at + 2]
    return kept


def _fewer(arguments: list[str]) -> list[str]:
    """Two sizes of a learning curve, two repeats and two values of one choice in place of many."""
    result: list[str] = []
    option, count = "", 0
    for word in arguments:
        if word.startswith("--"):
            option, count = word, 0
        elif option == "--train-images" and word.isdigit():
            count += 1
            word = {1: "6", 2: "12"}.get(count, "")
        elif option == "--repeats":
            word = "2"
        elif option == "--choose":
            count += 1
            word = ",".join(word.split(",")[:2]) if count == 1 else ""
        result += [word] if word else []
    return result


def shorten_sweep(file: Path) -> None:
    """Two short trials; macros such as `${args}` stay where they are."""
    sweep = yaml.safe_load(file.read_text(encoding="utf-8"))
    words = sweep["command"]
    at = next(number for number, word in enumerate(words) if word.startswith("medvision."))
    verb, rest = words[at].partition(".")[2], [word for word in words[at + 1 :] if not word.startswith("${")]
    sweep["command"] = [*words[: at + 1], *shorten(verb, rest), *[word for word in words[at + 1 :] if word[:2] == "${"]]
    sweep["run_cap"] = 2
    file.write_text(yaml.safe_dump(sweep), encoding="utf-8")


def run(command: Command, store: Store) -> tuple[str, int]:
    """Run a command of medvision, and give what it prints and its exit code."""
    verb, arguments = medvision_call(words_of(command.text)) or ("", [])
    for word in arguments:
        if not word.startswith("-"):
            store.provide(word)
    if verb == "samples":
        # What was drawn here for an earlier command would be in the way.
        shutil.rmtree(arguments[1], ignore_errors=True)
    short = shorten(verb, arguments)
    if verb in TRAINING:
        _draw(short, store)
    if verb == "sweep" and short[0].endswith(".yaml") and Path(short[0]).is_file():
        _prepare_sweep(Path(short[0]), store)
    if any(word.partition("=")[0] in ALONE for word in short):
        return _in_child(["-m", f"medvision.{verb}", *short])
    return _in_process(verb, short)


def _draw(arguments: list[str], store: Store) -> None:
    """Draw the images of every experiment file that a command names."""
    settings = [word for word in arguments if OVERRIDE.match(word)]
    for word in arguments:
        if word.endswith(".yaml") and not word.startswith("-"):
            # A part of an experiment, or a mistake, which the command itself tells.
            with contextlib.suppress(ConfigError):
                store.images_of(load_experiment([word], settings))


def _prepare_sweep(file: Path, store: Store) -> None:
    # A file with a mistake in it has to be told as it is.
    with contextlib.suppress(KeyError, StopIteration, TypeError):
        if "unifrom" not in file.read_text(encoding="utf-8"):
            shorten_sweep(file)
            _draw(yaml.safe_load(file.read_text(encoding="utf-8"))["command"], store)


def _in_process(verb: str, arguments: list[str]) -> tuple[str, int]:
    module = importlib.import_module(f"medvision.{verb or '__main__'}")
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        try:
            module.main(arguments)
        except MedvisionError as error:
            print(*(f"medvision: {line}" for line in error.lines), sep="\n")
            return told.getvalue(), error.exit_code
    return told.getvalue(), 0


def _in_child(arguments: list[str]) -> tuple[str, int]:
    words = [sys.executable, *arguments]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    return done.stdout, done.returncode


def run_benchmark(script: str, arguments: list[str], root: Path, store: Store) -> tuple[str, int]:
    """Run a script of `benchmarks/` with few repetitions."""
    less = BENCHMARKS.get(script, [])
    named = {word.partition("=")[0] for word in less if word.startswith("--")}
    for word in less:
        store.provide(word)
    kept = arguments
    for option in named:
        kept = _without(kept, option)
    if any(word.endswith(".yaml") for word in kept):
        kept = shorten("cross_validate", kept)
        _draw(kept, store)
    return _in_child([str(root / script), *kept, *less])


def missing(shown: tuple[str, ...], printed: str) -> list[str]:
    """The lines that a page shows and that a command did not print, apart from their numbers.

    Of a line its first words count, up to a number behind them; `…` stands for anything.
    """
    # The pages shorten paths to what lies below the folder that one starts from.
    short = printed.replace(f"{Path.cwd()}/", "")
    printed_words = [_skeleton(line) for line in short.splitlines()]
    lost = []
    for line in shown:
        # A word that goes on in what was left out is no whole one.
        words = _skeleton(re.sub(r"\S*….*", "", line))
        # A row of answers begins with a file, and goes on with what the numbers say.
        last = 1 if words and "/" in words[0] else _numbers(words)
        begin = words[:last]
        found = any(one[: len(begin)] == begin for one in printed_words)
        lost += [] if found or line.startswith(DEPENDS) else [line]
    return lost


def _numbers(words: list[str]) -> int:
    """Where the first number of a line stands that is not its first word."""
    return next((at for at, word in enumerate(words) if at and word.lstrip("[(").startswith("#")), len(words))


def _skeleton(line: str) -> list[str]:
    """The words of a line, with `#` for every number and every name of a run folder."""
    without = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "#", line)
    return re.sub(r"(?<!\w)[-+]?\d[\d.,:+-]*|\d+", "#", without).split()
