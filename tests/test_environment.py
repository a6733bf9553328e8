import mmap

import numpy as np
import pytest

from medvision.environment import FORGET, describe_environment, forget_peak_memory, peak_memory


def test_a_peak_is_that_of_the_run_and_not_of_the_one_before():
    if not FORGET.exists():
        pytest.skip("only Linux forgets the peak of a process")
    # Pages of its own: what an allocator is given back it may keep.
    with mmap.mmap(-1, 320 * 2**20) as large:
        np.frombuffer(large, np.uint8)[:: mmap.PAGESIZE] = 1
        with_it = peak_memory()["peak_memory_mib"]
    forget_peak_memory()
    after = peak_memory()["peak_memory_mib"]
    assert with_it - after > 250


def test_the_environment_says_what_is_needed_to_repeat_a_run():
    found = describe_environment(7)
    assert found["seed"] == 7
    assert {"torch", "numpy"} <= set(found["packages"])
    assert "user" not in str(found).lower()
