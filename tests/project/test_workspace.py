"""The folder of the project is found from any folder inside it."""

from digits.project import workspace


def test_an_experiment_uses_the_state_of_the_original_checkout(tmp_path, monkeypatch):
    """`dvc exp run --temp` works in a copy; the stores are those of the checkout it began in."""
    copy = tmp_path / ".dvc/tmp/exps/tmp12"
    copy.mkdir(parents=True)
    for folder in (tmp_path, copy):
        (folder / "dvc.yaml").touch()
    monkeypatch.chdir(copy)

    assert workspace.checkout_root() == copy
    assert workspace.state_root() == tmp_path
