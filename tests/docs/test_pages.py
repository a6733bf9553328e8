"""No block, command or link of a page slips by: each is found, has a kind, and is run here or named in `elsewhere`."""

import ast
import re

import pytest

from medvision.__main__ import VERBS
from tests.docs import elsewhere
from tests.docs.commands import Command, commands_of, kind_of, medvision_call, spellings, split
from tests.docs.pages import ROOT, Block, Page, all_blocks, pages, read_page, slug

EVERY = [command for page in pages() for command in commands_of(page)]
LISTED = (*elsewhere.COMMANDS, *elsewhere.SERVERS, *elsewhere.ANSWERS, *elsewhere.DRAWINGS)
NAMED = {entry.text: entry for entry in elsewhere.COMMANDS}


def plain(command: Command) -> str:
    return " ".join(command.words)


def has_a_way(command: Command) -> bool:
    """Whether the tests run a command, or say who does."""
    if plain(command) in NAMED or command.call is not None:
        return True
    script = command.words[1] if len(command.words) > 1 else ""
    return (command.program == "python" and script.startswith("benchmarks/")) or command.program == "make"


def test_there_are_pages():
    assert len(pages()) > 4
    assert len(all_blocks()) > 40
    assert len(EVERY) > 60


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.path)
def test_every_fence_of_a_page_is_found(page):
    """Counted in the raw text, with a rule that knows no Markdown."""
    fences = re.findall(r"^[ >\t]*(?:[-*\d.]+ +)?(?:`{3,}|~{3,}|:{3,})(.*)$", page.text, re.MULTILINE)
    fenced = [block for block in page.blocks if block.fenced]
    assert len(fences) == 2 * (len(fenced) + len(page.directives))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.path)
def test_every_mention_of_a_command_is_found(page):
    """Neither a command nor an option can stand on a page outside of what was found."""
    for pattern in (
        r"python\s+-m\s+medvision",
        rf"medvision\.(?:{'|'.join(VERBS)})\b",
        r"python\s+benchmarks/",
        r"--[a-z][a-z_.-]+",
    ):
        text = re.sub(r"\]\([^)]*\)", "]", page.text)
        found = sum(len(re.findall(pattern, piece.text)) for piece in page.pieces)
        assert len(re.findall(pattern, text)) == found, pattern


@pytest.mark.parametrize("block", all_blocks(), ids=str)
def test_every_block_has_a_kind(block):
    assert kind_of(block) in ("shell", "yaml", "python", "output", "json", "toml")


@pytest.mark.parametrize("command", EVERY, ids=str)
def test_every_command_is_run_or_named(command):
    assert has_a_way(command), f"{command}: run it in the tests of the pages, or name it in tests/docs/elsewhere.py"


@pytest.mark.parametrize("entry", LISTED, ids=lambda entry: entry.text[:60])
def test_what_is_named_is_there(entry):
    texts = {plain(command) for command in EVERY} | {block.text.partition("\n")[0] for block in all_blocks()}
    begins = [piece.text for page in pages() for piece in page.pieces]
    begins += [line for command in EVERY for line in command.output]
    there = entry.text in texts
    if entry in elsewhere.ANSWERS or entry in elsewhere.SERVERS:
        there = any(text.startswith(entry.text) for text in begins)
    assert there, "nothing on the pages says so any more: take it from the list"
    file, _, function = entry.test.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert len(entry.reason) > 10


def test_what_is_named_stands_there_once():
    assert len(NAMED) == len(elsewhere.COMMANDS)


def test_pages_in_another_markup_hold_no_commands():
    """What Sphinx alone reads is made from docstrings; nothing here would find a command in it."""
    found = sorted((ROOT / "docs").rglob("*.rst"))
    assert found
    for path in found:
        assert not re.search(
            r"code-block|literalinclude|::$|medvision\.\w+ -|python ", path.read_text(), re.MULTILINE
        ), path


