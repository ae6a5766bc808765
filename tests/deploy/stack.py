"""The services of deploy/compose.yaml as processes of this machine, without a container engine.

Commands, environment and health checks are those of compose.yaml and of the Dockerfile. Ports
become free ports of 127.0.0.1, volumes become folders. Two images cannot be had here: PostgreSQL
is the one that Debian installs, and moto's server stands in for the S3 server.
"""

import contextlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import yaml
from moto.server import ThreadedMotoServer

from tests import postgres
from tests.conftest import free_port

ROOT = Path(__file__).parents[2]
SERVERS = ("mlflow", "dashboard", "digits")  # what is started here from its own command
PATIENCE = 120  # seconds until a service is healthy
# A read-only root, folders ($0) that can be written, and a user without privileges.
CONFINED = """for folder in $0; do mount --bind "$folder" "$folder" || exit; done
mount -o remount,bind,ro / && cd "$PWD" &&
exec unshare --user --map-user=10001 --map-group=10001 setpriv --no-new-privs "$@" """
SANDBOX = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", CONFINED]


def read_compose(settings):
    """The compose file with the variables of `settings` in place."""

    def value(match):
        name, operator, rest = match.groups()
        assert operator == ":-" or settings.get(name), f"{name} {rest}"
        return settings.get(name) or rest

    text = (ROOT / "deploy/compose.yaml").read_text()
    return yaml.safe_load(re.sub(r"\$\{(\w+)(:-|:\?)([^}]*)\}", value, text))


def image_defaults():
    """Command, health check and variables that the Dockerfile gives to the image `service`."""
    text = (ROOT / "deploy/Dockerfile").read_text().replace("\\\n", " ")
    stages = text[text.index(" AS slim\n") :]
    check, command = (json.loads(words) for words in re.findall(r"CMD (\[.*\])", stages))
    variables = dict(re.findall(r"(\w+)=(\S+)", " ".join(re.findall("ENV .*", stages))))
    return {"command": command, "healthcheck": {"test": ["CMD", *check]}}, variables


