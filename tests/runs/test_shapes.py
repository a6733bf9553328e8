from pathlib import Path

import pytest

from medvision.errors import RunError
from medvision.evaluation.decision import UNCHANGED, FoldDecisions
from medvision.runs.shapes import check_shape

GOOD = {
    "environment.json": [{}, {"seed": 1, "data": {"classes": ["a"], "train_counts": [3]}}],
    "decision.json": [UNCHANGED.to_json(), FoldDecisions({"0": UNCHANGED}).to_json()],
    "metrics.json": [{}, {"test": {"image": {"auroc": {"value": None}}}}],
    "plan.json": [{"kind": "comparison", "models": []}],
    "folds.json": [{"parts": {"repeat-1-fold-0": {"n": 3}}, "missing": []}],
    "cases.json": [[], [{"kind": "mistake", "image": "a.png", "picture": None, "probability": 0.5}]],
    "anything.json": [3, {"classes": 4}],
}
WRONG = {
    "environment.json": [[], {"data": {"classes": "ab"}}, {"data": {"classes": [1]}}, {"data": {"multilabel": "no"}}],
    "decision.json": [{}, {**UNCHANGED.to_json(), "temperature": 0}, {**UNCHANGED.to_json(), "b": 1}, {"folds": [1]}],
    "metrics.json": [[], {"test": []}, {"test": {"image": {"auroc": 0.5}}}],
    "plan.json": [{}, {"kind": 1}, {"kind": "a", "repeats": 10**9}, {"kind": "a", "models": [{"name": "b"}]}],
    "folds.json": [{}, {"parts": {"../a": {}}}, {"parts": []}],
    "cases.json": [{}, [{"kind": "mistake"}], [{"kind": "mistake", "image": "a", "picture": 3}]],
}


@pytest.mark.parametrize("name", GOOD)
def test_what_the_program_writes_has_its_shape(name):
    for value in GOOD[name]:
        check_shape(Path("run") / name, value)


@pytest.mark.parametrize("name", WRONG)
def test_another_shape_is_refused_with_its_place(name):
    for value in WRONG[name]:
        with pytest.raises(RunError, match=f"run/{name}: damaged, or of another version of medvision: "):
            check_shape(Path("run") / name, value)
