"""Kernel ridge: learns from what is alike, weighs what tells, and is saved and loaded equal."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmrl.learning.grid import Grid
from mmrl.learning.inputs import Inputs
from mmrl.learning.learners import kernel_choice
from mmrl.learning.learners.blocks import Block
from mmrl.learning.learners.kernel import KernelRidge, fit_kernel
from mmrl.learning.learners.kernel_choice import KernelChoice, choose_kernel

TELLING = Block("telling", "title", (0, 1))
NOISE = Block("noise", "image", tuple(range(8)))
BLOCKS = (TELLING, NOISE)


def posts(n: int, seed: int) -> tuple[Inputs, np.ndarray]:
    """A wave over the title's first two numbers; the image's numbers tell nothing."""
    rng = np.random.default_rng(seed)
    title = rng.uniform(-1, 1, (n, 2)).astype(np.float32)
    image = rng.normal(size=(n, 8)).astype(np.float32)
    ones = np.ones(n, np.float32)
    inputs = Inputs(
        {"title": title, "image": image}, {"title": ones, "image": ones}, np.ones(n, int)
    )
    return inputs, np.sin(3 * title[:, 0]) + title[:, 1] + rng.normal(0, 0.1, n)


def error(fitted: KernelRidge) -> float:
    inputs, target = posts(400, 9)
    return float(np.sqrt(np.mean((target - fitted.predict(inputs)) ** 2)))


def test_the_block_that_tells_weighs_most() -> None:
    choice = choose_kernel(*posts(300, 0), BLOCKS, 0)
    slope = {name: choice.amplitudes[name] * choice.weights[name] for name in choice.weights}
    assert slope["telling"] > 10 * slope["noise"]
    assert error(fit_kernel(*posts(300, 0), BLOCKS, choice, 0)) < 0.2


def test_the_level_and_the_unit_of_the_target_change_nothing_else() -> None:
    inputs, target = posts(200, 0)

    def predicted(target: np.ndarray) -> np.ndarray:
        choice = choose_kernel(inputs, target, BLOCKS, 0)
        return fit_kernel(inputs, target, BLOCKS, choice, 0).predict(inputs)

    np.testing.assert_allclose(predicted(10 * target + 5), 10 * predicted(target) + 5, atol=0.1)


def test_a_block_in_which_all_posts_are_alike_is_left_out() -> None:
    inputs, target = posts(100, 0)
    inputs.values["image"][:] = 1
    choice = choose_kernel(inputs, target, BLOCKS, 0)
    fitted = fit_kernel(inputs, target, BLOCKS, choice, 0)
    assert [block.name for block in fitted.blocks] == ["telling"]
    assert np.isfinite(fitted.predict(inputs)).all()


def test_landmarks_stand_for_more_posts() -> None:
    learned = posts(900, 0)
    choice = choose_kernel(*learned, BLOCKS, 0)
    fitted = fit_kernel(*learned, BLOCKS, choice, 0, landmarks=200)
    assert len(fitted.landmarks) == 200
    few = fit_kernel(learned[0].take(np.arange(200)), learned[1][:200], BLOCKS, choice, 0)
    assert error(fitted) < error(few)
    whole = fit_kernel(*learned, BLOCKS, choice, 0)
    assert len(whole.landmarks) == 900
    assert error(fitted) < 1.1 * error(whole)


def test_a_saved_kernel_predicts_the_same(tmp_path: Path) -> None:
    learned = posts(120, 0)
    fitted = fit_kernel(*learned, BLOCKS, choose_kernel(*learned, BLOCKS, 0), 0)
    fitted.save(tmp_path / "kernel")
    facts = json.loads(json.dumps(fitted.facts()))
    again = KernelRidge.load(tmp_path / "kernel", facts)
    assert np.array_equal(again.predict(learned[0]), fitted.predict(learned[0]))
    assert again.predict(learned[0].take(np.arange(0))).shape == (0,)


def test_landmarks_that_hardly_differ_are_solved_all_the_same() -> None:
    inputs, target = posts(3_000, 0)
    smooth = KernelChoice({"telling": 1.0, "noise": 1.0}, {"telling": 1e-4, "noise": 1e-4}, 0.03)
    fitted = fit_kernel(inputs, target, BLOCKS, smooth, 0, landmarks=400)
    assert np.isfinite(fitted.predict(inputs)).all()
    assert error(fitted) < 1.01 * float(np.std(target))


def test_posts_of_a_grid_get_what_they_get_without_it() -> None:
    learned, target = posts(300, 0)
    fitted = fit_kernel(learned, target, BLOCKS, choose_kernel(learned, target, BLOCKS, 0), 0)
    (contents, _), (places, _) = posts(4, 1), posts(5, 2)
    part_of = {"title": np.array([0, 1]), "image": np.ones(8, int)}
    rows = np.random.default_rng(0).permutation(20)[:17]
    grid = Grid((rows // 5, rows % 5), part_of, subreddit=1)
    at_places = Inputs(places.values, places.present, places.subreddit)
    of_contents = Inputs(
        {"title": contents.values["title"]}, {"title": contents.present["title"]}, np.zeros(4, int)
    )
    inputs = Inputs.of_grid((of_contents, at_places), grid)
    assert (inputs.values["title"][:, 0] == contents.values["title"][rows // 5, 0]).all()
    assert (inputs.values["title"][:, 1] == places.values["title"][rows % 5, 1]).all()
    assert (inputs.values["image"] == places.values["image"][rows % 5]).all()
    plain = Inputs(inputs.values, inputs.present, inputs.subreddit)
    np.testing.assert_allclose(fitted.predict(inputs), fitted.predict(plain), atol=1e-4)
    few = inputs.take(np.array([0, 7, 12]))  # of far fewer posts than pairs, each is worked on
    np.testing.assert_allclose(fitted.predict(few), fitted.predict(plain)[[0, 7, 12]], atol=1e-4)


def test_a_kernel_of_an_earlier_mmrl_is_one_product_of_all_blocks(tmp_path: Path) -> None:
    learned = posts(50, 0)
    fitted = fit_kernel(*learned, BLOCKS, choose_kernel(*learned, BLOCKS, 0), 0)
    fitted.save(tmp_path / "kernel")
    facts = fitted.facts()
    del facts["amplitudes"], facts["constant"]
    kernel = KernelRidge.load(tmp_path / "kernel", facts).kernel(learned[0])
    factors = [np.full(len(block.columns), fitted.factors[block.name]) for block in BLOCKS]
    values = np.concatenate([block.of(learned[0]) for block in BLOCKS], axis=1)
    apart = (values * np.concatenate(factors))[:, None] - fitted.landmarks[None]
    np.testing.assert_allclose(kernel, np.exp(-(apart**2).sum(axis=2)), atol=1e-5)


def test_the_likelihood_s_gradient_is_that_of_small_steps() -> None:
    inputs, target = posts(60, 3)
    values, pairs = [block.of(inputs) for block in BLOCKS], kernel_choice._Pairs.of(60)
    distances = [pairs.read(((one[:, None] - one[None]) ** 2).sum(axis=2)) for one in values]
    logs, centred = np.log([0.3, 0.7, 0.2, 0.05, 0.4]), target - target.mean()

    def unlikeliness(logs: np.ndarray) -> float:
        return kernel_choice._unlikeliness(np.exp(logs), distances, centred, pairs)[0]

    gradient = kernel_choice._unlikeliness(np.exp(logs), distances, centred, pairs)[1]
    for place in range(5):
        step = np.zeros(5)
        step[place] = 1e-3
        rise = (unlikeliness(logs + step) - unlikeliness(logs - step)) / 2e-3
        np.testing.assert_allclose(gradient[place], rise, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("blocks", [1, 8, 45])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_any_number_of_blocks_learns_a_target_with_noise_or_without(
    blocks: int, noise: float
) -> None:
    rng = np.random.default_rng(blocks)
    width, n = 6 * blocks, 600
    values = rng.normal(size=(n, width)).astype(np.float32)
    inputs = Inputs({"image": values}, {"image": np.ones(n, np.float32)}, np.ones(n, int))
    target = values[:, 0] + noise * rng.normal(size=n)
    parts = [Block(str(at), "image", tuple(range(6 * at, 6 * at + 6))) for at in range(blocks)]
    learned, left = np.arange(350), np.arange(350, n)
    choice = choose_kernel(inputs.take(learned), target[learned], parts, 0)
    fitted = fit_kernel(inputs.take(learned), target[learned], parts, choice, 0)
    error = np.mean((fitted.predict(inputs.take(left)) - target[left]) ** 2)
    assert error / target[left].var() < (0.1 if noise == 0 else 0.72)


@pytest.mark.parametrize("n", [2, 5, 10])
@pytest.mark.parametrize("level", [0.0, 3.0])
def test_a_handful_of_posts_or_equal_scores_give_a_kernel(n: int, level: float) -> None:
    inputs, target = posts(n, 0)
    target = level + (target if level == 0.0 else 0.0 * target)
    choice = choose_kernel(inputs, target, BLOCKS, 0)
    assert np.isfinite(fit_kernel(inputs, target, BLOCKS, choice, 0).predict(inputs)).all()
