"""Every option that the pages give is one that its command takes, and every setting is one of the experiment."""

import ast
import importlib
import re
import shutil
import subprocess
import tomllib
from functools import cache

import pytest

from medvision import __main__ as front
from medvision.command import FOREIGN, Parser
from medvision.config import Experiment, load_experiment
from medvision.config.plugins import KINDS, find_parameters
from medvision.config.trainer import TrainerArguments
from medvision.errors import ConfigError
from tests.docs.commands import Command, medvision_call, spellings
from tests.docs.pages import ROOT, pages
from tests.docs.running import BENCHMARKS, missing, words_of
from tests.docs.test_pages import EVERY, NAMED

CALLS = [(str(command), text) for command in EVERY if command.call is not None for text in spellings(command.text)]
SCRIPTS = [command for command in EVERY if command.words[1:2] and command.words[1].startswith("benchmarks/")]
TARGETS = [command for command in EVERY if command.program == "make"]
# Options of other programs that stand between backticks alone.
OF_OTHERS = {
    "--max-restarts": "torchrun",
    "--ntasks-per-node": "srun",
    "--ntasks": "srun",
    "--signal": "sbatch",
    "--pty": "srun",
    "--local-dir": "hf",
}


class ParsedError(Exception):
    """The options were read, and nothing was done."""


@pytest.fixture
def stopping(monkeypatch):
    """Every command ends where its options are read, with the parser and what it has read."""
    parse = Parser.parse

    def stop(self: Parser, argv: list[str]) -> None:
        raise ParsedError(self, parse(self, argv))

    monkeypatch.setattr(Parser, "parse", stop)


def module_of(verb: str):
    return importlib.import_module(f"medvision.{verb}")


@pytest.mark.parametrize(("where", "text"), CALLS)
def test_a_command_takes_its_options(where, text, stopping):
    verb, arguments = medvision_call(words_of(text))
    if not verb:
        assert front.main(arguments) == front.VERBS
        return
    assert verb in front.VERBS
    if " ".join(Command("", 0, text).words) in NAMED:
        # An abbreviation, which is no whole command.
        return
    with pytest.raises(ParsedError):
        module_of(verb).main(arguments)


def test_an_option_that_is_none_is_noticed(stopping):
    with pytest.raises(ConfigError, match="unknown option '--overlays'; did you mean '--overlay'"):
        module_of("predict").main(["RUN", "IMAGES", "--overlays"])


