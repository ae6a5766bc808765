"""Fixtures: a small search, its storages, and a real PostgreSQL server."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

import pytest
import yaml
from sqlalchemy import create_engine, make_url, text

from digits.project import params_file
from digits.tuning import study_storage
from tests.conftest import free_port

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


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
    if not BINARIES:
        pytest.skip("no PostgreSQL server is installed")
    folder = Path(tempfile.mkdtemp(prefix="postgres"))
    owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    secret = folder / "password"
    secret.write_text("s3cret")
    os.chown(secret, owner.pw_uid, owner.pw_gid)
    run = partial(subprocess.run, check=True, capture_output=True, cwd=folder)
    run = partial(run, user=owner.pw_uid, group=owner.pw_gid)
    port, data = free_port(), folder / "data"
    command = [BINARIES[-1] / "initdb", "-D", data, "-U", "anna", "-A", "scram-sha-256"]
    run([*command, f"--pwfile={secret}"])
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    options += (
        " -c max_connections=400"  # killed workers leave their connections behind for a while
    )
    control = [BINARIES[-1] / "pg_ctl", "-D", data, "-l", folder / "log"]
    run([*control, "-o", options, "-w", "start"])
    yield make_url(f"postgresql://anna:s3cret@127.0.0.1:{port}/postgres")
    run([*control, "-m", "immediate", "stop"])
    shutil.rmtree(folder)


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
