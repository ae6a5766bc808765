"""Storages: their addresses, locks and errors, and that no message contains a password."""

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
    """The order is --storage, DIGITS_TUNE_STORAGE, tune.storage; paths start at the checkout."""
    monkeypatch.delenv(study_storage.STORAGE_VARIABLE, raising=False)
    assert study_storage.storage_url(None, DEFAULT).database == str(workspace / ".state/tune.db")
    monkeypatch.setenv(study_storage.STORAGE_VARIABLE, "postgresql://anna:s3cret@db/tune")
    assert study_storage.storage_url(None, DEFAULT).host == "db"
    assert study_storage.storage_url("sqlite:////tmp/x.db", DEFAULT).database == "/tmp/x.db"


@pytest.mark.parametrize("address", ["nonsense", "mysql://u:s3cret@h/d", "sqlite://", "http://x"])
def test_other_addresses_are_refused_without_their_password(workspace, address):
    """Only SQLite files and PostgreSQL databases can be used."""
    with pytest.raises(UserError, match="expected sqlite:///FILE or postgresql://") as caught:
        study_storage.storage_url(address, DEFAULT)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("rest", [":s3cret@127.0.0.1:1/tune", "@127.0.0.1:1/tune?password=s3cret"])
def test_an_unreachable_server_is_reported_in_one_line(workspace, rest):
    """The message contains the address without its password."""
    with pytest.raises(UserError, match=r"postgresql://127.0.0.1:1/tune cannot be used") as caught:
        study_storage.connect_storage(make_url(f"postgresql://anna{rest}"))
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_password_is_not_repeated(server):
    """The database's message is shown without the password that was tried."""
    with pytest.raises(UserError, match="password authentication failed") as caught:
        study_storage.connect_storage(server.set(password="wr0ng"))
    assert "wr0ng" not in str(caught.value)


def test_a_file_that_is_not_a_database_stays_as_it_is(workspace):
    """A file of another kind is reported and not overwritten."""
    path = workspace / ".state/tune.db"
    path.parent.mkdir()
    path.write_text("my own notes, longer than a page header of a database would be" * 20)
    before = path.read_bytes()

    with pytest.raises(UserError, match="file is not a database"):
        study_storage.connect_storage(study_storage.storage_url(None, DEFAULT))
    assert path.read_bytes() == before


def test_an_address_can_contain_braces(tmp_path):
    """Optuna fills addresses as templates; a folder can be called {x} all the same."""
    url = make_url(f"sqlite:///{tmp_path}/{{x}}/tune.db")
    study_storage.connect_storage(url)

    assert (tmp_path / "{x}/tune.db").is_file()


CREATE = """
import os, sys, time
from sqlalchemy import make_url
from digits.tuning import study_storage
print("ready")
while not os.path.exists("go"):
    time.sleep(0.001)
study_storage.connect_storage(make_url(sys.argv[1]))
"""


def test_processes_that_create_a_storage_together_all_succeed(url):
    """Four processes open a new storage at the same time."""
    openers = [Process(CREATE, url.render_as_string(hide_password=False)) for _ in range(4)]
    assert [process.readline() for process in openers] == ["ready\n"] * 4
    Path("go").touch()

    assert [process.communicate() for process in openers] == [("ready\n", "")] * 4


def test_one_holder_at_a_time_has_a_lock(url):
    """A second holder waits, or learns that the lock is taken; locks of other names are free."""
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
def test_a_disk_that_cannot_be_written_is_reported(workspace, options, words):
    """A full disk and a read-only disk give an error that names the cause."""
    with mounted(workspace / "small", options) as folder:
        url = make_url(f"sqlite:///{folder}/tune.db")
        with pytest.raises((UserError, OSError), match=words):
            study_storage.connect_storage(url)