PAGE = """# A page

Text with `python -m medvision.fit x.yaml
--show` and [a link](other.md#part "title").

1. A list:

   ```yaml
   a: 1
   ```

        python -m medvision.report RUN

```{note}
Inside, ~~~ and:

~~~bash
make demo \\
  X=1   # why
~~~
```

:::{tip}
    $ medvision predict RUN [--format json|csv]
    a line
:::

```{code-block} console
:caption: hello.yaml

$ python -m medvision   # all
first
second
$ python -m medvision.fit \\
    x.yaml
```

| table | `medvision.cluster RUN` |
| --- | --- |

<img src="x.png"> ![y](y.png)

# A page
(here)=
"""


def test_everything_on_a_page_is_found():
    page = read_page("page.md", PAGE)
    assert [(block.language, block.line) for block in page.blocks] == [
        ("yaml", 9),
        ("", 12),
        ("bash", 18),
        ("", 24),
        ("console", 31),
    ]
    assert [command.text for command in commands_of(page)] == [
        "python -m medvision.fit x.yaml --show",
        "python -m medvision.report RUN",
        "make demo X=1   # why",
        "medvision predict RUN [--format json|csv]",
        "python -m medvision   # all",
        "python -m medvision.fit x.yaml",
        "medvision.cluster RUN",
    ]
    assert [link.target for link in page.links] == ["other.md#part", "x.png", "y.png"]
    assert page.anchors == [("here", 1), ("a-page", 1), ("a-page-1", 1)]
    assert page.directives == [(14, "note"), (23, "tip")]
    assert page.blocks[-1].before == "`hello.yaml`"


def test_a_console_keeps_what_is_printed():
    page = read_page("page.md", PAGE)
    first, second = split(page.blocks[-1])
    assert (first.output, second.output, second.line) == (("first", "second"), (), 34)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python -m medvision.fit a.yaml --show # c", ("fit", ["a.yaml", "--show"])),
        ("torchrun --nnodes=2 -m medvision.fit FILE", ("fit", ["FILE"])),
        ("medvision report 'a b'", ("report", ["a b"])),
        ("python -m medvision", ("", [])),
        ("python benchmarks/input.py", None),
        ("A=1 python -m medvision.predict RUN …", ("predict", ["RUN"])),
    ],
)
def test_a_command_is_known_however_it_is_started(text, expected):
    assert medvision_call(Command("page.md", 1, text).words) == expected


def test_every_choice_is_spelt_out():
    assert spellings("a RUN [RUN ...] [--split x|y] '.[dicom]'") == [
        "a RUN '.[dicom]'",
        "a RUN --split x '.[dicom]'",
        "a RUN --split y '.[dicom]'",
        "a RUN RUN '.[dicom]'",
        "a RUN RUN --split x '.[dicom]'",
        "a RUN RUN --split y '.[dicom]'",
    ]


def test_a_choice_without_brackets_has_to_be_made():
    assert spellings("a RUN --format onnx|torch") == ["a RUN --format onnx", "a RUN --format torch"]


def test_a_language_that_nobody_can_try_is_an_error():
    with pytest.raises(ValueError, match="page.md:3: nobody knows how to try a block of 'fortran'"):
        kind_of(Block("page.md", 3, "fortran", "x", fenced=True))


def test_a_command_that_nobody_runs_is_noticed():
    assert not has_a_way(Command("page.md", 1, "curl https://example.org"))
    assert not has_a_way(Command("page.md", 1, "wandb login --relogin"))


@pytest.mark.parametrize(
    ("heading", "expected"),
    [("How fast", "how-fast"), ("With `W&B`: 3 ways", "with-wb-3-ways"), ("a_b – c", "a_b--c")],
)
def test_anchors_are_those_of_the_site(heading, expected):
    assert slug(heading) == expected


def test_a_page_is_compared_with_its_file():
    assert all(
        isinstance(page, Page) and (ROOT / page.path).read_text(encoding="utf-8") == page.text for page in pages()
    )
