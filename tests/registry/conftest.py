"""Fixtures of a project with its own store, of a tracking server, and of a built checkout."""

import shutil

import pytest

from digits.registry import alias_moves, registration
from digits.tracking import tracking_store
from tests.conftest import call, standing
from tests.stores import *  # noqa: F403


def list_versions(name="digits"):
    """The versions of a registered model in the current store, newest first."""
    return registration.list_versions(tracking_store.current_store(), name)


def register(name, folder, run_id="0" * 32, content_hash="x", **metrics):
    """Register a model; a run that no store has is made for it."""
    names = {"run_id": run_id, "content_hash": content_hash}
    return registration.register_version(name, folder, **names, metrics=metrics)


def move(to, action="promote", why="x", alias="champion"):
    """Give version `to` of `digits` an alias; return the entry of the alias log."""
    return alias_moves.change_aliases(standing(), {alias: to}, action=action, why=why)


def embedded_client():
    """A client of the store in the working directory."""
    return tracking_store.embedded_store().client


@pytest.fixture(scope="module")
def tagged(built, tmp_path_factory):
    """A copy of the built checkout, with the git tag v1.0."""
    folder = shutil.copytree(built, tmp_path_factory.mktemp("tagged") / "digits")
    call(folder, "git", "tag", "v1.0")
    return folder


@pytest.fixture
def checkout(tagged, monkeypatch):
    """The tagged checkout as the working directory; its version 1 is champion."""
    monkeypatch.chdir(tagged)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tagged
