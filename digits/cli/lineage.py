"""`digits lineage`: say where a model comes from: run, version, commit, data."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from digits.cli.options import ModelArgument

UNKNOWN = "unknown"


def lineage(
    model: ModelArgument,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Say where a model comes from: run, version, commit, data."""
    from digits.registry.lineage import trace_lineage  # 2 s: MLflow

    found = trace_lineage(model)
    if as_json:
        print(json.dumps(found, indent=2, sort_keys=True))
    else:
        rows = [*_who(found), *_made_of(found)]
        width = max(len(name) for name, _ in rows)
        print("\n".join(f"{name:{width}}  {text}".rstrip() for name, text in rows))


def _who(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The four names of one model."""
    content = found["model"]["content_sha256"]
    removed = found["version"].get("files_removed")
    nowhere = f"its files were removed: {removed}" if removed else "`digits pull` gets it"
    places = found["model"]["folders"] or [f"in no folder here; {nowhere}"]
    yield "model", f"{content[:12] or UNKNOWN}  {', '.join(places)}"
    version = found["version"]
    number = f"{version['name']} {version['number']}" if version else "not registered"
    yield "version", "  ".join([number, *version.get("aliases", [])])
    run = found["run"]
    yield "run", "  ".join(filter(None, map(str, run.values()))) or UNKNOWN
    commit = found["commit"]
    yield "trained from", f"{commit['id'][:12]}  {commit['branch']}".rstrip()
    yield "committed in", ", ".join(c[:12] for c in commit["committed_in"]) or "no commit yet"


def _made_of(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the model was made of, and on what."""
    if found["commit"]["dirty"]:
        yield "uncommitted", "changes that no commit has: source.diff of the run, `digits ui`"
    for path, digest in found["data"].items():
        yield "data", f"{digest[:12]}  {path}"
    for name, part in (("tuning", "tuning"), ("machine", "machine"), ("parameter", "params")):
        for key, value in found[part].items():
            yield name, f"{key} {value}"
