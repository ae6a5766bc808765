"""`digits verify`: check models and data against their checksums."""

import json
import sys

import click

from digits.cli.options import MODEL, json_option, model_argument
from digits.project.errors import UserError

REBUILD = "Instead, train this version again from its commit and compare the bytes."


@model_argument("model", required=False, help=f"Check only this model. {MODEL}")
@click.option("--rebuild", metavar="VERSION", help=REBUILD)
@json_option
def verify(model: str | None, rebuild: str | None, *, as_json: bool) -> None:
    """Check models and data against their checksums.

    Without MODEL, reads every registered version, all data and models that dvc.lock names, in
    DVC's cache and its remotes, and models/digits. Also checks the log of aliases, as
    `digits history` does.

    Example: digits verify champion

    Exit status: 0 if everything is right, 1 if files are not pushed, a remote does not answer or
    the log of aliases differs, 2 if a file was changed, or a rebuilt model has other bytes.
    """
    if rebuild is not None and (as_json or model is not None):
        raise UserError("--rebuild takes neither MODEL nor --json; leave them out")
    if rebuild is not None:
        from digits.registry import rebuild_check  # 2 s: MLflow

        sys.exit(rebuild_check.rebuild_version(rebuild))
    if model is not None:
        _verify_model(model, as_json)
        return
    from digits.registry import alias_history, alias_moves, verification

    findings = verification.verify_all()
    lines, status = alias_history.check_log(alias_moves.current_alias_state())
    if as_json:
        records = [{"what": f.what, "state": f.state.word, "details": f.details} for f in findings]
        print(json.dumps({"results": records, "messages": lines}, indent=2))
    else:
        print(verification.format_results(findings), *lines, sep="\n")
    sys.exit(max([status, *(finding.state for finding in findings)]))


def _verify_model(model: str, as_json: bool) -> None:
    from digits.registry import model_reference

    checked = model_reference.resolve(model)
    content = checked.content_sha256
    record = {"what": checked.name, "state": "ok", "content_sha256": content}
    print(json.dumps(record) if as_json else f"{checked.name}  ok  {content[:12]}")
