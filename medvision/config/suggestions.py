"""Did you mean …? The nearest known word for a misspelt one."""

import difflib
from collections.abc import Iterable
from pathlib import Path


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, if one is like it at all."""
    by_folded = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def suggest(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest known one, otherwise all of them."""
    names = list(known)
    match = nearest(word, names)
    if match is not None:
        return f"; did you mean '{match}'?"
    return f"; known: {', '.join(names)}" if names else ""


def suggest_file(path: Path) -> str:
    """The end of a message about a YAML file that is not there: the nearest one beside it or in `experiments`."""
    folders = dict.fromkeys((path.parent, Path("experiments")))
    files = [file for folder in folders if folder.is_dir() for file in sorted(folder.glob("*.y*ml"))]
    by_stem = {file.stem: str(file) for file in reversed(files)}
    match = nearest(path.stem, by_stem)
    return f"; did you mean '{by_stem[match]}'?" if match is not None else ""
