"""Choose the old versions whose files nobody needs, and remove them after showing which.

A version keeps its files while it is among the newest, has an alias, was ever champion, or is
the model in the dvc.lock of a git tag. How files are removed is in `artifact_removal`.
"""

import json
import sys
from functools import partial

from digits.project import git_revisions, text_table, workspace
from digits.project.errors import UserError
from digits.registry import alias_moves, artifact_removal, registration
from digits.registry.alias_log import format_time
from digits.registry.alias_moves import AliasState
from digits.registry.model_version import DVC_TAG, REMOVED_TAG, UNSENT_TAG, RegisteredVersion
from digits.tracking.tracking_store import translate_errors

REMOVABLE = "remove"
MAX_PER_ENTRY = 500  # versions that one entry of the alias log names


def prune_versions(keep: int, *, yes: bool, as_json: bool = False) -> str:
    """Remove the files of all versions but the newest `keep` and the protected; say what was done.

    Asks on a terminal unless `yes`; with `as_json`, only `yes` removes anything. Raises
    UserError, and removes nothing, when nobody can be asked, the alias log has problems or the
    registry does not answer.
    """
    state, locks = alias_moves.current_alias_state(), load_tagged_locks()
    alias_moves.require_intact_log(state)
    with translate_errors(state.store):
        versions = registration.list_versions(state.store, state.name)
        old = [v for v in versions[keep:] if REMOVED_TAG not in v.tags]
        plan = {v.number: _plan(v, state, locks) for v in old}
    removable = [v for v in old if plan[v.number] == REMOVABLE]
    why = f"digits prune --keep {keep}"
    if as_json:
        removed = _remove(state, removable, why) if yes else 0
        return json.dumps({"versions": [_record(v, plan) for v in old], "removed": removed})
    if not old:
        return f"nothing to remove: {state.name} has {len(versions)} version(s), {keep} are kept"
    rows = [[str(v.number), f"{v.created:%Y-%m-%d %H:%M}", plan[v.number]] for v in old]
    print(text_table.format_table(["version", "registered (UTC)", "files"], rows, left=(0, 2)))
    if not removable:
        return "nothing to remove"
    if not yes and not _confirm(len(removable)):
        found = f"{len(removable)} version(s) would lose their files"
        raise UserError(f"{found}; nothing was removed, --yes removes them")
    return f"removed the files of {_remove(state, removable, why)} version(s); their entries stay"


def _record(version: RegisteredVersion, plan: dict[int, str]) -> dict[str, object]:
    """Return a row of the table as a JSON object."""
    registered = version.created.isoformat(timespec="seconds")
    return {"version": version.number, "registered": registered, "files": plan[version.number]}


def _plan(version: RegisteredVersion, state: AliasState, locks: dict[str, str]) -> str:
    """Say why the files of `version` are kept; REMOVABLE when they are not."""
    model = artifact_removal.logged_model_id(version)
    oid = version.tags.get(DVC_TAG, "")  # unknown of a very old version: any git tag keeps it
    tag = next((tag for tag, lock in locks.items() if oid in lock), None)
    reasons = {
        f"it is {', '.join(version.aliases)}": bool(version.aliases),
        "it was champion": version.number in state.log.champions,
        "release 0.1.0 kept it for a server": version.tags.get(UNSENT_TAG) == "true",
        "this project did not make it": model is None,
        "another version has the same files": model is not None
        and artifact_removal.has_shared_files(version, model),
        f"git tag {tag} names it": tag is not None,
    }
    return next((f"keep: {reason}" for reason, holds in reasons.items() if holds), REMOVABLE)


def load_tagged_locks() -> dict[str, str]:
    """Return the dvc.lock of each git tag of this checkout; nothing where there is no git.

    Raises UserError when there is a repository that git cannot read.
    """
    root = workspace.state_root()
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return {}
    tags = git_revisions.run_git("tag", strict=True).split()
    return {tag: git_revisions.run_git("show", f"{tag}:./dvc.lock") for tag in tags}


def _confirm(count: int) -> bool:
    """Whether there is a person at a terminal who agrees."""
    if not sys.stdin.isatty():
        return False
    print(f"remove the files of {count} version(s) for good? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _remove(state: AliasState, versions: list[RegisteredVersion], why: str) -> int:
    """Log which versions lose their files, then remove these, unless one got an alias meanwhile.

    Returns how many lost theirs.
    """
    removed = 0
    for i in range(0, len(versions), MAX_PER_ENTRY):
        batch = versions[i : i + MAX_PER_ENTRY]
        numbers = tuple(v.number for v in batch)
        with translate_errors(state.store):
            entry = next(reversed(state.log.entries), None)
            is_cut_off = entry and entry.action == "prune" and set(numbers) <= set(entry.removes)
            if is_cut_off:
                alias_moves.append_to_log_file(state)
            else:
                change = partial(alias_moves.change_aliases, state, {}, action="prune", why=why)
                entry = change(removes=numbers)
            assert entry is not None  # it removes something
            note = f"{format_time(entry.when)} UTC by {entry.who}, {why}"
            for v in batch:
                model = str(artifact_removal.logged_model_id(v))
                removed += artifact_removal.remove_files(v, model, note)
    return removed
