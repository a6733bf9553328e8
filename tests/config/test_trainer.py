import inspect
from types import NoneType
from typing import Union, get_args, get_origin

import lightning
import pytest

from medvision.config.trainer import RESERVED, TrainerArguments

SIGNATURE = inspect.signature(lightning.Trainer.__init__)
PLAIN = (bool, int, float, str, list[int], dict[str, int])


def members(annotation: object) -> set[object]:
    """The types and values of a union, without null."""
    parts = get_args(annotation) if get_origin(annotation) is Union or "|" in str(annotation) else (annotation,)
    flat = {value for part in parts for value in (get_args(part) if "Literal" in str(part) else (part,))}
    return flat - {NoneType}


def test_every_argument_of_the_trainer_is_known():
    assert {*TrainerArguments.model_fields, *RESERVED} == {*SIGNATURE.parameters} - {"self"}
    assert not {*TrainerArguments.model_fields} & {*RESERVED}


@pytest.mark.parametrize("name", TrainerArguments.model_fields)
def test_types_are_those_of_the_trainer(name):
    """All that YAML can hold; objects, such as a strategy, are left out."""
    declared = members(SIGNATURE.parameters[name].annotation)
    plain = {kind for kind in declared if kind in PLAIN or isinstance(kind, str | int)}
    assert members(TrainerArguments.model_fields[name].annotation) == plain
