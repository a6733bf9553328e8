"""The tests of two models on the same cases: which one is due for which metric, and what it finds."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.evaluation.answers import Answers
from medvision.evaluation.cases import Cases
from medvision.evaluation.delong import compare_areas, placements
from medvision.evaluation.exchange import McNemar, mcnemar, signed_ranks, swap_patients
from medvision.evaluation.headline import DICE
from medvision.evaluation.segmentation import patient_cases
from medvision.evaluation.weighted import Scorer, cohens_kappa

Floats = npt.NDArray[np.float64]
Tested = dict[str, Any]
Score = Callable[[Floats], Floats]

SOURCES = {
    "delong": "DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988); every case is of another patient",
    "obuchowski": "Obuchowski, Biometrics 53 (1997): DeLong's test, with the cases of a patient taken together",
    "mcnemar": "McNemar, Psychometrika 12 (1947), exact; mid-p of Fagerland, Lydersen & Laake, BMC Medical Research "
    "Methodology 13 (2013); every case is of another patient",
    "permutation": "permutation test: both models' answers to a patient are swapped together (Davison & Hinkley 1997, "
    "chapter 4); the null hypothesis is that the models could be exchanged",
    "wilcoxon": "Wilcoxon signed-rank test of the mean Dice of each patient (Biometrics Bulletin 1, 1945); where only "
    "one model marks a class that a patient does not show, the other has a Dice of 1",
}


def compare_pair(first: Answers, second: Answers, *, seed: int = 0) -> list[Tested]:
    """All tests of two models.

    Of two exclusive classes and of each of several labels the AUROC; accuracy, and of exclusive classes balanced
    accuracy and Cohen's kappa; of masks the Dice of patients.

    Args:
        first: the answers of one model.
        second: those of the other, to the same cases in the same order.
        seed: of permutations.

    Returns:
        [{test, metric, statistic, p, n, patients, source}], p two-sided; `statistic` and `p` None where they are
        undefined, with the reason as `why`. `statistic` is z of areas, of McNemar the fewer of the cases that one model
        alone answers right, of permutations the difference, of Wilcoxon the smaller sum of ranks. McNemar's has also
        `p_mid`, `only_a` and `only_b`; a permutation says whether it is `exact`.
    """
    found: list[Tested] = []
    if first.first.labels is not None:
        found += [*_area_tests(first, second), *_answer_tests(first, second, seed)]
    if first.first.masks is not None:
        found += _mask_tests(first, second)
    return found


def _labels(answers: Answers) -> list[Cases]:
    return [level.labels for level in answers.repeats if level.labels is not None]


def _tested(test: str, metric: str, statistic: float, p: float, cases: int, patients: int) -> Tested:
    known = bool(np.isfinite(p))
    return {
        "test": test,
        "metric": metric,
        "statistic": float(statistic) if known else None,
        "p": float(p) if known else None,
        "n": cases,
        "patients": patients,
        "source": SOURCES[test],
    }


def _area_tests(first: Answers, second: Answers) -> Iterator[Tested]:
    """Placements are means over repeats, as the AUROC is."""
    one, other = _labels(first), _labels(second)
    cases = one[0]
    if cases.multilabel:
        areas = {f"auroc_{name}": k for k, name in enumerate(cases.classes)}
    else:
        areas = {"auroc": 1} if len(cases.classes) == 2 else {}
    test = "delong" if cases.patients == len(cases.truth) else "obuchowski"
    for metric, k in areas.items():
        truth = cases.truth[:, k]
        if truth.all() or not truth.any():
            continue
        placed = [np.mean([placements(c.probabilities[:, k], truth) for c in side], axis=0) for side in (one, other)]
        found = compare_areas(placed[0], placed[1], truth, cases.groups)
        tested = _tested(test, metric, found.statistic, found.p, len(truth), cases.patients)
        if tested["p"] is None:
            alone = np.isnan(found.error)
            tested["why"] = (
                "one patient alone has the class, or alone does not"
                if alone
                else "the models differ by as much in every patient, so their difference has no standard error"
            )
        yield tested


def _answer_tests(first: Answers, second: Answers, seed: int) -> Iterator[Tested]:
    one, other = _labels(first), _labels(second)
    cases = one[0]
    sizes = len(cases.truth), cases.patients
    scores = _scores(cases)
    if len(one) == 1 and cases.patients == len(cases.truth):
        scores.pop("accuracy")
        yield _mcnemar_test(mcnemar(*(Scorer(side[0]).correct > 0 for side in (one, other))), *sizes)
    counts = [np.stack([_count_answers(repeat) for repeat in side], axis=1) for side in (one, other)]
    for metric, score in scores.items():
        found = swap_patients(counts[0], counts[1], score, seed=seed)
        tested = _tested("permutation", metric, found.difference, found.p, *sizes)
        why = {} if tested["p"] is not None else {"why": "the metric is undefined"}
        yield tested | {"exact": found.exact} | why


def _mcnemar_test(found: McNemar, cases: int, patients: int) -> Tested:
    fewer = min(found.only_first, found.only_second)
    more = {"p_mid": found.p_mid, "only_a": found.only_first, "only_b": found.only_second}
    return _tested("mcnemar", "accuracy", fewer, found.p, cases, patients) | more


def _count_answers(cases: Cases) -> Floats:
    """(P, 1 + 2 K): of each patient how many cases are right, and of every class how many are hit and how many said."""
    scorer = Scorer(cases)
    hits, _, said = scorer.counted
    rows = [scorer.correct, *hits, *said]
    return np.stack([np.bincount(cases.groups, row, minlength=cases.patients) for row in rows], axis=1)


def _scores(cases: Cases) -> dict[str, Score]:
    """Metrics of the sums of `_count_answers`, (..., 1 + 2 K) -> (...,)."""
    n, classes = len(cases.truth), len(cases.classes)
    true = cases.truth.sum(axis=0).astype(np.float64)
    present = true > 0

    def accuracy(counts: Floats) -> Floats:
        return np.asarray(counts[..., 0] / n)

    def balanced_accuracy(counts: Floats) -> Floats:
        return np.asarray((counts[..., 1 : 1 + classes][..., present] / true[present]).mean(axis=-1))

    def kappa(counts: Floats) -> Floats:
        agreed, chance = counts[..., 1 : 1 + classes].sum(axis=-1), (true * counts[..., 1 + classes :]).sum(axis=-1)
        return cohens_kappa(agreed, chance, np.full(agreed.shape, float(n)))

    if cases.multilabel:
        return {"accuracy": accuracy}
    return {"accuracy": accuracy, "balanced_accuracy": balanced_accuracy, "kappa": kappa}


def _mask_tests(first: Answers, second: Answers) -> Iterator[Tested]:
    """The mean of the classes that occur, and of the repeats, of each patient."""
    sides = [
        [patient_cases(level.masks.cases) for level in answers.repeats if level.masks is not None]
        for answers in (first, second)
    ]
    present = sides[0][0].present
    dice = np.array([[masks.values[:, present, DICE] for masks in side] for side in sides])
    counted = np.isfinite(dice).any(axis=(0, 1))
    # Undefined beside a mask that is there: rightly empty.
    filled = np.where(np.isnan(dice) & counted, 1.0, dice).mean(axis=1)
    patients = counted.any(axis=1)
    if patients.any():
        one, other = (np.nanmean(side[patients], axis=1) for side in filled)
        statistic, p = signed_ranks(one, other)
        yield _tested("wilcoxon", "dice", statistic, p, int(patients.sum()), int(patients.sum()))
