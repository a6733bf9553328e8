"""Names that are HTML, in every file of every kind of folder: the pages show them as text, and nothing else happens."""

import json
import re

import pandas as pd
import pytest
import yaml

from medvision.learning_curves import write_learning_curves
from medvision.reports.cluster_page import write_cluster_report
from medvision.reports.comparison_report import write_comparison
from medvision.reports.run_report import write_report
from medvision.reports.sweep_page import write_sweep_report
from medvision.runs import RunFolder, write_json
from tests.reports.clustered import clustered
from tests.reports.cross_validated import draw_parent
from tests.reports.reading import Page
from tests.reports.swept import write_sweep
from tests.reports.told_curves import told
from tests.security.test_run_folders import comparison_folder

MARK = "zqx"
HOSTILE = f"</style></svg><script>{MARK}()</script>\"'><img src=x onerror={MARK}()>{{{{7*7}}}}$x^2_{{"


def of_run(path):
    """The first fold of a cross-validation, as a run of its own."""
    run = RunFolder(draw_parent(path / "parent").parts / "fold-0")
    run.experiment.write_bytes((run.path.parents[1] / "experiment.yaml").read_bytes())
    return run


def of_clusters(path):
    return clustered(path / "clusters")[0]


def of_curves(path):
    folder = RunFolder(path / "curves")
    folder.figures.mkdir(parents=True)
    write_json(folder.learning_curve, told())
    return folder


# Of every kind: how it is drawn and told, and words in its files that somebody has chosen.
KINDS = {
    "folds": (
        lambda path: draw_parent(path / "folds"),
        write_report,
        ("yes", "site", "North", "knee_folds", "effusion"),
    ),
    "comparison": (lambda path: comparison_folder(path)[0], write_comparison, ("torn", "transfer", "Drawn by a")),
    "clusters": (of_clusters, write_cluster_report, ("right", "knees", "resnet18", "Drawn by hand")),
    "curves": (of_curves, write_learning_curves, ("small", "sick")),
    "sweep": (
        lambda path: write_sweep(path / "sweep"),
        write_sweep_report,
        ("vgg_small", "knee_lr", "dropout"),
    ),
}


def changed(value, word):
    """Plain values in which a word is followed by HTML, in names too."""
    if isinstance(value, dict):
        return {changed(key, word): changed(inner, word) for key, inner in value.items()}
    if isinstance(value, list):
        return [changed(inner, word) for inner in value]
    return value.replace(word, f"{word}{HOSTILE}") if isinstance(value, str) else value


def poison(folder, word):
    """Change a word in all JSON, YAML and CSV files of a folder; in how many it stood."""
    found = 0
    for file in sorted(folder.rglob("*.*")):
        before = file.read_bytes()
        if file.suffix == ".json":
            file.write_text(json.dumps(changed(json.loads(before), word)))
        elif file.suffix == ".yaml":
            file.write_text(yaml.safe_dump(changed(yaml.safe_load(before), word)))
        elif file.suffix == ".csv":
            table = pd.read_csv(file, dtype=str, keep_default_na=False)
            rows = [[changed(cell, word) for cell in row] for row in table.to_numpy(dtype=object).tolist()]
            pd.DataFrame(rows, columns=[changed(name, word) for name in table]).to_csv(file, index=False)
        found += MARK.encode() in file.read_bytes()
    return found


def check(page):
    """No script, no handler, nothing that is loaded; and the policy that would stop them stands there."""
    parsed = Page(page)
    assert not parsed.all("script")
    assert not parsed.all("iframe")
    for tag, attributes in parsed.elements:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for name in ("src", "srcset", "href", "xlink:href"):
            address = (attributes.get(name) or "#").strip().lower()
            assert not address.startswith(("javascript:", "http:", "//")), address
            assert (
                tag not in ("img", "source", "image") or name in ("href", "xlink:href") or address[:5] in ("data:", "#")
            )
    assert "default-src 'none'" in page
    assert "49" not in re.findall(rf"{MARK}.{{0,20}}", page)


@pytest.mark.parametrize(("kind", "word"), [(kind, word) for kind, (_, _, words) in KINDS.items() for word in words])
@pytest.mark.filterwarnings("ignore:constrained_layout not applied")  # such names leave no room for axes
@pytest.mark.slow
def test_no_name_becomes_html(kind, word, tmp_path):
    draw, write, _ = KINDS[kind]
    run = draw(tmp_path)
    assert poison(run.path, word), "the word stands in no file"
    write(run)
    page = run.report.read_text(encoding="utf-8")
    check(page)
    assert MARK in page, "the name is nowhere in the page"
