"""The report trains and scores every seed once, and goes on where it was interrupted."""

import json

from stages.lib import params
from stages.lib import report as module
from stages.lib.report import report


def test_the_table_is_about_every_seed(workspace, values, monkeypatch):
    """Two seeds give a row with mean and interval; a second report trains nothing."""
    table = workspace / "metrics/report.md"
    values["recipes"] = {"narrow": {"model.mlp.hidden": [16]}}
    checked = params.check(values, "test")
    text = report(checked, ["narrow"], 2, table)

    kept = [json.loads(p.read_text()) for p in (workspace / ".state/report").iterdir()]
    assert len(kept) == 2
    assert {row["n"] for row in kept} == {500}
    mean = sum(row["accuracy"] for row in kept) / 2
    row = text.splitlines()[2]
    assert row.startswith(f"| narrow | 12,746 | 3 | **{mean:.2%}** |")
    assert table.read_text() == text

    monkeypatch.setattr(module, "_measure", lambda *_: 1 / 0)
    assert report(checked, ["narrow"], 2, table) == text
