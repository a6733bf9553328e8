import pytest

from medvision.errors import ConfigError
from medvision.runs import RunFolder
from medvision.sweeps.file import read_sweep
from medvision.sweeps.storage import create_study, join_study
from medvision.sweeps.study import TrialStore
from tests.sweeps.sweep_files import begin, write_sweep


def test_a_journal_is_found_again(tmp_path):
    run, _, store = begin(tmp_path)
    study, _ = join_study(run)
    assert study.user_attrs == {"name": "tries", "seed": 7}
    assert study.direction.name == "MAXIMIZE"
    assert (store.name, store.seed) == ("tries", 7)
    assert run.journal.is_file()


@pytest.mark.slow
def test_a_database_in_place_of_the_journal(tmp_path):
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    run, sweep = RunFolder(tmp_path / "sweep-a" / "1"), read_sweep(write_sweep(tmp_path))
    run.path.mkdir(parents=True)
    store = TrialStore(run, sweep, *create_study(run, sweep, 1, url))
    assert store.claim() == 0
    other = TrialStore(run, sweep, *join_study(run, url))
    assert other.claim() == 1
    assert [row.number for row in store.rows()] == [0, 1]
    assert not run.journal.exists()
    with pytest.raises(ConfigError, match="keeps its trials in a database; give its URL with --storage"):
        join_study(run)
    with pytest.raises(ConfigError, match="does not hold the trials of this sweep"):
        join_study(RunFolder(tmp_path / "sweep-a" / "2"), url)


def test_a_journal_is_not_left_for_a_database(tmp_path):
    run, _, _ = begin(tmp_path)
    with pytest.raises(ConfigError, match=r"keeps its trials in .*study.journal"):
        join_study(run, "sqlite://")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql+nodriver://me:secret@host/db", "--storage host/db: cannot be used: Can't load plugin"),
        ("nonsense", "--storage nonsense: cannot be used: Could not parse"),
        ("sqlite:////no/such/folder/x.db", "cannot be used: unable to open database file"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_without_its_password(tmp_path, url, words):
    run = RunFolder(tmp_path / "sweep-a" / "1")
    with pytest.raises(ConfigError) as caught:
        create_study(run, read_sweep(write_sweep(tmp_path)), 1, url)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(caught.value.lines) == 1
