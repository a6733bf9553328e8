"""The reference of the site says everything that the code knows, and its pages load nothing from elsewhere."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from medvision.__main__ import VERBS
from medvision.config.plugins import KINDS, find_parameters
from medvision.config.settings import Experiment
from medvision.runs import Inside, RunFolder

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
LOADED = re.compile(r"""<(?:script|img|iframe|source|video)[^>]*\ssrc="([^"]+)"|<link[^>]*\shref="([^"]+)"[^>]*>""")
LOADED_BY_CSS = re.compile(r"""(?:@import\s+|url\()\s*["']?([^"')\s;]+)""")


@pytest.fixture
def part(monkeypatch):
    """The modules of the site by name."""
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    return importlib.import_module


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_a_command_is_told(verb, part, capsys):
    with pytest.raises(SystemExit):
        importlib.import_module(f"medvision.{verb}").main(["--help"])
    helped = capsys.readouterr().out
    reference = part("reference")
    told = reference._command(verb, reference.find_parser(verb))
    options = set(re.findall(r"^  (-[\w-]+)(?:, (--[\w-]+))?", helped, re.MULTILINE))
    named = {option for pair in options for option in pair if option} - {"-h", "--help"}
    assert named or verb == "samples"
    assert {option for option in named if f"`{option}" not in told} == set()
    assert told.startswith(f"## {verb}\n\n{helped.partition(chr(10) * 2)[2].partition(chr(10))[0]}")


def test_every_setting_is_told(part):
    told = part("reference").experiment()
    for name, described in Experiment.model_json_schema()["$defs"].items():
        if name != "TileGrid":
            assert {key for key in described.get("properties", {}) if f"| `{key}` |" not in told} == set(), name
    assert {key for key in Experiment.model_fields if f"`{key}`" not in told and f"## {key}" not in told} == set()


@pytest.mark.parametrize(("section", "page"), [("data", "datasets"), ("model", "models")])
def test_every_class_and_its_settings_are_told(section, page, part):
    told = getattr(part("reference"), page)()
    for name in KINDS[section].registry:
        assert f"## {name}\n" in told
        missing = {key for key in find_parameters(section, name) if f"| `{key}` |" not in told}
        assert missing == set(), name


def test_a_setting_that_one_data_set_changes_stands_with_it(part):
    told = part("reference").datasets()
    _, _, of_heads = told.partition("## fetal_head_us\n")
    assert "| `pixel_spacing` |" in of_heads.partition("\n## ")[0]
    assert "| `image_size` |" not in of_heads.partition("\n## ")[0]


def test_every_file_of_a_run_folder_is_told(part):
    told = part("reference").run_folder()
    files = [one for one in vars(RunFolder).values() if isinstance(one, Inside)]
    assert len(files) > 30
    assert [one.name for one in files if f"| `{one.name}` | {one.__doc__} |" not in told] == []


def test_every_exit_code_is_told(part):
    told = part("reference").exit_codes()
    sources = (file.read_text(encoding="utf-8") for file in (ROOT / "medvision").rglob("*.py"))
    codes = {int(code) for text in sources for code in re.findall(r"^    exit_code = (\d+)", text, re.MULTILINE)}
    assert {2, 3, 130, 143} <= codes
    assert {int(code) for code in re.findall(r"^\| `(\d+)` ", told, re.MULTILINE)} == {0, 1, 141, *codes}
    assert "| `3` | Some images could not be read; the others were answered. |" in told


def test_every_variable_of_ours_is_told():
    sources = [*(ROOT / "medvision").rglob("*.py"), *(ROOT / "experiments").rglob("*.yaml")]
    used = {name for file in sources for name in re.findall(r"\bMEDVISION_[A-Z_]+", file.read_text(encoding="utf-8"))}
    page = (DOCS / "reference/environment.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(MEDVISION_\w+)` \|", page, re.MULTILINE)) == used


def test_what_a_schema_lets_through(part):
    values = part("reference")._values
    assert values({"type": "integer", "minimum": 1, "maximum": 9}) == "whole number from 1 to 9"
    assert values({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}]}) == "number above 0 or null"
    assert values({"type": "array", "items": {"enum": ["fat", "muscle"]}}) == "list of `fat`, `muscle`"
    assert values({"const": "cosine"}) == "`cosine`"


def test_arguments_of_a_class_and_of_its_base(part):
    class Base:
        """A base.

        Args:
            size: of it.
            name: what it is
                called: a word.

        Raises:
            ValueError: no.
        """

    class Child(Base):
        """A child.

        Args:
            size: of the child.
        """

    told = part("docstrings")
    assert told.arguments(Child) == {"size": "of the child.", "name": "what it is called: a word."}
    assert told.body(Child) == "A child."


def test_a_part_that_does_not_exist_is_a_mistake(part):
    fill = part("site_parts").fill
    page = ["Before\n\n<!-- made from the code: exit-codes -->\n\nsee [it](../README.md#how-fast)"]
    fill(None, "page", page)
    assert "| `2` |" in page[0]
    assert page[0].endswith("see [it](readme.md#how-fast)")
    with pytest.raises(KeyError, match="exit-code"):
        fill(None, "page", ["<!-- made from the code: exit-code -->"])


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing(tmp_path):
    words = ["-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-d", str(tmp_path / "trees")]
    done = subprocess.run(
        [sys.executable, *words, str(DOCS), str(tmp_path / "html")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    pages = sorted((tmp_path / "html").rglob("*.html"))
    sources = {file.relative_to(DOCS).with_suffix(".html") for file in DOCS.rglob("*.md")}
    assert sources <= {page.relative_to(tmp_path / "html") for page in pages}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert str(ROOT) not in text
        loaded = [name for pair in LOADED.findall(text) for name in pair if name]
        assert loaded or page.name.startswith("py-modindex")
        assert [name for name in loaded if re.match(r"(\w+:)?//", name)] == [], page
    for sheet in (tmp_path / "html").rglob("*.css"):
        loaded = LOADED_BY_CSS.findall(sheet.read_text(encoding="utf-8"))
        assert [name for name in loaded if re.match(r"(\w+:)?//", name)] == [], sheet
