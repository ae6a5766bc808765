"""Making probabilities mean what they say."""

import numpy as np
import pytest

from digits.evaluation.temperature_scaling import cross_entropy, fit_temperature


@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_the_temperature_undoes_a_factor(factor):
    """Logits that are sharp or flat by a factor get that factor as temperature."""
    generator = np.random.default_rng(0)
    honest = generator.normal(size=(20_000, 10)).astype(np.float32) * 2
    chances = np.exp(honest) / np.exp(honest).sum(1, keepdims=True)
    drawn = (chances.cumsum(1) > generator.random((len(honest), 1))).argmax(1)
    sharp = (honest * factor).astype(np.float32)
    found = fit_temperature(sharp, drawn)
    assert found == pytest.approx(factor, rel=0.05)
    after = cross_entropy(sharp / np.float32(found), drawn)
    assert after <= cross_entropy(sharp, drawn) + 1e-6


def test_the_temperature_is_bounded():
    """Perfect or worthless predictions give a finite temperature."""
    labels = np.arange(10)
    perfect = np.eye(10, dtype=np.float32)
    assert 0.04 < fit_temperature(perfect, labels) < 0.1
    assert 10 < fit_temperature(perfect, (labels + 1) % 10) < 20.1
