import optuna
import pytest

from medvision.sweeps.points import key_of
from medvision.sweeps.proposals import PerTrialSampler, ask_gaussian_process

LR, NESTED = ("lr",), ("model", "size")
SPECS = {
    LR: {"distribution": "uniform", "min": 0.0, "max": 1.0},
    NESTED: {"distribution": "categorical", "values": [None, [1], True, 1]},
}


def study_of(seed: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(direction="maximize", sampler=PerTrialSampler(seed))


def search(seed: int, count: int) -> tuple[list[float], float]:
    study = study_of(seed)
    for _ in range(count):
        trial = study.ask()
        point = ask_gaussian_process(trial, SPECS)
        study.tell(trial, -((point[LR] - 0.37) ** 2) - (point[NESTED] is not True))
    return [trial.params["lr"] for trial in study.trials], study.best_value


def test_the_gaussian_process_finds_the_top_of_a_hill_and_the_category():
    asked, best = search(5, 16)
    assert best > -1e-3
    assert asked[:11] == search(5, 11)[0]
    assert asked[:10] != search(6, 10)[0]


def test_trials_that_run_are_counted():
    study = study_of(1)
    for _ in range(10):
        trial = study.ask()
        study.tell(trial, -((ask_gaussian_process(trial, SPECS)[LR] - 0.37) ** 2))
    waiting = [ask_gaussian_process(study.ask(), SPECS) for _ in range(4)]
    assert len({key_of(point) for point in waiting}) == 4


@pytest.mark.parametrize(
    "spec",
    [
        {"distribution": "normal", "mu": 0, "sigma": 1},
        {"distribution": "q_uniform", "min": 0, "max": 8, "q": 2},
        {"distribution": "beta", "a": 2, "b": 2},
        {"distribution": "int_uniform", "min": 2, "max": 5},
        {"distribution": "log_uniform_values", "min": 1e-5, "max": 0.1},
        {"distribution": "categorical_w_probabilities", "values": ["a", 2], "probabilities": [0.1, 0.9]},
        {"distribution": "constant", "value": [1]},
    ],
    ids=lambda spec: spec["distribution"],
)
def test_every_kind_of_distribution_is_asked_for(spec):
    study = study_of(1)
    values = []
    for _ in range(12):
        trial = study.ask()
        values.append(ask_gaussian_process(trial, {("x",): spec})[("x",)])
        study.tell(trial, float(len(values)))
    low, high = spec.get("min", -9), spec.get("max", 9)
    if "values" in spec or "value" in spec:
        assert all(value in spec.get("values", [spec.get("value")]) for value in values)
    else:
        assert all(low <= value <= high for value in values)
        assert len(set(values)) > 2
