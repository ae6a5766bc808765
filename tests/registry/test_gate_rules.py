"""The rules: numbers in, verdicts out."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from digits.evaluation.paired_comparison import ModelScores, PairedComparison
from digits.inference import model_manifest
from digits.project.params_schema import RegisterParams
from digits.registry import gate_rules
from digits.registry.alias_log import AliasLog
from digits.registry.alias_moves import AliasState
from digits.registry.model_version import RegisteredVersion
from digits.registry.promotion_decision import (
    DECISION_TAG,
    OLD_DECISION_TAG,
    PromotionDecision,
    decide_alias,
    recorded_decision,
)
from digits.tracking.tracking_store import TrackingStore

BOUNDS = {"level": 0.05, "class_drop": 0.01, "ece": 0.01, "latency": 2.0}
RULES = RegisterParams(name="m", gate="enforce", measure="accuracy", **BOUNDS)
SCORES = ModelScores(correct=990, recall=[0.99, 0.98], ece=0.002, seconds=1e-4, balanced=0.985)
COUNTS = {"gained": 20, "lost": 5, "p_value": 0.004, "interval": (0.005, 0.025)}
COUNTS |= {"balanced_p_value": 0.2, "balanced_interval": (-0.01, 0.02)}
BETTER = PairedComparison(1000, ["cat", "dog"], candidate=SCORES, champion=SCORES, **COUNTS)

VERDICTS = gate_rules.apply_rules(BETTER, RULES)
DECISION = PromotionDecision("champion", "enforce", "passed", "why", 3, 1000, VERDICTS)


def failed(pair):
    """The rules that a candidate does not pass."""
    return [v.rule for v in gate_rules.apply_rules(pair, RULES) if not v.passed]


@pytest.mark.parametrize(
    ("balanced", "p_value", "passed"),
    [(0.99, 0.049, True), (0.99, 0.05, False), (0.98, 0.01, False)],
)
def test_balanced_accuracy_decides_where_it_is_the_measure(balanced, p_value, passed):
    """Its own test decides, however McNemar's ends; its difference must be positive."""
    candidate = replace(SCORES, balanced=balanced)
    pair = replace(BETTER, candidate=candidate, balanced_p_value=p_value, p_value=1 - p_value)
    rules = RULES.model_copy(update={"measure": "balanced_accuracy"})
    verdict = gate_rules.apply_rules(pair, rules)[0]
    assert (verdict.rule, verdict.passed) == ("better", passed)
    assert verdict.numbers["measure"] == "balanced_accuracy"


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, []),
        ({"p_value": 0.0499}, []),
        ({"p_value": 0.05}, ["better"]),
        ({"gained": 5, "lost": 20}, ["better"]),
        ({"gained": 0, "lost": 0, "p_value": 1.0}, ["better"]),
        ({"candidate": replace(SCORES, recall=[1.0, 0.97])}, []),
        ({"candidate": replace(SCORES, recall=[1.0, 0.969])}, ["classes"]),
        ({"candidate": replace(SCORES, ece=0.01)}, []),
        ({"candidate": replace(SCORES, ece=0.0101)}, ["calibration"]),
        ({"candidate": replace(SCORES, seconds=2e-4)}, []),
        ({"candidate": replace(SCORES, seconds=2.1e-4)}, ["latency"]),
        ({"champion": replace(SCORES, ece=0.5)}, []),
        (
            {"p_value": 0.5, "candidate": ModelScores(990, [0.5, 0.5], 0.5, 1.0, 0.5)},
            ["better", "classes", "calibration", "latency"],
        ),
    ],
)
def test_each_rule_has_its_bound(changes, rules):
    """On the bound is within, beyond it is not; one rule does not make up for another."""
    assert failed(replace(BETTER, **changes)) == rules


def test_verdicts_tell_their_numbers():
    """What a person, a tag and a file get to see."""
    assert DECISION.table[1][0][:4] == ["better", "99.00%", "99.00%", "passed"]
    assert DECISION.table[1][0][4].startswith("20 images gained, 5 lost: p = 0.004, to be below")
    assert DECISION.table[1][3][:4] == ["latency", "100 us", "100 us", "passed"]
    assert DECISION.summary["rules"]["better"]["interval"] == [0.005, 0.025]


def test_reasons_are_complete_in_themselves():
    """The record of aliases has no columns beside them: each names what was measured."""
    worse = ModelScores(975, [0.99, 0.95], 0.02, 1e-4, 0.97)
    pair = replace(BETTER, gained=5, lost=20, candidate=worse, interval=(-0.025, -0.005))
    better, classes, calibration, _ = (v.why for v in gate_rules.apply_rules(pair, RULES))

    assert better.startswith("5 images gained, 20 lost; difference -1.50%, 95 % interval")
    assert classes.startswith("recall of dog changes by -3.00%, the worst of all classes; 1.00%")
    assert calibration == "expected calibration error 2.00%, at most 1.00%"


def test_a_decision_comes_back_from_its_tags():
    """All but the alias, which is not to be moved again; nonsense is no decision."""
    again = recorded_decision(DECISION.tags)

    assert again == replace(DECISION, alias=None, notes=[])
    older = DECISION.tags[DECISION_TAG].replace('"notes"', '"timed": {"times": 1.0}, "notes"')
    for tag in (DECISION_TAG, OLD_DECISION_TAG):
        assert recorded_decision({tag: older}) == again  # as it was written before
    for text in ("", "[]", "{}", '{"rules": 3}', '{"rules": [{"rule": 1}]}'):
        assert recorded_decision({DECISION_TAG: text}) is None
    assert recorded_decision({}) is None


@pytest.mark.parametrize(
    ("accuracy", "alias", "verdict"), [("0.1028", None, "failed"), ("0.2", "champion", "first")]
)
def test_a_model_that_learned_nothing_gets_no_alias(tmp_path, accuracy, alias, verdict):
    """Not even the first version does, unless it is better than guessing one of ten classes."""
    store, tags = TrackingStore("", embedded=True), {"validation_accuracy": accuracy}
    version = RegisteredVersion(store, "m", 1, (), datetime.now(UTC), "", "", tags)
    model_manifest.write_manifest(tmp_path, {"classes": list("0123456789"), "run_id": "0" * 32})
    state = AliasState(store, "m", {}, AliasLog())

    decision = decide_alias(
        version, None, state, rules=RULES, validation=tmp_path / "unused.npz", trained=tmp_path
    )

    assert (decision.alias, decision.verdict) == (alias, verdict)
    assert alias or decision.why.startswith(
        "its validation accuracy is 10.28%, and guessing has 10"
    )
