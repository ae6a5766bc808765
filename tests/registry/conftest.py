"""Fixtures of a project with its own store, and of a tracking server."""

from tests.stores import (  # noqa: F401
    bare_project,
    client,
    example,
    make_model,
    nobody,
    project,
    python,
    server,
    shared_server,
    trained,
)
