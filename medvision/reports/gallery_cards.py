"""The gallery of a report: what is written below each picture, and what each picture is called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medvision.data.table import LABEL_SEPARATOR
from medvision.evaluation.notable import MISTAKE, UNCERTAIN

KINDS = {MISTAKE: "Most confident mistakes", UNCERTAIN: "Least certain"}
WIDTH = 640


@dataclass(frozen=True, kw_only=True)
class Card:
    """One case.

    Args:
        number: in the page, from 1.
        patient: a pseudonym.
        facts: (what, value) pairs: truth, prediction, probability.
        note: what must be said of the map, or empty.
        pictures: (name, alternative text) of those that are there, the plain one first.
    """

    number: int
    patient: str
    facts: list[tuple[str, str]]
    note: str
    pictures: list[tuple[str, str]]


def gallery_cards(cases: Sequence[Mapping[str, Any]]) -> dict[str, list[Card]]:
    """The cases of `cases.json` by kind, under the headings of `KINDS`; those without any picture, too.

    Args:
        cases: with the paths of the pictures that are there.
    """
    cards: dict[str, list[Card]] = {title: [] for title in KINDS.values()}
    for number, case in enumerate(cases, start=1):
        cards[KINDS[case["kind"]]].append(_card(case, number))
    return {title: found for title, found in cards.items() if found}


def gallery_pictures(cases: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Path, int]]:
    """The pictures by the names that the cards have for them, each with the width at which it is shown."""
    return {
        name: (Path(case[key]), WIDTH)
        for number, case in enumerate(cases, start=1)
        for name, key in _picture_names(number).items()
        if case.get(key)
    }


def _picture_names(number: int) -> dict[str, str]:
    return {f"case_{number}": "picture", f"case_{number}_map": "map"}


def _card(case: Mapping[str, Any], number: int) -> Card:
    shown, probability = case["class_shown"], case["probability"]
    truth, predicted = _labels(case["target"]), _labels(case["predicted"])
    seen = f"{case['patient']}, true class {truth}, predicted {predicted}"
    texts = {"picture": f"Image of {seen}", "map": f"Map of the evidence for {shown} over the image of {seen}"}
    return Card(
        number=number,
        patient=case["patient"],
        facts=[("true", truth), ("predicted", predicted), (f"probability of {shown}", f"{probability:.3f}")],
        note=case.get("note") or ("no positive evidence" if case.get("no_evidence") else ""),
        pictures=[(name, texts[key]) for name, key in _picture_names(number).items() if case.get(key)],
    )


def _labels(names: str) -> str:
    """Several labels in words."""
    return ", ".join(filter(None, names.split(LABEL_SEPARATOR))) or "none"
