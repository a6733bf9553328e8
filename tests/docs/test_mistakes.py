"""Every line that a page shows as the answer to a mistake is what medvision answers, word for word."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from medvision.errors import ConfigError
from medvision.nodes import check_shares
from tests.docs import elsewhere
from tests.docs.commands import Command, kind_of
from tests.docs.files import name_of
from tests.docs.pages import pages
from tests.docs.running import run
from tests.docs.sandbox import Store, fill

SHORT = "--data.image_size=32 --trainer.max_epochs=1 --trainer.accelerator=cpu"
KNEE = "python -m medvision.fit experiments/knee_sections.yaml"


@dataclass(frozen=True)
class Mistake:
    """How a reader gets to an answer that a page shows without the command.

    Args:
        answer: how it begins.
        command: what is typed.
        change: what is changed in a file of the page before: its name, a text, another text.
        chosen: what a sweep has chosen for the run.
    """

    answer: str
    command: str
    change: tuple[str, str, str] | None = None
    chosen: str = ""


MISTAKES = (
    Mistake(
        "medvision: shoulders.yaml:8: unknown setting",
        "python -m medvision.fit shoulders.yaml",
        ("shoulders.yaml", "backbone", "bakbone"),
    ),
    Mistake("medvision: trainer: The strategy", f"{KNEE} {SHORT} --trainer.strategy=fsdp"),
    Mistake(
        "medvision: sweep parameter model.dropout",
        f"{KNEE} --model.dropout=1.5",
        chosen="model.dropout: {value: 1.5}\n",
    ),
)


# The answer depends on how many images there are, which no drawn set of this size has.
SHARES = "medvision: data.batch_size: 2 images a batch of all devices together; the smallest of 14 batches"


def answers() -> list[str]:
    """The answers on all pages, but for those below the command that they belong to, which `test_running` has."""
    found = [inline.text for page in pages() for inline in page.inlines if inline.text.startswith("medvision: ")]
    for page in pages():
        for block in page.blocks:
            lines = block.text.splitlines()
            told = [line for line in lines if line.startswith("medvision: ")]
            found += told if kind_of(block) == "output" else []
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("drawn"))


def test_every_answer_has_its_mistake():
    begins = [mistake.answer for mistake in MISTAKES] + [SHARES, elsewhere.ANSWERS[-1].text]
    assert [text for text in answers() if not text.startswith(tuple(begins))] == []
    assert [begin for begin in begins if not any(text.startswith(begin) for text in answers())] == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.answer[:50])
def test_a_mistake_is_answered_as_the_page_says(mistake, store, tmp_path, monkeypatch):
    fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    for page in pages():
        for block in page.blocks:
            if mistake.change and name_of(block, page) == mistake.change[0]:
                Path(mistake.change[0]).write_text(block.text.replace(*mistake.change[1:]), encoding="utf-8")
    if mistake.chosen:
        Path("chosen.yaml").write_text(mistake.chosen, encoding="utf-8")
        monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", "chosen.yaml")
    told, code = run(Command("page.md", 1, mistake.command), store)
    (shown,) = {text for text in answers() if text.startswith(mistake.answer)}
    assert code == 2
    assert any(line.startswith(shown.partition("…")[0].rstrip()) for line in told.splitlines()), told


def test_images_that_cannot_be_shared_are_told_as_the_page_says():
    (shown,) = {text for text in answers() if text.startswith(SHARES)}
    with pytest.raises(ConfigError) as caught:
        check_shares({"train": 27, "val": 8}, batch_size=2, world=2)
    assert f"medvision: {caught.value}" == shown
