"""The report trains and scores each seed once, also after an interruption."""

from digits.project import params_file
from digits.training import recipe_report
from digits.training.recipe_report import write_report


def test_each_seed_is_trained_once(workspace, values, monkeypatch):
    """Two seeds give a row with their mean; a second report trains nothing."""
    train_and_score, rows = recipe_report._train_and_score, {}

    def measure(checked):
        """Train and score the first seed; the second reaches 10 points less."""
        other = {"accuracy": rows[1]["accuracy"] - 0.1} if rows else train_and_score(checked)
        rows[checked.train.seed] = rows.get(1, {}) | other
        return rows[checked.train.seed]

    monkeypatch.setattr(recipe_report, "_train_and_score", measure)
    table = workspace / "metrics/report.md"
    values["recipes"] = {"narrow": {"model.mlp.hidden": [16]}}
    checked = params_file.check_params(values, "test")
    text = write_report(checked, ["narrow"], 2, table)

    assert (rows.keys(), rows[1]["n"]) == ({1, 2}, 500)
    mean = rows[1]["accuracy"] - 0.05
    assert text.splitlines()[2].startswith(f"| narrow | 12,746 | 3 | **{mean:.2%}** |")
    assert table.read_text() == text

    rows.clear()
    assert write_report(checked, ["narrow"], 2, table) == text
    assert rows == {}