@pytest.mark.parametrize(("where", "text"), [call for call in CALLS if "experiments/" in call[1]])
def test_shipped_experiments_take_the_settings_of_a_page(where, text, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MEDVISION_DATA", "data")
    _, arguments = medvision_call(words_of(text))
    settings = [word for word in arguments if is_setting(word)]
    for file in (word for word in arguments if word.startswith("experiments/") and "sweeps/" not in word):
        assert load_experiment([file], settings).name


def is_setting(word: str) -> bool:
    key = word.removeprefix("--").partition("=")[0]
    return word.startswith("--") and (key.partition(".")[0] in Experiment.model_fields)


@pytest.mark.parametrize("command", TARGETS, ids=str)
def test_a_target_of_make_exists(command, tmp_path):
    """`make --dry-run` in a copy, so that nothing is built."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "requirements.lock"):
        (tmp_path / name).touch()
    target, *variables = command.words[1:]
    words = ["make", "--dry-run", target, *variables]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert ".venv" in done.stdout
    assert " ".join(command.words) in NAMED or "-m medvision." in done.stdout, "nothing here runs what it does"


@pytest.mark.parametrize("command", SCRIPTS, ids=str)
def test_a_benchmark_takes_its_options(command):
    script, *arguments = command.words[1:]
    tree = ast.parse((ROOT / script).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    named = {call.args[0].value for call in calls if call.func.attr == "add_argument"}
    given = {word.partition("=")[0] for word in [*arguments, *BENCHMARKS.get(command.words[1], [])] if word[:2] == "--"}
    assert {word for word in given if not is_setting(word)} <= named
    if given - named:
        assert any(call.func.attr == "parse_experiment" for call in calls)


@pytest.mark.parametrize("command", [one for one in EVERY if one.program == "pip"], ids=str)
def test_what_is_installed_is_what_medvision_asks_for(command):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *(one for extra in extras.values() for one in extra)]
    known = {re.match(r"[\w-]+", one)[0].lower() for one in asked} | {project["name"], *FOREIGN}
    for word in (word for word in command.words[2:] if not word.startswith("-")):
        name, _, wanted = word.rstrip("]").partition("[")
        assert name == "." or name in known
        assert {extra for extra in wanted.split(",") if extra} <= set(extras)


@cache
def known_options() -> frozenset[str]:
    """The options of every command and every benchmark."""
    found: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Parser, "parse", lambda self, argv: found.update(self._option_string_actions) or stop())
        for verb in front.VERBS:
            with pytest.raises(ParsedError):
                module_of(verb).main([])
    for script in (ROOT / "benchmarks").glob("*.py"):
        found |= set(re.findall(r'add_argument\("(--[a-z-]+)"', script.read_text(encoding="utf-8")))
    return frozenset(found)


def stop() -> None:
    raise ParsedError


@cache
def known_settings() -> frozenset[str]:
    """Every `section.key` of an experiment, of all shipped classes."""
    found = {f"trainer.{name}" for name in TrainerArguments.model_fields}
    for section, kind in KINDS.items():
        found.add(f"{section}.{kind.key}")
        found |= {f"{section}.{key}" for name in kind.registry for key in find_parameters(section, name)}
    schema = Experiment.model_json_schema()
    for section, entry in schema["properties"].items():
        for name in re.findall(r"#/\$defs/(\w+)", str(entry)):
            found |= {f"{section}.{key}" for key in schema["$defs"][name]["properties"]}
    return frozenset(found)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.path)
def test_options_between_backticks_exist(page):
    for inline in page.inlines:
        for option in re.findall(r"(?<![\w-])--[a-z][\w.-]*", inline.text):
            known = (
                option in known_options() or option in OF_OTHERS or option[2:].rstrip(".") in Experiment.model_fields
            )
            assert known or option[2:] in known_settings(), f"{inline}: {option}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.path)
def test_settings_between_backticks_exist(page):
    sections = "|".join(name for name in Experiment.model_fields)
    for inline in page.inlines:
        setting = re.fullmatch(rf"((?:{sections})\.[a-z_]+)(?::? .*|=.*)?", inline.text)
        if setting is not None and not setting[1].endswith((".csv", ".json", ".yaml", ".py", ".safetensors")):
            assert setting[1] in known_settings(), f"{inline}: {setting[1]}"


def test_what_is_no_setting_is_noticed():
    assert "model.backbone" in known_settings()
    assert "evaluation.threshold" in known_settings()
    assert "schedule.patience" in known_settings()
    assert "model.bakbone" not in known_settings()


def test_options_of_others_are_still_mentioned():
    mentioned = " ".join(piece.text for page in pages() for piece in page.pieces)
    assert [option for option in OF_OTHERS if option not in mentioned] == []


def test_stand_ins_become_something_that_can_be_there():
    command = Command("page.md", 1, "python -m medvision.compare RUN RUN --output=DIR experiments/<name>.yaml  # RUN")
    assert words_of(command.text)[3:] == [
        "runs/first/latest",
        "runs/second/latest",
        "--output=written",
        "experiments/knee_sections.yaml",
    ]


def test_what_is_not_printed_is_noticed():
    printed = (
        "2 folds pooled\n95 % intervals   3 images of 2 patients\naccuracy   0.3 [0.1–0.4]\n"
        "new/Knee/p001_2.png  Elbow  0.2\nreport: runs/x/20261121-200752-d770/report.html\n"
    )
    right = ("15 folds pooled", "95 % intervals  90 images …", "accuracy   -0.62 [0.5–0.7]", "…", "")
    right += ("new/Knee/p000_1.png  Knee  0.8", "report: runs/x/20261121-200422-884e/report.html")
    assert missing(right, printed) == []
    wrong = (
        "15 parts pooled",
        "balanced accuracy  0.3",
        "new/Knee/p000_1.jpg  Knee",
        "report: runs/y/20261121-200422-884e/",
    )
    assert missing(wrong, printed) == list(wrong)
