"""Fixtures: a small search, its storages, and a real PostgreSQL server."""

import time

import pytest
import yaml
from sqlalchemy import create_engine, text

from digits.project import params_file
from digits.tuning import study_storage
from tests import postgres


@pytest.fixture
def values(values):
    """The values of params.yaml with a search that takes seconds."""
    values["tune"] |= {"trials": 6, "finalists": 1, "confirm": 1, "pruner": "none"}
    values["tune"]["space"] = {
        "model.mlp.hidden": {"count": [1, 2], "size": {"choices": [8, 16, 32]}},
        "train.learning_rate": {"low": 0.001, "high": 0.1, "log": True},
        "train.batch_size": {"choices": [50, 100, 200]},
        "augment.elastic": {"low": 0, "high": 1},
    }
    return values


@pytest.fixture
def checked(values):
    """`values` as Params."""
    return params_file.check_params(values, "params.yaml")


@pytest.fixture
def rewrite_params(workspace, values):
    """A function that writes changes of the tune section to params.yaml and returns its Params."""

    def write(**changes):
        values["tune"] |= changes
        text = yaml.safe_dump(values, default_flow_style=None)  # writes each list in one line
        (workspace / "params.yaml").write_text(text)
        return params_file.load_params(workspace / "params.yaml")

    return write


@pytest.fixture(scope="session")
def server():
    """The address, with the password, of a PostgreSQL server that runs for these tests."""
    with postgres.running("anna", "s3cret") as address:
        yield address


@pytest.fixture
def database(server):
    """The address of an empty database on the server."""
    name = f"test{time.time_ns()}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.set(database=name)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, workspace, monkeypatch):
    """The address of each kind of storage; PostgreSQL's comes from the environment."""
    monkeypatch.delenv(study_storage.STORAGE_VARIABLE, raising=False)
    if request.param == "postgresql":
        address = request.getfixturevalue("database").render_as_string(hide_password=False)
        monkeypatch.setenv(study_storage.STORAGE_VARIABLE, address)
    return study_storage.storage_url(None, "sqlite:///.state/tune.db")
