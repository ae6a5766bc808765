"""A real PostgreSQL server for tests, from the programs that Debian installs."""

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.conftest import free_port

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@contextmanager
def running(user, password):
    """Yield the address of a server with an account; skip where PostgreSQL is not installed."""
    if not BINARIES:
        pytest.skip("no PostgreSQL server is installed")
    folder = Path(tempfile.mkdtemp(prefix="postgres"))
    owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    secret = folder / "password"
    secret.write_text(password)
    os.chown(secret, owner.pw_uid, owner.pw_gid)
    run = partial(subprocess.run, check=True, capture_output=True, cwd=folder)
    run = partial(run, user=owner.pw_uid, group=owner.pw_gid)
    port, data = free_port(), folder / "data"
    command = [BINARIES[-1] / "initdb", "-D", data, "-U", user, "-A", "scram-sha-256"]
    run([*command, f"--pwfile={secret}"])
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    options += (
        " -c max_connections=400"  # killed workers leave their connections behind for a while
    )
    control = [BINARIES[-1] / "pg_ctl", "-D", data, "-l", folder / "log"]
    run([*control, "-o", options, "-w", "start"])
    try:
        yield URL.create("postgresql", user, password, "127.0.0.1", port, "postgres")
    finally:
        run([*control, "-m", "immediate", "stop"])
        shutil.rmtree(folder)
