"""The report trains and scores each seed once, also after an interruption."""

import json

from digits.project import params_file
from digits.training import recipe_report
from digits.training.recipe_report import write_report


def test_each_seed_is_trained_once(workspace, values, monkeypatch):
    """Two seeds give a row with their mean; a second report trains nothing."""
    table = workspace / "metrics/report.md"
    values["recipes"] = {"narrow": {"model.mlp.hidden": [16]}}
    checked = params_file.check_params(values, "test")
    text = write_report(checked, ["narrow"], 2, table)

    rows = [json.loads(p.read_text()) for p in (workspace / ".state/report").iterdir()]
    assert [row["n"] for row in rows] == [500, 500]
    mean = sum(row["accuracy"] for row in rows) / 2
    row = text.splitlines()[2]
    assert row.startswith(f"| narrow | 12,746 | 3 | **{mean:.2%}** |")
    assert table.read_text() == text

    monkeypatch.setattr(recipe_report, "_train_and_score", lambda *_: 1 / 0)
    assert write_report(checked, ["narrow"], 2, table) == text
