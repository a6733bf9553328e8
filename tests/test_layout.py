"""The floors of the design: imports run down, never up, never in a circle; files stay small."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "medvision"
# Lowest first. A module may import from its own part and from every floor below.
FLOORS = (
    ("errors",),
    ("config", "data", "evaluation", "models", "runs", "phantoms", "environment"),
    ("datamodules", "tasks", "reports", "callbacks", "tracking", "nodes", "command"),
    ("describe", "answering"),
    ("training",),
    ("mask_scoring", "case_pictures", "torch_network"),
    ("inference", "scoring", "tracking_results", "training_range"),
    ("results", "features", "pooling", "candidates"),
    ("execution",),
    ("parts",),
    ("choices",),
    ("folds", "learning_curves"),
    ("answers", "comparing", "sweeps"),
    ("exporting",),
    ("application",),
    (
        "fit",
        "evaluate",
        "predict",
        "cross_validate",
        "compare",
        "cluster",
        "sweep",
        "export",
        "app",
        "report",
        "samples",
        "__main__",
    ),
)
FLOOR = {part: number for number, floor in enumerate(FLOORS) for part in floor}
# Neighbours on one floor that may know each other, in this direction.
SIDEWAYS = {
    ("data", "config"),
    ("models", "config"),
    ("evaluation", "data"),
    ("phantoms", "config"),
    ("phantoms", "data"),
    ("fit", "evaluate"),
}
# Torch takes seconds; a command imports it after its options were read.
LATE_IMPORTS_ALLOWED = tuple(command for command in FLOORS[-1] if command != "__main__")


def modules() -> list[Path]:
    found = sorted(PACKAGE.rglob("*.py"))
    assert len(found) > 40
    return found


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> list[tuple[str, int, bool]]:
    """Parts of medvision that a module imports, with the line, and whether inside a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    found = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "medvision":
            rest = node.module.split(".")[1:]
            names = rest[:1] or [alias.name for alias in node.names if alias.name in FLOOR]
        elif isinstance(node, ast.Import):
            names = [a.name.split(".")[1] for a in node.names if a.name.startswith("medvision.")]
        found += [(name, node.lineno, id(node) in inside) for name in names]
    return found


def test_every_part_has_a_floor():
    assert {part_of(path) for path in modules()} - set(FLOOR) == {"__init__"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_down(path):
    own = part_of(path)
    for part, line, _ in imported_parts(path):
        if own == "__init__" or part == own:
            continue
        lower = FLOOR[part] < FLOOR[own]
        assert lower or (own, part) in SIDEWAYS, f"{path}:{line}: {own} must not import {part}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_import_hides_in_a_function(path):
    late = [(part, line) for part, line, inside in imported_parts(path) if inside]
    assert not late or part_of(path) in LATE_IMPORTS_ALLOWED, late


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_files_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 60, f"{path}:{node.lineno} {node.name}"


def importing(package: str) -> set[str]:
    """Files that import a package of others."""
    found = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] == package for name in names):
                found.add(path.relative_to(PACKAGE).parts[0])
    return found


@pytest.mark.parametrize(("package", "parts"), [("timm", {"models"}), ("segmentation_models_pytorch", {"models"})])
def test_only_the_models_know_their_makers(package, parts):
    assert importing(package) <= parts


@pytest.mark.parametrize("part", ["config", "evaluation"])
def test_config_and_evaluation_know_no_torch(part):
    for package in ("torch", "lightning", "timm"):
        assert part not in importing(package)
