import pickle

import pytest
import yaml

from medvision.data.mask_rules import IGNORE, MaskRules, check_masks, mask_classes
from medvision.errors import ConfigError

THREE = MaskRules({"0": "rest", "1": "fat", "2": "muscle"})


def config_mistakes(*arguments: object, **named: object) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        MaskRules(*arguments, **named)
    return caught.value.lines


@pytest.mark.parametrize(
    ("rules", "names"),
    [
        (MaskRules(None), ["background", "foreground"]),
        (MaskRules(None, classes=("muscle", "fat")), ["background", "muscle", "fat"]),
        (THREE, ["rest", "fat", "muscle"]),
        (MaskRules({"1": "fat", "0": "skin"}), ["skin", "fat"]),
        (MaskRules({"0": "fat", "2": "bone", "1": "Rest"}), ["Rest", "fat", "bone"]),
        (MaskRules({"#ff0000": "fat", "#000000": "other"}), ["other", "fat"]),
        (MaskRules({"3": "fat", "4": "bone"}), ["fat", "bone"]),
    ],
)
def test_the_background_is_the_first_class(rules: MaskRules, names: list[str]) -> None:
    assert mask_classes(rules) == names


def test_rules_that_contradict_themselves() -> None:
    assert config_mistakes({"0": "a", "255": "b"}, ignore="255") == (
        "data.ignore_value: 255 is named already, as 255 in data.mask_values; remove one",
    )
    assert config_mistakes({"0": "a", "#00000": "b", "red": "c"}) == (
        "data.mask_values: '#00000' is no value of a mask; expected a whole number or a colour '#ff0000'",
        "data.mask_values: 'red' is no value of a mask; expected a whole number or a colour '#ff0000'",
    )
    assert config_mistakes({"0": "a", "#000000": "b"}) == (
        "data.mask_values: #000000 is named already, as 0 in data.mask_values; remove one",
    )
    assert "data.ignore_value: 'none' is no value" in config_mistakes(None, ignore="none")[0]
    assert "expected a name for each value" in config_mistakes({})[0]
    assert "expected a name for each value" in config_mistakes({"0": "a", "1": ""})[0]
    assert "there are no values to name" in config_mistakes({"0": "a", "1": "b"}, classes=("fat",))[0]
    assert config_mistakes(None, classes=("fat", "background"))[0].endswith("found fat, background")
    assert config_mistakes(None, classes=("fat", "fat"))[0].endswith("found fat, fat")


def test_the_number_of_classes_is_limited_by_the_ignored_one() -> None:
    many = {str(value): f"c{value}" for value in range(IGNORE + 1)}
    assert config_mistakes(many) == ("data.mask_values: more than 255 classes",)
    del many["255"]
    assert len(mask_classes(MaskRules(many))) == 255
    assert config_mistakes(None, classes=tuple(f"c{n}" for n in range(255))) == (
        "data.mask_values: more than 255 classes",
    )


def problems(counts: list[dict[str, int]], rules: MaskRules) -> list[str]:
    return [str(problem) for problem in check_masks([f"{n}.png" for n in range(len(counts))], counts, rules)]


def test_masks_that_keep_their_rules() -> None:
    assert problems([{"0": 5, "1": 1}, {"0": 6}, {}, {"0": 3, "2": 3}], THREE) == []
    assert problems([{"0": 5, "255": 1}, {"0": 6}], MaskRules(None)) == []
    assert problems([{"0": 5, "255": 1}, {"1": 6}], MaskRules(None, ignore="255")) == []
    assert problems([{"fat": 5}, {"fat": 0, "muscle": 2}], MaskRules(None, classes=("fat", "muscle"))) == []
    assert problems([{}, {}], THREE) == []


def test_undeclared_values_are_counted_and_a_line_proposed() -> None:
    counts = [{"0": 100}] * 2 + [{"0": 90, "255": 10_000}] * 118
    assert problems(counts, MaskRules({"0": "background"})) == [
        "masks hold values that data.mask_values does not name; "
        "write data.mask_values: {0: background, 255: foreground}: 255 in 118 masks (1,180,000 pixels), the first 2.png"
    ]
    several = [{"0": 5, "1": 1, "2": 1, "7": 3}, {"7": 2, "9": 1}]
    (line,) = problems(several, THREE)
    assert "write data.mask_values: {0: rest, 1: fat, 2: muscle, 7: class7, 9: class9}: " in line
    assert line.endswith("7 in 2 masks (5 pixels), the first 0.png, 9 in 1 masks (1 pixels), the first 1.png")


def test_a_class_that_never_occurs_gets_the_value_that_does() -> None:
    (line,) = problems([{"0": 5, "255": 1}], MaskRules({"0": "background", "1": "fat"}))
    assert "write data.mask_values: {0: background, 255: fat}: 255 in 1 masks" in line


def test_undeclared_colours_and_background() -> None:
    rules = MaskRules({"#ff0000": "fat", "#00ff00": "muscle"})
    (line,) = problems([{"#ff0000": 1, "#00ff00": 2, "#000000": 9, "#0000ff": 3}], rules)
    expected = "{'#ff0000': fat, '#00ff00': muscle, '#000000': background, '#0000ff': class0000ff}"
    assert f"write data.mask_values: {expected}: " in line


def test_the_proposed_line_is_accepted() -> None:
    counts = [{"0": 5, "1": 1, "17": 1, "#10ff00": 3}]
    (line,) = problems(counts, MaskRules({"1": "no"}))
    proposed = line.partition("data.mask_values: ")[2].partition("}")[0] + "}"
    values = yaml.safe_load(proposed)
    assert problems(counts, MaskRules({str(value): name for value, name in values.items()})) == []
    assert values[1] == "no"


def test_several_values_without_names() -> None:
    (line,) = problems([{"0": 5, "1": 1, "2": 1}], MaskRules(None))
    assert line.startswith("masks hold several values besides 0; write data.mask_values: ")
    assert "{0: background, 1: class1, 2: class2}: 1 in 1 masks" in line
    (line,) = problems([{"0": 5, "1": 1}, {"0": 4, "255": 2}], MaskRules(None))
    assert "{0: background, 1: foreground, 255: foreground}: " in line


def test_pictures_are_no_masks() -> None:
    (line,) = problems([{str(value): 1 for value in range(256)}], MaskRules(None))
    assert "255 of them, as a picture does and a mask hardly would; the first: 1 in 1 masks" in line
    assert line.endswith("and 245 more")


def test_classes_that_no_mask_shows() -> None:
    assert problems([{"0": 5, "1": 1}], THREE) == [
        "no mask shows muscle; correct data.mask_values or the masks, or leave the class out; the masks hold: 0, 1"
    ]
    assert "no mask shows foreground" in problems([{"0": 5}, {}], MaskRules(None))[0]
    assert "no mask shows foreground" in problems([{"0": 5}], MaskRules({"0": "background"}))[0]
    (line,) = problems([{"fat": 5, "muscle": 0}], MaskRules(None, classes=("fat", "muscle")))
    assert "no mask shows muscle" in line
    undeclared, absent = problems([{"0": 5, "8": 1}], THREE)
    assert "8 in 1 masks" in undeclared
    assert "no mask shows fat, muscle" in absent


@pytest.mark.parametrize("rules", [THREE, MaskRules(None), MaskRules(None, classes=("fat",))])
def test_rules_travel_to_workers(rules: MaskRules) -> None:
    assert pickle.loads(pickle.dumps(rules)) == rules
