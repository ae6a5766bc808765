"""Without a checkout, every command that needs no pipeline works in any folder."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from digits.datasets import split_files
from digits.project import workspace
from digits.registry.alias_log import LOG_FILE
from digits.tracking import embedded_sqlite
from tests.cli.test_main import refusal, run
from tests.conftest import call, mounted, part
from tests.service.service import served
from tests.strokes import page

NEEDS_CHECKOUT = [
    "results",
    "recipe cnn",
    "tune",
    "report",
    "prune",
    "verify --rebuild 1",
    "send",
    "rerun x",
]


@pytest.fixture
def elsewhere(versions, tmp_path, monkeypatch):
    """An empty folder that is no checkout; the registry is the store of `versions`."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{versions}/mlflow.db")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def validation(tmp_path, official):
    """A file of 100 validation images."""
    split_files.save(part(official, 0, 100), tmp_path / "validation.npz")
    return tmp_path / "validation.npz"


def test_versions_are_listed_checked_and_pulled(elsewhere, capsys):
    """The registry of the address answers; downloads are kept in the user's cache."""
    assert run("history", "--accept", "set by the fixture") == 0
    assert [run(verb) for verb in ("versions", "history", "verify")] == [0, 0, 0]
    assert run("pull", "champion") == 0
    assert run("lineage", "champion", "--json") == 0

    output = capsys.readouterr().out
    assert "2        champion" in output
    assert "2 looked at: 0 broken, 0 not pushed, 2 ok" in output
    lineage = json.loads(output[output.index("{") :])
    assert lineage["model"]["folders"] == ["models/pulled/digits-2"]
    assert [path.name for path in elsewhere.iterdir()] == ["models"]
    assert workspace.state_folder() == elsewhere.parent / "cache/digits"


def test_what_tables_show_is_printed_as_json_too(elsewhere, validation, capsys):
    """With the values unrounded, and nothing else on standard output."""
    shown = {}
    split = ("champion", "1", "--split", validation)
    for verb, *arguments in (["versions"], ["history"], ["verify"], ["compare", *split]):
        capsys.readouterr()
        assert run(verb, *arguments, "--json") in {0, 1}  # 1: an alias was set by other means
        shown[verb] = json.loads(capsys.readouterr().out)

    assert [(v["version"], v["aliases"]) for v in shown["versions"]] == [(2, ["champion"]), (1, [])]
    assert shown["history"]["entries"] == []
    assert "champion" in shown["history"]["messages"][0]
    assert [r["state"] for r in shown["verify"]["results"]] == ["ok", "ok"]
    compared = shown["compare"]
    assert compared["a"]["content_sha256"] == shown["versions"][0]["content_sha256"]
    gap = compared["a"]["accuracy"] - compared["b"]["accuracy"]
    assert compared["difference"] == pytest.approx(gap)


def test_an_alias_that_is_moved_elsewhere_reaches_the_file_in_git(
    elsewhere, versions, monkeypatch, capsys
):
    """The entry is written into the registry; the next `history` in a checkout adds its line."""
    assert run("promote", "1", "--reason", "the field wants it") == 0
    assert run("rollback", "--reason", "it does not") == 0
    assert "no version was champion before" in refusal(capsys, "rollback", "--reason", "again")
    assert list(elsewhere.iterdir()) == []
    assert not (versions / LOG_FILE).exists()

    monkeypatch.chdir(versions)
    assert run("history") == 0
    lines = (versions / LOG_FILE).read_text().splitlines()
    assert [json.loads(line)["why"] for line in lines][-2:] == ["the field wants it", "it does not"]


def test_a_folder_is_read_and_served(elsewhere, versions, monkeypatch):
    """A pulled model needs no registry."""
    folder = shutil.copytree(versions / "model-2", elsewhere / "model")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with served(elsewhere, "--model", str(folder)) as (process, _):
        assert process.poll() is None
    assert sorted(path.name for path in elsewhere.iterdir()) == ["model"]


def test_without_a_registry_one_line_says_what_to_set(elsewhere, monkeypatch, capsys):
    """No checkout and no address: there is nothing to list or to fall back to."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    for arguments in (["versions"], ["pull"], ["predict", "a.png"], ["ui"]):
        assert "or set MLFLOW_TRACKING_URI" in refusal(capsys, *arguments)


@pytest.mark.parametrize("command", NEEDS_CHECKOUT)
def test_what_needs_a_checkout_says_so(elsewhere, capsys, command):
    """In one line, with what makes it work."""
    assert "run this in a checkout of the project" in refusal(capsys, *command.split())


def test_a_store_that_is_read_only_is_read(elsewhere, versions, tmp_path, monkeypatch, capsys):
    """Whatever only reads works; a change is refused in one line."""
    assert run("history", "--accept", "set by the fixture") == 0
    with mounted(tmp_path / "disk", "size=50m") as disk:
        store = shutil.copytree(versions, disk / "team") / "mlflow.db"
        embedded_sqlite.prepare_database(store)  # mends the paths of the copy
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}")
        call(tmp_path, "mount", "-o", "remount,ro", disk)
        for command in ("versions", "history", "lineage 1", "verify champion", "pull champion"):
            assert run(*command.split()) == 0, command
        assert "can only be read here" in refusal(capsys, "promote", "1", "--reason", "x")


def test_a_store_of_another_mlflow_is_named(elsewhere, versions, monkeypatch, capsys):
    """Its tables are not touched."""
    other = shutil.copy(versions / "mlflow.db", versions / "other.db")
    with contextlib.closing(sqlite3.connect(other)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        database.commit()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{other}")
    assert "is of another release of MLflow" in refusal(capsys, "versions")


def test_a_cache_that_cannot_be_written_is_named(elsewhere, tmp_path, monkeypatch, capsys):
    """With what to set in its place."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "set XDG_CACHE_HOME to another" in refusal(capsys, "pull", "champion")


def test_reading_needs_neither_git_nor_room_for_temporary_files(elsewhere, versions, tmp_path):
    """A folder's model is read, and a version is pulled."""
    with mounted(tmp_path / "full", "size=4k") as full:
        (full / "x").write_bytes(bytes(4096))
        for arguments in (["predict", "--model", versions / "model-2", image(tmp_path)], ["pull"]):
            command = [sys.executable, "-m", "digits.cli", *map(str, arguments)]
            own = {"TMPDIR": str(full), "PATH": str(full)}
            subprocess.run(command, check=True, env=os.environ | own)


def image(folder):
    """The file of a picture of a seven."""
    Image.fromarray(page("7", np.random.default_rng(0))).save(folder / "seven.png")
    return folder / "seven.png"


def test_without_a_home_folder_the_cache_must_be_named(elsewhere, monkeypatch, capsys):
    """Downloads have nowhere to go; nothing is written into the working directory."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)

    assert "set XDG_CACHE_HOME to a folder" in refusal(capsys, "pull", "champion")
    assert list(elsewhere.iterdir()) == []
