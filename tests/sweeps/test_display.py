import pytest

from medvision.sweeps import display
from medvision.sweeps.display import Display, best_row, ranked, setting_text
from medvision.sweeps.file import Metric
from medvision.sweeps.study import TrialRow

HIGHER, LOWER = Metric(name="val/score", goal="maximize"), Metric(name="val/score")


def row(number: int, state: str, value: float | None = None, values: tuple = (), **extra: object) -> TrialRow:
    point = {("optimizer.lr",): 0.00123456, ("model", "layers"): None}
    return TrialRow(number, state, point, values, value, 12.3, **extra)


ROWS = [
    row(0, "finished", 0.5, (0.4, 0.5)),
    row(1, "failed", error="no such layer"),
    row(2, "stopped", 0.7, (0.7,)),
    row(3, "running", None, (0.61, 0.62)),
]


def test_the_best_trial_comes_first():
    assert [found.number for found in ranked(ROWS, HIGHER)] == [2, 0]
    assert best_row(ROWS, LOWER).number == 0
    assert best_row(ROWS[1:2], LOWER) is None
    equal = [row(0, "finished", 0.5), row(1, "finished", 0.5)]
    assert best_row(equal, HIGHER).number == 0


def test_the_table_by_hand():
    lines = Display(HIGHER, 9).lines(ROWS, 10)
    assert lines == [
        "trial  state     epochs  seconds  val/score    optimizer.lr  model.layers",
        "3      running   2       12       0.6200       0.001235      null",
        "2      stopped   1       12       0.7000 best  0.001235      null",
        "0      finished  2       12       0.5000       0.001235      null",
        "1      failed    0       12                    0.001235      null",
        "3 of 9 trials done; best val/score 0.7000 (trial 2)",
    ]
    # A small terminal has the trials that run and the best ones.
    assert [line.split()[0] for line in Display(HIGHER, None).lines(ROWS, 2)] == ["trial", "3", "2", "3"]


def test_plain_lines_tell_what_has_changed_and_once(capsys):
    shown = Display(HIGHER, 9)
    shown.show(ROWS)
    told = capsys.readouterr().out.splitlines()
    assert told == [
        "trial 0 finished: val/score 0.5000 in 2 epochs; 3 of 9 trials done; best val/score 0.7000 (trial 2)",
        "trial 1 failed: no such layer",
        "trial 2 stopped: val/score 0.7000 in 1 epochs; 3 of 9 trials done; best val/score 0.7000 (trial 2)",
        "trial 3 running: optimizer.lr 0.001235, model.layers null",
    ]
    shown.show(ROWS)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("columns", [200, 30])
def test_a_terminal_is_drawn_anew_in_place(capsys, monkeypatch, columns):
    monkeypatch.setattr(display.sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "24")
    shown = Display(HIGHER, 9)
    shown.show(ROWS)
    first = capsys.readouterr().out
    assert "\x1b" not in first
    assert all(len(line) < columns for line in first.splitlines())
    shown.show(ROWS)
    second = capsys.readouterr().out
    # Six lines up, and all below is wiped.
    assert second == "\x1b[6F\x1b[J" + first
    shown.close()
    shown.show(ROWS[:1])
    assert "\x1b" not in capsys.readouterr().out


def test_settings_in_words():
    assert setting_text({("a", "b"): True, ("c",): 1e-5, ("d",): None}) == "a.b True, c 1e-05, d null"
