"""Reasons: Shapley values that add up, the worth of words, and occlusion maps."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.catalog import Catalog
from mmrl.errors import InputError
from mmrl.learning.extras import ExtraFeatures, WordFeature
from mmrl.learning.inputs import FeatureSpec, Inputs
from mmrl.learning.scale import Scale
from mmrl.serving.answers.explain import explain, shapley
from mmrl.serving.answers.occlude import lost_without, occlude
from mmrl.serving.inputs.drafts import Drafts, ImageFile
from mmrl.serving.inputs.groups import GROUPS, grouping_of
from mmrl.serving.ranks.rank import Predictor
from tests.support.filled_home import SETTINGS
from tests.support.image_server import image_file
from tests.support.serving_home import NOW

IMAGE = ImageFile("lake.jpg", image_file(5, (300, 200)))
MADE = st.builds(
    Drafts,
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=1).filter(
        lambda titles: bool(titles[0].strip())
    ),
    st.sampled_from([["aww"], ["pics"], ["food"], ["elsewhere"]]),
    st.sampled_from([[IMAGE], [ImageFile("cat.png", image_file(9, image_format="PNG"))]]),
    author=st.sampled_from([None, "Author1", "nobody"]),
    over_18=st.booleans(),
)


@pytest.fixture(scope="module")
def predictor(serving_home: Path) -> Predictor:
    return Predictor.open(Catalog.open(serving_home), SETTINGS, NOW)


@given(st.integers(1, 5), st.data())
def test_shapley_values_are_the_mean_gain_over_all_orders_of_the_players(
    players: int, data: st.DataObject
) -> None:
    worths = st.lists(st.floats(-9, 9), min_size=2**players, max_size=2**players)
    worth = np.array(data.draw(worths))
    sets = np.array(list(np.ndindex(*(2,) * players)), bool)
    of = {tuple(members): value for members, value in zip(sets.tolist(), worth, strict=True)}
    gains = np.zeros(players)
    orders = list(permutations(range(players)))
    for order in orders:
        members = [False] * players
        for player in order:
            before = of[tuple(members)]
            members[player] = True
            gains[player] += of[tuple(members)] - before
    assert shapley(sets, worth) == pytest.approx(gains / len(orders), abs=1e-9)


@pytest.mark.slow
@settings(max_examples=8)
@given(MADE)
def test_what_the_groups_add_is_the_prediction_less_that_of_a_typical_post(
    predictor: Predictor, drafts: Drafts
) -> None:
    found = explain(predictor, drafts)
    assert {one.group for one in found.contributions} <= set(GROUPS)
    total = found.typical + sum(one.value for one in found.contributions)
    assert total == pytest.approx(found.predicted, abs=1e-6)
    (ranked,) = predictor.rank(drafts)
    assert found.predicted == pytest.approx(ranked.spread.middle, abs=1e-4)
    known = drafts.subreddits[0] in ("aww", "pics")
    assert found.subreddit == (drafts.subreddits[0] if known else None)
    words = drafts.titles[0].split()
    assert [word.word for word in found.words] == (words if len(words) > 1 else [])


@pytest.mark.slow
def test_a_newcomer_s_level_is_told_as_the_community_s(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def community_of(drafts: Drafts) -> float:
        found = explain(predictor, drafts, words=False)
        (ranked,) = predictor.rank(drafts)
        assert found.predicted == pytest.approx(ranked.spread.middle, abs=1e-4)
        return next(one.value for one in found.contributions if one.group == "community")

    drafts = Drafts(["A lake"], ["Newcomer"], [IMAGE])
    before = community_of(drafts)
    model = predictor.registered.model
    monkeypatch.setitem(model.levels, "newcomer", model.level - 2.0)
    assert community_of(drafts) == pytest.approx(before - 2.0, abs=1e-4)


@pytest.mark.slow
def test_a_word_is_worth_what_the_prediction_loses_without_it(predictor: Predictor) -> None:
    titles = ["A grand lake", "grand lake", "A lake", "A grand"]
    drafts = [Drafts([title], ["pics"], [IMAGE]) for title in titles]
    whole, *without = (predictor.rank(each)[0].spread.middle for each in drafts)
    found = explain(predictor, drafts[0]).words
    assert [word.word for word in found] == ["A", "grand", "lake"]
    assert [word.value for word in found] == pytest.approx(
        [whole - each for each in without], abs=1e-4
    )
    assert explain(predictor, drafts[0], words=False).words == ()


@pytest.mark.slow
def test_several_drafts_are_not_explained_at_once(predictor: Predictor) -> None:
    with pytest.raises(InputError, match="2 titles are several drafts: choose one"):
        explain(predictor, Drafts(["A", "B"], ["pics"], [IMAGE]))


@pytest.mark.slow
def test_a_square_of_an_image_is_worth_what_covering_it_costs(predictor: Predictor) -> None:
    half = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    half[:, 150:] = half.reshape(-1, 3).mean(axis=0).round()  # covering it changes next to nothing
    from io import BytesIO

    from PIL import Image

    file = BytesIO()
    Image.fromarray(half).save(file, "PNG")
    drafts = Drafts(["A lake"], ["pics"], [ImageFile("half.png", file.getvalue())])
    found = occlude(predictor, drafts, grid=2)
    assert found.values.shape == (2, 2)
    assert np.abs(found.values[:, 0]).min() > np.abs(found.values[:, 1]).max()
    alone, unit = lost_without(predictor, drafts, [[0], [0, 2], []], grid=2)
    assert unit == found.unit == "log_score"
    assert alone[0] == pytest.approx(found.values[0, 0], abs=1e-4)
    assert alone[1] != pytest.approx(alone[0], abs=1e-6)
    assert alone[2] == pytest.approx(0, abs=1e-4)
    with pytest.raises(InputError, match="no image to look at"):
        occlude(predictor, Drafts(["A lake"], ["pics"]))


def test_the_text_that_an_image_shows_is_grouped_with_the_image() -> None:
    scale = Scale(0.0, 1.0)
    words = WordFeature(False, ("one", "two"), scale, scale)
    extras = ExtraFeatures(words={"image_text": words, "tags": words})
    spec = FeatureSpec({}, {"text:image_text": 3, "text:tags": 3}, [], {"hour_sin": scale}, extras)
    spec.texts.update({"text:image_text": 2, "text:tags": 2})
    widths = {"post": 2, "visual": 3, "caption": 1, "author": 2, "extra": 10, "extra_text": 4}
    inputs = Inputs(
        {name: np.zeros((1, width), np.float32) for name, width in widths.items()}, {}, np.zeros(1)
    )
    grouping = grouping_of(spec, inputs, "title")
    found = {
        name: [grouping.names[number] for number in numbers]
        for name, numbers in grouping.columns.items()
    }
    assert found["post"] == ["time", "time"]
    assert found["visual"] == ["together"] * 3
    assert found["caption"] == ["image"]
    assert found["extra"] == ["image"] * 5 + ["rest"] * 5
    assert found["extra_text"] == ["image"] * 2 + ["rest"] * 2
    assert "together" not in grouping_of(spec, inputs, "caption").names
