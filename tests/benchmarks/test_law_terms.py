"""What a model learned of the sandbox's law, term by term."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from benchmarks.law_terms import knowable, learned
from mmrl.sandbox import law
from mmrl.sandbox.world import World


def test_shares_are_those_that_predictions_were_made_of() -> None:
    rng = np.random.default_rng(0)
    terms = {name: rng.normal(size=2_000) for name in law.EXPECTED}
    shares = dict(zip(law.EXPECTED, np.linspace(0, 1, len(law.EXPECTED)), strict=True))
    other = rng.normal(0, 0.5, 2_000)
    predicted = 4.8 + sum(shares[name] * terms[name] for name in terms) + other
    found, left = learned(predicted, terms)
    assert found == pytest.approx(shares, abs=0.05)
    assert left == pytest.approx(0.25, rel=0.1)


def test_authors_known_by_karma_and_earlier_posts_come_near_the_ceiling() -> None:
    world = World.make(2_000, 0)
    truth = world.truth().to_pandas()
    newest = truth["with_image"].to_numpy() & (np.arange(len(truth)) > 1_500)
    without = truth["expected_log_score"] - truth["author"]

    def order(values: np.ndarray) -> float:
        return float(spearmanr(values[newest], truth["log_score"][newest]).statistic)

    ceiling = order(truth["expected_log_score"].to_numpy())
    assert order(without.to_numpy()) + 0.05 < order(knowable(world)) < ceiling
