"""Where the trials of a sweep are kept: a journal file in its folder, or any database that Optuna knows."""

from collections.abc import Iterator
from contextlib import contextmanager

import optuna
import sqlalchemy.exc
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study

from medvision.errors import ConfigError, RunError
from medvision.runs import RunFolder
from medvision.sweeps.file import Sweep


def create_study(folder: RunFolder, sweep: Sweep, seed: int, url: str | None = None) -> tuple[Study, BaseStorage]:
    """A new study.

    Args:
        folder: of the sweep, empty.
        sweep: what is searched.
        seed: of random draws.
        url: of a database; None for a journal in the folder.

    Raises:
        ConfigError: the database cannot be used.
    """
    with _told(url):
        storage = _open(folder, url)
        study = optuna.create_study(storage=storage, study_name=_name(folder), direction=sweep.file.metric.goal)
        study.set_user_attr("name", sweep.name)
        study.set_user_attr("seed", seed)
    return study, storage


def join_study(folder: RunFolder, url: str | None = None) -> tuple[Study, BaseStorage]:
    """The study that another process has made, or this one at another time.

    Args:
        folder: of the sweep.
        url: of a database; None for a journal in the folder.

    Raises:
        ConfigError: the database cannot be used, or the trials are elsewhere.
    """
    if folder.journal.is_file() != (url is None):
        where = "in a database; give its URL with --storage" if url is None else f"in {folder.journal}"
        raise ConfigError(f"{folder.path}: this sweep keeps its trials {where}")
    with _told(url):
        storage = _open(folder, url)
        return optuna.load_study(storage=storage, study_name=_name(folder)), storage


@contextmanager
def telling_of_loss(folder: RunFolder) -> Iterator[None]:
    """Say in one line that the database of a sweep no longer answers.

    Raises:
        RunError: it does not.
    """
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise RunError(
            f"the database of this sweep no longer answers: {_reason(error)}; what is finished is kept, this goes on "
            f"once it does: python -m medvision.sweep --resume {folder.path} --storage URL"
        ) from error


def _reason(error: Exception) -> str:
    return str(error.__cause__ or error).strip().partition("\n")[0]


def _name(folder: RunFolder) -> str:
    return f"{folder.path.parent.name}/{folder.path.name}"


def _open(folder: RunFolder, url: str | None) -> BaseStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return JournalStorage(JournalFileBackend(str(folder.journal))) if url is None else RDBStorage(url)


@contextmanager
def _told(url: str | None) -> Iterator[None]:
    """What is wrong with a database, in one line and without its password."""
    shown = "the journal" if url is None else url.rpartition("@")[2]
    try:
        yield
    except ImportError as error:
        raise ConfigError(f"--storage {shown}: install the driver of this database: {error}") from None
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError, ValueError) as error:
        raise ConfigError(f"--storage {shown}: cannot be used: {_reason(error)}") from None
    except KeyError:
        raise ConfigError(
            f"--storage {shown}: does not hold the trials of this sweep; give the one that it was begun with"
        ) from None
