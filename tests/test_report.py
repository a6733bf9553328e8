import json
import shutil
import subprocess
import sys

import pytest

from medvision import report
from medvision.errors import ConfigError, RunError
from tests.reports.conftest import draw_run  # noqa: F401 - a fixture


@pytest.fixture
def runs(draw_run, tmp_path):  # noqa: F811
    """Two runs under a folder of runs, without a report."""
    first = draw_run(images=80).path
    folders = [tmp_path / "runs" / name / "20260101-120000-ab12" for name in ("one", "two")]
    for folder in folders:
        shutil.copytree(first, folder)
        (folder.parent / "latest").symlink_to(folder.name)
    return folders


def test_each_run_gets_its_page(runs, capsys):
    pages = report.main([str(folder) for folder in runs])
    assert pages == [folder / "report.html" for folder in runs]
    assert capsys.readouterr().out.splitlines() == [str(page) for page in pages]
    assert all("</html>" in page.read_text() for page in pages)
    assert (runs[0] / "figures" / "history_loss.svg").is_file()


def test_a_run_may_be_named_by_its_link_or_as_the_latest(runs, tmp_path):
    assert report.main([str(runs[1].parent / "latest")]) == [runs[1] / "report.html"]
    (page,) = report.main(["latest", f"--output={tmp_path / 'runs'}"])
    assert page.name == "report.html"


def test_the_page_is_made_anew_from_the_files(runs):
    (page,) = report.main([str(runs[0])])
    before = page.read_text()
    metrics = json.loads((runs[0] / "metrics.json").read_text())
    metrics["test"]["image"]["auroc"] |= {"value": 0.123456, "low": 0.1, "high": 0.2, "n": 101}
    (runs[0] / "metrics.json").write_text(json.dumps(metrics))
    report.main([str(runs[0])])
    assert "AUROC 0.123 (95 % interval 0.100 to 0.200)" in page.read_text()
    assert "AUROC 0.123" not in before


def test_a_run_that_was_not_evaluated_is_one_line_and_keeps_no_other_back(runs, capsys):
    (runs[0] / "predictions.csv").unlink()
    with pytest.raises(RunError) as error:
        report.main([str(runs[0]), str(runs[0].parent / "missing"), str(runs[1])])
    assert len(error.value.lines) == 2
    assert "predictions.csv: not there" in error.value.lines[0]
    assert "no such run folder" in error.value.lines[1]
    assert capsys.readouterr().out.splitlines() == [str(runs[1] / "report.html")]
    assert not (runs[0] / "report.html").exists()


def test_a_run_must_be_named():
    with pytest.raises(ConfigError, match="RUN"):
        report.main([])


def test_as_users_call_it(tmp_path):
    command = [sys.executable, "-m", "medvision.report", str(tmp_path / "nothing")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("medvision: ")
    assert result.stderr.count("\n") == 1
