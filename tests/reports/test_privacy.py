from pathlib import Path

import pytest

from medvision.reports.privacy import hide_home

HOME = Path("/srv/people/ann")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("root: /srv/people/ann/images", "root: ~/images"),
        ("root: '/srv/people/ann'", "root: '~'"),
        ("{a: /srv/people/ann, b: /srv/people/anna}", "{a: ~, b: /srv/people/anna}"),
        ("/data/srv/people/ann", "/data/srv/people/ann"),
        ("/home/bert/x and /Users/carla/y", "~/x and ~/y"),
        (r"root: C:\Users\dora\images", r"root: ~\images"),
        (r'root: "C:\\Users\\dora\\images"', r'root: "~\\images"'),
        ("data/home/x", "data/home/x"),
        ("/data/hospital", "/data/hospital"),
    ],
)
def test_a_home_folder_is_a_tilde(text, shown):
    assert hide_home(text, HOME) == shown


def test_the_home_folder_is_that_of_the_user(monkeypatch):
    monkeypatch.setenv("HOME", "/srv/people/eve")
    assert hide_home("a: /srv/people/eve/b") == "a: ~/b"


def test_a_root_without_a_name_hides_nothing():
    assert hide_home("a: /b", Path("/")) == "a: /b"
