"""`digits versions` shows aliases, former champions and the verdict of the promotion rules."""

from digits.cli import versions as versions_command
from digits.project import atomic_files
from digits.registry import promotion, registration
from digits.registry.model_version import REMOVED_TAG
from digits.tracking import tracking_store
from tests.conftest import standing


def test_alias_verdict_and_past_are_shown(enter, capsys):
    """Champion and former champions; a version whose files were removed."""
    enter("poor", gate="dry-run")
    for variant in ("poor", "good", "same"):
        enter(variant)
    promotion.promote_manually("3", "by hand")
    tracking_store.embedded_store().client.set_model_version_tag(
        "digits", "1", REMOVED_TAG, "today"
    )
    capsys.readouterr()
    versions_command.versions()
    lines = capsys.readouterr().out.splitlines()

    assert lines[0].split()[:4] == ["version", "alias", "gate", "validation"]
    rows = [" ".join(line.split()) for line in lines[1:]]
    assert rows[0].startswith("3 champion failed 50.00% 50.00%")
    assert rows[1].startswith("2 former champion passed 50.00%")
    assert rows[2].startswith("1 former champion, no files first 50.00%")
    assert len(rows) == 3


def test_the_balanced_accuracy_is_shown_where_it_decides(workspace, enter, capsys):
    """Of versions whose `register.measure` it was; others have none."""
    enter("poor")
    for name, key in (("train", "validation_balanced_accuracy"), ("evaluate", "balanced_accuracy")):
        path = workspace / f"metrics/{name}.json"
        atomic_files.write_json(path, atomic_files.read_json(path) | {key: 0.4})
    enter("good", measure="balanced_accuracy")
    capsys.readouterr()
    versions_command.versions()
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    assert "validation test balanced validation balanced test" in lines[0]
    assert "50.00% 50.00% 40.00% 40.00%" in lines[1]
    assert "40.00%" not in lines[2]


def test_differences_from_the_log_are_noted(versions, capsys):
    """Below the table, in a line each."""
    client = tracking_store.embedded_store().client
    promotion.promote_manually("1", "by hand")
    entry = standing().log.entries[-1]
    client.set_registered_model_alias("digits", "champion", "2")
    client.delete_registered_model_tag("digits", entry.id)
    capsys.readouterr()
    versions_command.versions()
    output = capsys.readouterr().out

    assert "note: champion is version 2 in the registry" in output
    assert "not in the registry; see `digits history`" in output


def test_many_versions_need_no_more_queries_than_few(workspace, monkeypatch):
    """One search for versions and one query of the registered model, however many there are."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    store, queries = tracking_store.embedded_store(), []
    store.client.create_registered_model("digits")
    for name in ("search_model_versions", "get_registered_model", "get_model_version"):
        original = getattr(SqlAlchemyStore, name)

        def counted(*arguments, original=original, **options):
            queries.append(original.__name__)
            return original(*arguments, **options)

        monkeypatch.setattr(SqlAlchemyStore, name, counted)
    counts = []
    for number in range(1, 6):
        store.client.create_model_version("digits", "s3://nowhere/model")
        store.client.set_registered_model_alias("digits", f"number-{number}", str(number))
        queries.clear()
        assert registration.list_versions(store, "digits")[0].aliases == (f"number-{number}",)
        counts.append(sorted(queries))

    assert counts == [["get_registered_model", "search_model_versions"]] * 5
