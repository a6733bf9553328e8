from collections.abc import Sequence

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from medvision import choices
from medvision.choices import all_inner_parts, choice_file, choices_folder, choose, read_choice
from medvision.errors import RunError
from medvision.folds import fold_parts
from medvision.parts import Part, part_folder
from medvision.runs import RunFolder, read_json, read_table, write_json
from tests.folded import experiment_in, folds_of, images, write_fold

CHOICES = {"optimizer.lr": ["1e-4", "1e-2"], "model.dropout": ["0", "0.5"]}
TABLE = images()


class FakeRuns:
    """Writes what runs on inner folds leave behind; a learning rate of 0.01 with dropout answers best."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.elsewhere: list[Part] = []

    def __call__(self, parent: RunFolder, parts: Sequence[Part], **_: object) -> list[Part]:
        for part in parts:
            experiment = part.experiment
            skill = 2.0 if (experiment.optimizer.lr, experiment.model["dropout"]) == (0.01, 0.5) else 0.3
            write_fold(part_folder(parent, part), TABLE, folds_of(TABLE, 3), experiment.split.inner_fold, skill=skill)
            self.done.append(part.name)
        return self.elsewhere


@pytest.fixture
def runs(monkeypatch) -> FakeRuns:
    fake = FakeRuns()
    monkeypatch.setattr(choices, "run_parts", fake)
    return fake


@pytest.fixture
def parent(tmp_path) -> RunFolder:
    return RunFolder(tmp_path)


@pytest.fixture
def fold(parent) -> Part:
    return fold_parts(experiment_in(parent.path), 3)[1]


def test_every_combination_is_run_on_every_inner_fold(parent, fold):
    tried = all_inner_parts(parent, fold, CHOICES)
    assert [len(inner) for inner in tried] == [3] * 4
    part = tried[2][1]
    assert part.name == "fold-1-choice-2-inner-1"
    assert (part.experiment.optimizer.lr, part.experiment.model["dropout"]) == (0.01, 0)
    assert (part.experiment.split.fold, part.experiment.split.inner_fold) == (1, 1)
    assert part.experiment.seed == fold.experiment.seed


def test_the_best_on_the_pooled_inner_folds_is_chosen(runs, parent, fold):
    chosen = choose(parent, fold, CHOICES)
    assert chosen.name == fold.name
    assert (chosen.experiment.optimizer.lr, chosen.experiment.model["dropout"]) == (0.01, 0.5)
    assert chosen.experiment.split == fold.experiment.split
    told = read_choice(parent, fold.name)
    assert told["settings"] == {"optimizer.lr": 0.01, "model.dropout": 0.5}
    assert (told["metric"], told["level"]) == ("auroc", "image")
    assert told["seconds"] == 12 * 2.0
    # The value of a combination is that of all its inner test rows together.
    inner = all_inner_parts(parent, fold, CHOICES)[1]
    tables = [read_table(part_folder(choices_folder(parent), part).predictions) for part in inner]
    rows = pd.concat(tables).query("split == 'test'")
    assert len(rows) == len(TABLE)
    assert told["tried"][1]["auroc"] == pytest.approx(roc_auc_score(rows["target"] == "yes", rows["p_yes"]))


def test_what_was_chosen_is_not_run_again(runs, parent, fold):
    first = choose(parent, fold, CHOICES)
    assert len(runs.done) == 12
    assert choose(parent, fold, CHOICES) == first
    assert len(runs.done) == 12


def test_nothing_is_chosen_while_others_run_inner_folds(runs, parent, fold):
    runs.elsewhere = [fold]
    assert choose(parent, fold, CHOICES) is None
    assert read_choice(parent, fold.name) is None


def test_the_first_of_equals_is_chosen(runs, parent, fold):
    same = {"optimizer.lr": ["1e-4", "1e-3"], "model.dropout": ["0", "0.5"]}
    assert choose(parent, fold, same).experiment.optimizer.lr == 1e-4


def test_a_metric_that_nobody_has_chooses_nothing(monkeypatch, parent, fold):
    def one_class(folder: RunFolder, parts: Sequence[Part], **_: object) -> list[Part]:
        table = TABLE.assign(label="no")
        for part in parts:
            write_fold(part_folder(folder, part), table, folds_of(table, 3), part.experiment.split.inner_fold)
        return []

    monkeypatch.setattr(choices, "run_parts", one_class)
    with pytest.raises(RunError, match="auroc is undefined on the inner folds of fold-1"):
        choose(parent, fold, CHOICES)
    assert not choice_file(parent, fold.name).is_file()


def test_the_file_of_a_choice_holds_plain_values(runs, parent, fold):
    choose(parent, fold, CHOICES)
    told = read_json(choice_file(parent, fold.name))
    write_json(choice_file(parent, fold.name), told)
    assert [set(one) for one in told["tried"]] == [{"optimizer.lr", "model.dropout", "auroc"}] * 4