class Stack:
    """The services, what runs of them, their ports, and the folders in place of volumes."""

    def __init__(self, folder, settings):
        self.folder, self.running = folder, {}
        self.services = read_compose(settings)["services"]
        defaults, self.variables = image_defaults()
        self.services["digits"] |= defaults
        inner = {k: s["ports"][0].split(":")[-1] for k, s in self.services.items() if "ports" in s}
        self.ports = {name: (port, free_port()) for name, port in inner.items()}
        self.volume, self.tmp = folder / "volume", folder / "tmp"
        self.volume.mkdir()
        self.tmp.mkdir()
        self.log = (folder / "log").open("a")
        probe = self._confine("digits", [sys.executable, "-c", "import digits"])
        self.confined = self.call("digits", probe).returncode == 0

    def _confine(self, name, command):
        """A command on a read-only root, with the volume if the service has one."""
        volumes = [self.volume] if "volumes" in self.services[name] else []
        return [*SANDBOX, " ".join(map(str, [self.tmp, *volumes])), *command]

    def address(self, name):
        """Where a service answers."""
        return f"http://127.0.0.1:{self.ports[name][1]}"

    def translate(self, name, text):
        """A word of a service with this machine's ports and folders."""
        for other, (inner, outer) in self.ports.items():
            text = re.sub(rf"(?<=[/@]){other}:{inner}\b", f"127.0.0.1:{outer}", text)
        if name in self.ports:
            inner, outer = self.ports[name]
            text = re.sub(rf"\b{inner}\b", str(outer), text)
        text = re.sub("^/srv/digits", str(self.volume), text)
        text = re.sub("^/tmp$", str(self.tmp), text)
        text = re.sub("^/backup", f"{self.folder}/backup", text)
        return text.replace("0.0.0.0", "127.0.0.1")

    def environment(self, name):
        """The environment of a service; of this process it has only where programs are."""
        own = self.variables | self.services[name].get("environment", {})
        own = {key: self.translate(name, value) for key, value in own.items()}
        if name == "postgres":  # in the container, its socket asks for no password
            own |= {"PGHOST": "127.0.0.1", "PGPORT": str(self.ports[name][1])}
            own["PGPASSWORD"] = own["POSTGRES_PASSWORD"]
        path = [Path(sys.executable).parent, postgres.BINARIES[-1], os.environ["PATH"]]
        own["PATH"] = os.pathsep.join(map(str, path))
        return own | {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.tmp)}

    def call(self, name, command, **streams):
        """Run a command as in the container of a service, to its end."""
        words = [self.translate(name, word) for word in command]
        options = {"env": self.environment(name), "cwd": self.volume, "timeout": PATIENCE}
        return subprocess.run(
            words, **options, **{"stdout": self.log, "stderr": self.log} | streams
        )

    def start(self, *names):
        """Start services in the order of compose.yaml, and wait until all are healthy."""
        for name in names:
            for needed in self.services[name]["depends_on"].keys() & self.running.keys():
                self.wait_until_healthy(needed)
            command = [self.translate(name, word) for word in self.services[name]["command"]]
            self.running[name] = subprocess.Popen(
                self._confine(name, command) if self.confined else command,
                env=self.environment(name),
                cwd=self.volume,
                stdout=self.log,
                stderr=self.log,
            )
        for name in names:
            self.wait_until_healthy(name)

    def wait_until_healthy(self, name):
        """Repeat a service's health check until it passes, once it listens."""
        until = time.monotonic() + PATIENCE
        _, *check = self.services[name]["healthcheck"]["test"]
        while not (self.listens(name) and self.call(name, check).returncode == 0):
            ended = name in self.running and self.running[name].poll() is not None
            assert not ended, (name, Path(self.log.name).read_text())
            assert time.monotonic() < until, (name, Path(self.log.name).read_text())
            time.sleep(0.2)

    def listens(self, name):
        """Whether a service accepts connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ports[name][1])) == 0

    def stop(self, *names):
        """End services as `docker compose stop` does."""
        stopped = [self.running.pop(name) for name in names]
        for process in stopped:
            process.terminate()
        for process in stopped:
            process.wait(45)

    def compose(self, line):
        """Do what a line of the page says, in the forms that the page uses."""
        form = "docker compose (exec -T|run --rm|up -d)(.*?)(?: ([<>]) (.+))?"
        verb, text, sign, path = re.fullmatch(form, line).groups()
        words = shlex.split(text)
        if verb == "up -d":
            self.start(*(name for name in SERVERS if name not in self.running))
        else:
            name, *command = words
            command = command or self.services[name]["command"]
            command = ["rclone", *command] if name == "rclone" else command
            stream, mode = ("stdin", "rb") if sign == "<" else ("stdout", "wb")
            with (self.folder / (path or "output")).open(mode) as file:
                done = self.call(name, command, **{stream: file})
            assert done.returncode == 0, (line, Path(self.log.name).read_text())


@contextlib.contextmanager
def running(folder, settings):
    """Yield a stack whose database and S3 server run; end all of it."""
    account = read_compose(settings)["services"]["postgres"]["environment"]
    with postgres.running(account["POSTGRES_USER"], account["POSTGRES_PASSWORD"]) as address:
        stack = Stack(folder, settings)
        stack.ports["postgres"] = (stack.ports["postgres"][0], address.port)
        create_databases(stack, account)
        storage = ThreadedMotoServer("127.0.0.1", stack.ports["s3"][1], verbose=False)
        storage.start()
        try:
            yield stack
        finally:
            stack.stop(*list(stack.running))
            storage.stop()


def create_databases(stack, account):
    """Do what the image of PostgreSQL does at its first start."""
    script = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["configs"]["databases"]
    statements = ("-c", f"CREATE DATABASE {account['POSTGRES_DB']}", "-c", script["content"])
    psql = ["psql", "-U", account["POSTGRES_USER"], "-d", "postgres", *statements]
    assert stack.call("postgres", psql).returncode == 0
    stack.wait_until_healthy("postgres")
