"""The report trains and scores every seed once, and goes on where it was interrupted."""

import json

from digits.project import params_file
from digits.training import recipe_report as module
from digits.training.recipe_report import write_report


def test_the_table_is_about_every_seed(workspace, values, monkeypatch):
    """Two seeds give a row with mean and interval; a second report trains nothing."""
    table = workspace / "metrics/report.md"
    values["recipes"] = {"narrow": {"model.mlp.hidden": [16]}}
    checked = params_file.check_params(values, "test")
    text = write_report(checked, ["narrow"], 2, table)

    kept = [json.loads(p.read_text()) for p in (workspace / ".state/report").iterdir()]
    assert len(kept) == 2
    assert {row["n"] for row in kept} == {500}
    mean = sum(row["accuracy"] for row in kept) / 2
    row = text.splitlines()[2]
    assert row.startswith(f"| narrow | 12,746 | 3 | **{mean:.2%}** |")
    assert table.read_text() == text

    monkeypatch.setattr(module, "_train_and_score", lambda *_: 1 / 0)
    assert write_report(checked, ["narrow"], 2, table) == text
