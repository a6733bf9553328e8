"""Experiment files, sweep files and programs on the pages do what they are there for."""

import ast
import importlib
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from medvision.config import Experiment, load_experiment
from medvision.errors import ConfigError
from medvision.sweeps.file import read_sweep
from medvision.training import build_datamodule
from tests.docs.commands import kind_of
from tests.docs.files import base_of, name_of, yaml_kind
from tests.docs.pages import Block, all_blocks, page_of, pages
from tests.docs.sandbox import Store, fill, small

YAML = [block for block in all_blocks() if kind_of(block) == "yaml"]
PYTHON = [block for block in all_blocks() if kind_of(block) == "python"]
DATA = [block for block in all_blocks() if kind_of(block) in ("json", "toml")]
# `model: {task: multitask}` between backticks is a part of an experiment file.
PART = re.compile(rf"(?:{'|'.join(Experiment.model_fields)}): \{{.*\}}")
PARTS = [inline for page in pages() for inline in page.inlines if PART.fullmatch(inline.text)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("drawn"))


@pytest.fixture
def sandbox(tmp_path, monkeypatch):
    """A folder with the shipped experiments and the modules of the pages, where nothing is known of data elsewhere."""
    fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEDVISION_DATA", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    for block in PYTHON:
        write(block)
    return tmp_path


def write(block: Block) -> str | None:
    name = name_of(block, page_of(block))
    if name is not None:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(block.text, encoding="utf-8")
    return name


def test_there_are_files():
    assert len(YAML) > 5
    assert len(PARTS) > 5
    assert PYTHON


@pytest.mark.parametrize("block", YAML, ids=str)
def test_a_file_says_what_medvision_reads(block, sandbox, store):
    file = write(block) or "part.yaml"
    Path(file).write_text(block.text, encoding="utf-8")
    kind = yaml_kind(block.text)
    if kind == "sweep":
        assert read_sweep(Path(file)).specs
        return
    files = [file] if kind == "experiment" else [base_of(yaml.safe_load(block.text)), Path(file)]
    experiment = load_experiment(files, [])
    store.images_of(experiment)
    datamodule = build_datamodule(load_experiment(files, small()))
    assert len(datamodule.image_table) > 0
    assert {"train", "val"} <= set(datamodule.split_table()["split"])


def spelt_out(text: str) -> list[str]:
    """`{a: x|y or more}` as `{a: x}` and `{a: y}`; a stand-in for a folder is one."""
    text = re.sub(r" or [^,}]*|, …", "", text).replace("| ", "|")
    choices = re.findall(r"\w+(?:\|\w+)+", text)
    first = text
    for choice in choices:
        first = first.replace(choice, choice.partition("|")[0])
    others = [text.replace(choice, value) for choice in choices for value in choice.split("|")[1:]]
    return [first, *(re.sub(r"(\w+)(?:\|\w+)+", r"\1", other) for other in others)]


@pytest.mark.parametrize("inline", PARTS, ids=lambda inline: f"{inline} {inline.text}")
def test_a_part_of_a_file_is_one(inline, sandbox):
    for text in spelt_out(inline.text):
        content = yaml.safe_load(text)
        Path("part.yaml").write_text(text, encoding="utf-8")
        files = ["part.yaml"] if {"data", "model"} <= set(content) else [base_of(content), "part.yaml"]
        experiment = load_experiment(files, [])
        (section,) = content
        dumped = experiment.model_dump(mode="json")[section]
        assert {key: dumped[key] for key in content[section]} == content[section]


def test_a_part_with_a_mistake_is_noticed(sandbox):
    Path("part.yaml").write_text("model: {task: classification, bakbone: x}")
    with pytest.raises(ConfigError, match="bakbone"):
        load_experiment([base_of({}), "part.yaml"], [])
    with pytest.raises(ValueError, match="colour: no sections"):
        yaml_kind("data: {}\ncolour: red\n")


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_a_program_is_one_and_what_it_imports_is_there(block, sandbox):
    tree = ast.parse(block.text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []
        elif isinstance(node, ast.Import):
            assert [importlib.import_module(alias.name) for alias in node.names]
    name = name_of(block, page_of(block))
    if name is not None:
        module = importlib.import_module(name.removesuffix(".py").replace("/", "."))
        defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
        assert defined
        assert all(hasattr(module, one) for one in defined)


@pytest.mark.parametrize("block", DATA, ids=str)
def test_other_data_can_be_read(block):
    assert (json.loads if kind_of(block) == "json" else tomllib.loads)(block.text)


@pytest.mark.parametrize(
    ("language", "text", "before", "expected"),
    [
        ("yaml", "name: x\ndata: {}\nmodel: {}\n", "Write `y.yaml`:", "y.yaml"),
        ("yaml", "name: x\ndata: {}\nmodel: {}\n", "then", "x.yaml"),
        ("yaml", "# z.yaml\nname: x\ndata: {}\nmodel: {}\n", "Write `y.yaml`:", "z.yaml"),
        ("yaml", "model: {dropout: 0.1}\n", "add", None),
        ("python", "# my/own.py\nx = 1\n", "", "my/own.py"),
        ("python", "x = 1\n", "in `own.py`", None),
    ],
)
def test_files_have_the_names_that_readers_give_them(language, text, before, expected):
    block = Block("README.md", 1, language, text, before)
    assert name_of(block, pages()[0]) == expected


def test_alternatives_are_spelt_out():
    assert spelt_out("m: {a: x|y or a list of both, b: u|v}") == [
        "m: {a: x, b: u}",
        "m: {a: y, b: u}",
        "m: {a: x, b: v}",
    ]
