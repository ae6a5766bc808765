"""Addresses, locks and failing storages."""

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import make_url

from digits.project.errors import UserError
from digits.tuning import study_storage
from tests.conftest import mounted
from tests.processes import Process

DEFAULT = "sqlite:///.state/tune.db"


def test_the_command_line_comes_before_the_environment_and_that_before_params(
    workspace, monkeypatch
):
    """--storage, then DIGITS_TUNE_STORAGE, then tune.storage; files count from the checkout."""
    monkeypatch.delenv(study_storage.STORAGE_VARIABLE, raising=False)
    assert study_storage.storage_url(None, DEFAULT).database == str(workspace / ".state/tune.db")
    monkeypatch.setenv(study_storage.STORAGE_VARIABLE, "postgresql://anna:s3cret@db/tune")
    assert study_storage.storage_url(None, DEFAULT).host == "db"
    assert study_storage.storage_url("sqlite:////tmp/x.db", DEFAULT).database == "/tmp/x.db"


@pytest.mark.parametrize("given", ["nonsense", "mysql://u:s3cret@h/d", "sqlite://", "http://x"])
def test_other_addresses_are_refused_without_their_password(workspace, given):
    """Anything but a SQLite file or PostgreSQL is told in one line."""
    with pytest.raises(UserError, match="expected sqlite:///FILE or postgresql://") as caught:
        study_storage.storage_url(given, DEFAULT)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://anna:s3cret@127.0.0.1:1/tune",
        "postgresql://anna@127.0.0.1:1/tune?password=s3cret",
    ],
)
def test_an_unreachable_server_is_told_in_one_line(workspace, address):
    """Where nothing listens the message has the address without its password."""
    with pytest.raises(UserError, match=r"postgresql://127.0.0.1:1/tune cannot be used") as caught:
        study_storage.connect_storage(make_url(address))
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_password_is_not_told(server):
    """Nor is the one that was tried in the database's own complaint."""
    with pytest.raises(UserError, match="password authentication failed") as caught:
        study_storage.connect_storage(server.set(password="wr0ng"))
    assert "wr0ng" not in str(caught.value)


def test_a_file_that_is_no_database_is_left_as_it_is(workspace):
    """Another file under the name is told, not overwritten."""
    path = workspace / ".state/tune.db"
    path.parent.mkdir()
    path.write_text("my own notes, longer than a page header of a database would be" * 20)
    before = path.read_bytes()

    with pytest.raises(UserError, match="file is not a database"):
        study_storage.connect_storage(study_storage.storage_url(None, DEFAULT))
    assert path.read_bytes() == before


def test_braces_in_an_address_are_part_of_it(tmp_path):
    """Optuna takes an address for a template; a folder may still be called {x}."""
    url = make_url(f"sqlite:///{tmp_path}/{{x}}/tune.db")
    study_storage.connect_storage(url)

    assert (tmp_path / "{x}/tune.db").is_file()


CREATE = """
import os, sys, time
from sqlalchemy import make_url
from stages.tuning import storage
print("ready")
while not os.path.exists("go"):
    time.sleep(0.001)
storage.connect(make_url(sys.argv[1]))
"""


def test_many_first_users_at_once_make_one_storage(url):
    """Four processes that open a fresh storage together all succeed."""
    four = [Process(CREATE, url.render_as_string(hide_password=False)) for _ in range(4)]
    assert [process.readline() for process in four] == ["ready\n"] * 4
    Path("go").touch()

    assert [process.communicate() for process in four] == [("ready\n", "")] * 4


def test_a_lock_is_held_by_one_at_a_time(url):
    """While one is inside, another waits, or is told when it would not wait."""
    order = []

    def second():
        with study_storage.storage_lock(url, "x", wait=True):
            order.append("second")

    thread = threading.Thread(target=second)
    with study_storage.storage_lock(url, "x", wait=False) as free:
        assert free
        thread.start()
        with (
            study_storage.storage_lock(url, "x", wait=False) as also,
            study_storage.storage_lock(url, "y", wait=False) as y,
        ):
            assert (also, y) == (False, True)
        time.sleep(0.3)
        order.append("first")
    thread.join()

    assert order == ["first", "second"]


@pytest.mark.parametrize(
    ("options", "words"),
    [("size=32k", "full|disk I/O error"), ("ro", "Read-only file system")],
)
def test_a_disk_that_takes_no_study_is_told(workspace, options, words):
    """A full or a read-only disk is one line."""
    with mounted(workspace / "small", options) as folder:
        url = make_url(f"sqlite:///{folder}/tune.db")
        with pytest.raises((UserError, OSError), match=words):
            study_storage.connect_storage(url)
