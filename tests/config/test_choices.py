import pytest

from medvision.config.choices import combinations, parse_choices, split_values
from medvision.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1e-4,1e-3", ["1e-4", "1e-3"]),
        ("null, 0.5", ["null", "0.5"]),
        ("all,[layer3, layer4],{a: 1, b: 2}", ["all", "[layer3, layer4]", "{a: 1, b: 2}"]),
        ("'a,b',\"[,\"", ["'a,b'", '"[,"']),
        ("one", ["one"]),
        ("", [""]),
    ],
)
def test_values_are_cut_at_their_commas_only(text, values):
    assert split_values(text) == values


def test_every_combination_is_tried():
    choices = parse_choices(["optimizer.lr=1e-4,1e-3", "--model.dropout=0,0.3,0.5"])
    tried = combinations(choices)
    assert len(tried) == 6
    assert tried[0] == {"optimizer.lr": "1e-4", "model.dropout": "0"}
    assert tried[1] == {"optimizer.lr": "1e-4", "model.dropout": "0.3"}
    assert len({tuple(one.items()) for one in tried}) == 6


def test_nothing_to_choose_is_one_empty_combination():
    assert parse_choices([]) == {}
    assert combinations({}) == [{}]


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("optimizer.lr", "write two different values or more"),
        ("optimizer.lr=1e-4", "write two different values or more"),
        ("optimizer.lr=1e-4,", "write two different values or more"),
        ("optimizer.lr=1e-4,1e-3,1e-4", "write two different values or more"),
        ("split.folds=3,5", "'split.folds' is the same for all folds"),
        ("seed=1,2", "'seed' is the same for all folds"),
        ("data.root=a,b", "'data.root' is the same for all folds"),
    ],
)
def test_what_cannot_be_chosen_is_refused(word, words):
    with pytest.raises(ConfigError, match=words):
        parse_choices([word])


def test_all_mistakes_come_at_once():
    with pytest.raises(ConfigError) as caught:
        parse_choices(["optimizer.lr=1,2", "optimizer.lr=3,4", "seed=1,2"])
    assert len(caught.value.lines) == 2
    assert "stands there twice" in caught.value.lines[0]
