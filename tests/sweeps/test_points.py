import itertools
import math

from medvision.sweeps.points import count_points, flat, grid, key_of, nested, random_point

LR, NESTED = ("lr",), ("model", "size")
SPECS = {
    LR: {"distribution": "uniform", "min": 0.0, "max": 1.0},
    NESTED: {"distribution": "categorical", "values": [None, [1], True, 1]},
}


def test_the_last_parameter_of_a_grid_changes_fastest():
    specs = {
        ("a",): {"distribution": "categorical", "values": ["x", "y"]},
        ("b",): {"distribution": "int_uniform", "min": 1, "max": 3},
        ("c",): {"distribution": "constant", "value": None},
    }
    assert [tuple(point.values()) for point in grid(specs)] == [
        (a, b, None) for a, b in itertools.product("xy", (1, 2, 3))
    ]


def test_a_random_point_follows_from_seed_and_number_alone():
    first = [random_point(SPECS, 1, number, []) for number in range(5)]
    assert first == [random_point(SPECS, 1, number, []) for number in range(5)]
    assert len({key_of(point) for point in first}) == 5
    assert first[0] != random_point(SPECS, 2, 0, [])


def test_no_random_point_is_drawn_twice():
    specs = {NESTED: SPECS[NESTED]}
    tried = []
    while (point := random_point(specs, 3, len(tried), tried)) is not None:
        tried.append(point)
    # All four, as true is not 1; and then none.
    assert len(tried) == 4
    assert len({key_of(point) for point in tried}) == 4


def test_how_many_points_there_are():
    values = {"distribution": "categorical_w_probabilities", "values": [1, 1.0, None], "probabilities": [0.2] * 3}
    whole = {"distribution": "int_uniform", "min": 1, "max": 3}
    assert count_points({LR: values, NESTED: whole, ("c",): {"distribution": "constant", "value": 1}}) == 6
    assert count_points(SPECS) == math.inf


def test_points_as_settings():
    point = {("optimizer.lr",): 0.1, ("model", "a"): 1, ("model", "b", "c"): None}
    assert nested(point) == {"optimizer.lr": 0.1, "model": {"a": 1, "b": {"c": None}}}
    assert flat(point) == {"optimizer.lr": 0.1, "model.a": 1, "model.b.c": None}
