"""Temperature scaling undoes over- and underconfidence."""

import numpy as np
import pytest

from digits.evaluation.temperature_scaling import cross_entropy, fit_temperature


@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_the_temperature_undoes_a_factor(factor):
    """Calibrated logits times a factor get that factor as temperature."""
    generator = np.random.default_rng(0)
    calibrated = generator.normal(size=(20_000, 10)).astype(np.float32) * 2
    chances = np.exp(calibrated) / np.exp(calibrated).sum(1, keepdims=True)
    labels = (chances.cumsum(1) > generator.random((len(calibrated), 1))).argmax(1)
    sharp = (calibrated * factor).astype(np.float32)
    temperature = fit_temperature(sharp, labels)
    assert temperature == pytest.approx(factor, rel=0.05)
    after = cross_entropy(sharp / np.float32(temperature), labels)
    assert after <= cross_entropy(sharp, labels) + 1e-6


def test_the_temperature_is_bounded():
    """Worthless predictions give a finite temperature, and perfect ones teach nothing."""
    labels = np.arange(10)
    perfect = np.eye(10, dtype=np.float32)
    assert fit_temperature(perfect, labels) == 1.0
    assert 10 < fit_temperature(perfect, (labels + 1) % 10) < 20.1
