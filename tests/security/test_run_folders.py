"""Run folders that somebody else has made: what does not fit together is told in one line."""

import json

import pytest

from medvision.candidates import read_candidate
from medvision.comparing import compare_runs, make_plan, planned_runs
from medvision.config.yaml_file import read_values
from medvision.folds import fold_runs, read_plan
from medvision.reports import cluster_page, comparison_report, run_report
from medvision.reports.cluster_page import write_cluster_report
from medvision.reports.comparison_report import write_comparison
from medvision.reports.run_report import read_report_inputs, write_report
from medvision.runs import RunFolder, reads_run, write_json
from tests.finished_runs import write_finished_run
from tests.reports.clustered import clustered
from tests.reports.compared import experiment
from tests.reports.cross_validated import draw_parent
from tests.security.fuzzing import attempt, change, run_many

VALUES = [None, True, -1, 0, 1e308, "", "x" * 50, "../../../etc/passwd", [], {}, [[]], {"value": 1}, [1, 2, 3], 10**30]


def nodes(value, found):
    """(container, key) of every value inside plain values."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        found.append((value, key))
        if isinstance(inner, dict | list):
            nodes(inner, found)
    return found


def change_json(content, place, kind, amount):
    """One value of a JSON file is another, or is gone."""
    value = json.loads(content)
    found = nodes(value, [])
    container, key = found[place % len(found)]
    if kind == 0:
        del container[key]
    else:
        container[key] = VALUES[amount % len(VALUES)]
    return json.dumps(value).encode()


def folds_folder(path):
    parent = draw_parent(path / "folds")
    return parent, [parent.path, parent.parts / "fold-0"]


def comparison_folder(path):
    names, parent = ("scratch", "transfer"), RunFolder(path / "parent")
    runs = {name: write_finished_run(parent.parts / name, name, seed=k) for k, name in enumerate(names)}
    experiments = {name: experiment(name) for name in names}
    write_json(parent.plan, make_plan(parent, runs, experiments, trained=True, cross_validated=False))
    compare_runs(parent, runs)
    return parent, [parent.path, parent.parts / "scratch"]


def clusters_folder(path):
    folder, _, _ = clustered(path / "clusters")
    write_cluster_report(folder)
    return folder, [folder.path]


@reads_run
def read_folds(parent):
    read_report_inputs(parent)
    read_values(parent.experiment)
    assert all(run.path.parent == parent.parts for run in fold_runs(parent))
    read_plan(parent)


@reads_run
def read_comparison(parent):
    comparison_report.read_comparison_inputs(parent)
    for name, run in planned_runs(parent).items():
        assert run.path.is_relative_to(parent.path.resolve())
        read_candidate(name, run)


FOLDERS = {"folds": folds_folder, "comparison": comparison_folder, "clusters": clusters_folder}
READERS = {"folds": read_folds, "comparison": read_comparison}
PAGES = {"folds": write_report, "comparison": write_comparison, "clusters": write_cluster_report}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The folders of all kinds, drawn once."""
    return {kind: draw(tmp_path_factory.mktemp(kind)) for kind, draw in FOLDERS.items()}


def fuzz_folder(folder, places, read, inputs):
    """Read a folder of which one file is changed, and put the file back."""
    files = [file for place in places for file in sorted(place.iterdir()) if file.suffix in (".json", ".csv", ".yaml")]
    contents = [file.read_bytes() for file in files]

    def try_one(which, changes):
        which %= len(files)
        content = contents[which]
        for place, kind, amount in changes:
            trees = files[which].suffix == ".json" and kind < 4 and len(changes) == 1
            content = (change_json if trees else change)(content, place, kind, amount)
        try:
            files[which].write_bytes(content)
            return attempt(lambda: read(folder))
        finally:
            files[which].write_bytes(contents[which])

    read(folder)
    run_many(try_one, inputs)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("inputs", [30, pytest.param(1_000, marks=pytest.mark.slow)])
def test_damaged_folders_are_refused_in_one_line(drawn, kind, inputs):
    fuzz_folder(*drawn[kind], READERS[kind], inputs)


@pytest.mark.slow
@pytest.mark.parametrize("kind", PAGES)
def test_pages_of_damaged_folders_are_written_or_refused(drawn, kind, monkeypatch):
    # Figures take most of the time.
    monkeypatch.setattr(run_report, "report_figures", lambda inputs: {})
    monkeypatch.setattr(comparison_report, "comparison_figures", lambda inputs: {})
    monkeypatch.setattr(cluster_page, "cluster_figures", lambda table, found, called: {})
    fuzz_folder(*drawn[kind], PAGES[kind], 100)
