"""The model of this checkout, models/digits: what it is in a few words, or why it is not there.

Reads what the stages and DVC wrote beside it. The registry is not asked.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from digits.project import atomic_files, workspace
from digits.project.errors import UserError

ALIAS_LOG = "metrics/aliases.jsonl"
REGISTER_AGAIN = "`dvc repro -fs register` registers this checkout's model again, as it is"
DVC_LOCKS = ".dvc/tmp/rwlock"  # which process writes which output


def describe_version(number: int, aliases: Iterable[str], test_accuracy: float | None) -> str:
    """Describe a registered version: `version 4, challenger, test 99.42%`."""
    accuracy = [] if test_accuracy is None else [f"test {test_accuracy:.2%}"]
    return ", ".join([f"version {number}", *aliases, *accuracy])


def describe_content(content_sha256: str) -> str:
    """Describe the model with this content hash; "" unless this checkout registered it last."""
    try:
        root = workspace.state_root()
        registered = atomic_files.read_json(root / "metrics/register.json")
        if registered["content_sha256"] != content_sha256:
            return ""
        number, lines = int(registered["version"]), (root / ALIAS_LOG).read_text().splitlines()
        aliases = sorted(a for a, n in _last_versions(lines).items() if n == number)
        accuracy = atomic_files.read_json(root / "metrics/evaluate.json")["accuracy"]
        return describe_version(number, aliases, float(accuracy))
    except (OSError, UserError, LookupError, TypeError, ValueError):
        return ""


def registered_content() -> str | None:
    """Return the content hash of the model that this checkout registered last, if any."""
    try:
        root = workspace.state_root()
        if not (root / workspace.MODEL_OUTPUT).exists():
            return None
        return str(atomic_files.read_json(root / "metrics/register.json")["content_sha256"])
    except (UserError, LookupError, TypeError):
        return None


def _last_versions(lines: Iterable[str]) -> dict[str, int | None]:
    """Return the version of each alias by the last entries, those of one registry."""
    entries = [json.loads(line) for line in lines]
    versions: dict[str, int | None] = {}
    for entry in entries:
        if entry["registry"] == entries[-1]["registry"]:
            versions |= {alias: to for alias, (_, to) in entry["moves"].items()}
    return versions


def explain_absence() -> str:
    """Say why models/digits is not there, and what to do; "" if it is, or without a checkout."""
    root, output = workspace.find_state_root(), workspace.MODEL_OUTPUT
    if root is None or (root / output).exists():
        return ""
    if (process := training_process(root)) is not None:
        return f"{output} is being trained now by process {process}; wait until it has ended"
    if _is_cached(root):
        found = f"the last `dvc repro` ended before it had made {output}"
        return f"{found}; `dvc checkout` brings back the one before, or mend it and run it again"
    return f"no model was trained here yet; `dvc repro` trains one as {output}"


def training_process(root: Path) -> int | None:
    """Return the process that makes the model now, by the locks of DVC."""
    import psutil

    try:
        locks: dict[str, Any] = json.loads((root / DVC_LOCKS).read_bytes())["write"]
        process = int(locks[str(root / workspace.MODEL_OUTPUT)]["pid"])
    except (OSError, LookupError, TypeError, ValueError):
        return None
    return process if psutil.pid_exists(process) else None


def _is_cached(root: Path) -> bool:
    """Whether DVC's cache, where it is by default, has the model that dvc.lock names."""
    try:
        lock = (root / "dvc.lock").read_text()
    except OSError:
        return False
    found = re.search(rf"path: {workspace.MODEL_OUTPUT}\n\s+hash: md5\n\s+md5: (..)(.+)", lock)
    return found is not None and (root / ".dvc/cache/files/md5" / found[1] / found[2]).exists()
