"""`digits lineage`: show which run, version, commit and data a model comes from."""

import json
from collections.abc import Iterator
from typing import Any

from digits.cli.options import MODEL, json_option, model_argument

UNKNOWN = "unknown"


@model_argument("model", help=MODEL)
@json_option
def lineage(model: str, *, as_json: bool) -> None:
    """Show which run, version, commit and data a model comes from.

    Prints the folders that hold the model, its version and aliases, its MLflow run, the commit
    that it was trained from, the SHA-256 of its data, its parameters and the machine.

    Example: digits lineage champion
    """
    from digits.registry.lineage import trace_lineage  # 2 s: MLflow

    traced = trace_lineage(model)
    if as_json:
        print(json.dumps(traced, indent=2, sort_keys=True))
    else:
        rows = [*_identity(traced), *_origin(traced)]
        width = max(len(name) for name, _ in rows)
        print("\n".join(f"{name:{width}}  {text}".rstrip() for name, text in rows))


def _identity(traced: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield rows for the model, its version, its run and its commits."""
    model, version, run, commit = (traced[k] for k in ("model", "version", "run", "commit"))
    removed = version.get("files_removed")
    advice = f"its files were removed: {removed}" if removed else "`digits pull` gets it"
    folders = ", ".join(model["folders"]) or f"in no folder here; {advice}"
    yield "model", f"{model['content_sha256'][:12] or UNKNOWN}  {folders}"
    number = f"{version['name']} {version['number']}" if version else "not registered"
    yield "version", "  ".join([number, *version.get("aliases", [])])
    yield "run", "  ".join(filter(None, map(str, run.values()))) or UNKNOWN
    yield "trained from", f"{commit['id'][:12]}  {commit['branch']}".rstrip()
    yield "committed in", ", ".join(c[:12] for c in commit["committed_in"]) or "no commit yet"


def _origin(traced: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield rows for uncommitted changes, data, search, machine and parameters."""
    if traced["commit"]["dirty"]:
        yield "uncommitted", "changes that no commit has: source.diff of the run in `digits ui`"
    for path, digest in traced["data"].items():
        yield "data", f"{digest[:12]}  {path}"
    for name, key in (("tuning", "tuning"), ("machine", "machine"), ("parameter", "params")):
        yield from ((name, f"{k} {v}") for k, v in traced[key].items())
