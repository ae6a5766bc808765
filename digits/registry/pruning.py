"""Remove the files of old versions that nobody needs, after showing which.

A version stays whole while it is among the newest, has an alias, was ever champion, or is the
model in the dvc.lock of a git tag.
"""

import sys

from digits.project import git_revisions, text_table, workspace
from digits.project.errors import UserError
from digits.registry import alias_moves, artifact_removal, registration
from digits.registry.alias_log import format_time
from digits.registry.alias_moves import AliasState
from digits.registry.model_version import DVC_TAG, UNSENT_TAG, RegisteredVersion
from digits.tracking.tracking_store import translate_errors

REMOVABLE = "goes"
MAX_PER_ENTRY = 500  # versions that one entry of the record names


def prune_versions(keep: int, *, yes: bool) -> str:
    """Remove the files of all versions but the newest `keep` and the protected; what was done.

    Asks on a terminal unless `yes`. Raises UserError, and removes nothing, when nobody can
    be asked, the record of aliases was tampered with or the registry does not answer.
    """
    now, locks = alias_moves.current_alias_state(), locks_of_git_tags()
    alias_moves.require_intact_log(now)
    with translate_errors(now.store):
        versions = registration.list_versions(now.store, now.name)
        old = [v for v in versions[keep:] if artifact_removal.REMOVED_TAG not in v.tags]
        fates = {v.number: _reason_to_keep(v, now, locks) for v in old}
    if not old:
        return f"nothing to remove: {now.name} has {len(versions)} version(s), {keep} are kept"
    rows = [[str(v.number), f"{v.created:%Y-%m-%d %H:%M}", fates[v.number]] for v in old]
    print(text_table.format_table(["version", "registered (UTC)", ""], rows, left=(0, 2)))
    goes = [v for v in old if fates[v.number] == REMOVABLE]
    if not goes:
        return "nothing to remove"
    if not yes and not _confirm(len(goes)):
        raise UserError(f"{len(goes)} version(s) would go; nothing was removed, --yes removes them")
    return _remove(now, goes, f"digits prune --keep {keep}")


def _reason_to_keep(version: RegisteredVersion, now: AliasState, locks: dict[str, str]) -> str:
    """Why the files of `version` stay; GOES when they may be removed."""
    model = artifact_removal.logged_model_id(version)
    oid = version.tags.get(DVC_TAG, "")  # of a very old one nobody knows: any tag keeps it
    tag = next((tag for tag, lock in locks.items() if oid in lock), None)
    reasons = {
        f"it is {', '.join(version.aliases)}": bool(version.aliases),
        "it was champion": version.number in now.log.champions,
        "version 1 kept it for a server": version.tags.get(UNSENT_TAG) == "true",
        "this project did not make it": model is None,
        "another version has the same files": model is not None
        and artifact_removal.shares_files(version, model),
        f"git tag {tag} names it": tag is not None,
    }
    return next((f"stays: {reason}" for reason, holds in reasons.items() if holds), REMOVABLE)


def locks_of_git_tags() -> dict[str, str]:
    """The dvc.lock of each git tag of this checkout; nothing where there is no git.

    Raises UserError when there is a repository that git cannot read.
    """
    folder = workspace.state_root()
    if not any((place / ".git").exists() for place in (folder, *folder.parents)):
        return {}
    tags = git_revisions.run_git("tag", strict=True).split()
    return {tag: git_revisions.run_git("show", f"{tag}:./dvc.lock") for tag in tags}


def _confirm(count: int) -> bool:
    """Whether there is a person at a terminal who agrees."""
    if not sys.stdin.isatty():
        return False
    print(f"remove the files of {count} version(s) for good? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _remove(now: AliasState, goes: list[RegisteredVersion], why: str) -> str:
    """Record what goes, then remove it, unless it got an alias meanwhile."""
    removed = 0
    for i in range(0, len(goes), MAX_PER_ENTRY):
        batch = goes[i : i + MAX_PER_ENTRY]
        numbers = [v.number for v in batch]
        with translate_errors(now.store):
            entry = alias_moves.change_aliases(now, {}, action="prune", why=why, removes=numbers)
            assert entry is not None  # it removes something
            note = f"{format_time(entry.when)} UTC by {entry.who}, {why}"
            removed += sum(
                artifact_removal.remove_files(v, str(artifact_removal.logged_model_id(v)), note)
                for v in batch
            )
    return f"removed the files of {removed} version(s); their entries stay"
