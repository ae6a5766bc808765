"""The table of versions tells what each is, was, and what the gate said of it."""

import pytest

from stages.lib.errors import UserError
from stages.lib.tracking import aliases, store
from stages.lib.tracking.removal import REMOVED
from stages.promote import promote
from stages.versions import versions


def test_alias_verdict_and_past_are_shown(enter, capsys):
    """Champion, former champion, challenger; a version whose files were removed."""
    enter("poor", gate="dry-run")
    for variant in ("poor", "good", "same"):
        enter(variant)
    promote("3", "by hand")
    store.embedded().client.set_model_version_tag("digits", "1", REMOVED, "today")
    capsys.readouterr()
    versions()
    told = capsys.readouterr().out.splitlines()
    lines = [line for line in told if not line.startswith("note: ")]  # there is no DVC here

    assert lines[0].split()[:4] == ["version", "alias", "gate", "validation"]
    shown = [" ".join(line.split()) for line in lines[1:]]
    assert shown[0].startswith("3 champion failed 50.00% 50.00%")
    assert shown[1].startswith("2 former champion passed 50.00%")
    assert shown[2].startswith("1 former champion, no files first 50.00%")
    assert len(shown) == 3


def test_disagreement_and_tampering_are_noted(enter, capsys):
    """What the table cannot show is told below it."""
    enter("good")
    enter("poor")
    client = store.embedded().client
    client.set_registered_model_alias("digits", "champion", "2")
    (entry, _) = aliases.standing(store.embedded(), "digits").record.entries
    client.delete_registered_model_tag("digits", entry.key)
    capsys.readouterr()
    versions()
    told = capsys.readouterr().out

    assert "note: champion is version 2 in the registry" in told
    assert "note: the record of aliases was tampered with; `digits history` tells more" in told


def test_without_a_version_one_line_says_what_to_do(workspace):
    """Nothing registered."""
    with pytest.raises(UserError, match="digits has no version yet; `dvc repro` registers one"):
        versions()
