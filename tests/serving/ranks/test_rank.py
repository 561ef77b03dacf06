"""Rankings of drafts: every combination, in the same order however they are given."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.catalog import Catalog
from mmrl.errors import InputError
from mmrl.samples.load import encoders_of, samples_with_vectors
from mmrl.serving.inputs.drafts import MOST_COMBINATIONS, Drafts, ImageFile
from mmrl.serving.ranks import opened
from mmrl.serving.ranks import rank as rank_module
from mmrl.serving.ranks.rank import Predictor
from mmrl.serving.ranks.ranking import Ranking
from tests.support.filled_home import SETTINGS
from tests.support.image_server import image_file
from tests.support.serving_home import NOW, POSTS, SUBREDDITS, UP, title_of

pytestmark = pytest.mark.slow

IMAGES = [ImageFile(f"{number}.jpg", image_file(number)) for number in (3, 70, 71)]
TITLES = ["A lake", "Is this a cat?", "LOOK AT THIS [OC]"]
HOURS = [NOW + timedelta(hours=hours) for hours in (0, 7, 30)]
MANY = [ImageFile(str(number), bytes([number])) for number in range(201)]
PLACES = [*SUBREDDITS, "elsewhere"]


@pytest.fixture(scope="module")
def predictor(serving_home: Path) -> Predictor:
    return Predictor.open(Catalog.open(serving_home), SETTINGS, NOW)


def seen(ranking: Ranking) -> list[tuple[object, ...]]:
    """What a person sees of each row, to the last bit."""
    return [
        (
            *(row.image, row.title, row.subreddit.lower(), row.posted_at, row.spread),
            *(row.percentile, row.score, row.popularity, row.top_tenth, row.notes),
        )
        for row in ranking
    ]


@settings(max_examples=5)
@given(
    st.permutations(IMAGES),
    st.permutations(TITLES),
    st.permutations(PLACES),
    st.permutations(HOURS),
    st.booleans(),
)
def test_a_ranking_is_the_same_in_whatever_order_the_choices_are_given(
    predictor: Predictor,
    images: list[ImageFile],
    titles: list[str],
    places: list[str],
    hours: list[datetime],
    prefixed: bool,
) -> None:
    expected = predictor.rank(Drafts(TITLES, PLACES, IMAGES, HOURS))
    named = [f"r/{name}" if prefixed else name for name in places]
    found = predictor.rank(Drafts(titles, named, images, hours))
    assert seen(found) == seen(expected)
    best = found[0]
    assert best.image_number is not None
    assert images[best.image_number].name == best.image
    assert titles[best.title_number] == best.title


def test_every_combination_is_ranked_best_first_and_what_is_unknown_comes_last(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rank_module, "_DRAFTS", 10)  # several parts
    monkeypatch.setattr(opened, "_CONTENTS", 2)
    ranking = predictor.rank(Drafts(TITLES, PLACES, IMAGES, HOURS))
    assert len(ranking) == len({row[:4] for row in seen(ranking)}) == 3**4
    assert [row.place for row in ranking] == list(range(1, 82))
    ranked = [row.percentile.middle for row in ranking if row.percentile is not None]
    assert ranked == sorted(ranked, reverse=True)
    assert [row.percentile is None for row in ranking] == [False] * 54 + [True] * 27
    assert {row.subreddit for row in ranking[54:]} == {"elsewhere"}
    for row in ranking[::10]:
        alone = predictor.rank(
            Drafts([row.title], [row.subreddit], IMAGES[row.image_number :][:1], [row.posted_at])
        )[0]
        assert alone.score is not None
        assert row.score is not None
        assert alone.score.middle == pytest.approx(row.score.middle, rel=1e-4)


def test_what_is_little_known_is_said_beside_its_number(predictor: Predictor) -> None:
    ranking = predictor.rank(Drafts([TITLES[0], "x" * 301], ["picz", "pics"], IMAGES[:1]))
    assert (ranking.as_of, ranking.model_version) == (NOW, "1")
    for row in ranking:
        said = " ".join(row.notes)
        assert (
            ("never seen" in said)
            == ("names near it are r/pics" in said)
            == (row.subreddit == "picz")
        )
        assert ("301 characters" in said) == (len(row.title) > 300)
        assert (row.top_tenth is None) == (row.subreddit == "picz")


def test_an_image_that_was_posted_before_is_said_with_what_became_of_it(
    predictor: Predictor,
) -> None:
    files = [ImageFile(f"{number}.jpg", image_file(number)) for number in (3, POSTS, 70)]
    said = {row.image: row.notes for row in predictor.rank(Drafts(["A"], ["pics"], files))}
    (of_matured,) = said["3.jpg"]
    assert of_matured.startswith("This image was posted before: 2026-09-13 in r/pics (score 9")
    (of_young,) = said[f"{POSTS}.jpg"]
    assert "2026-09-16 in r/aww (what became of it is not known yet)" in of_young
    assert said["70.jpg"] == ()
    early = predictor.at(NOW - timedelta(hours=48 + 6 * 3 + 1))  # before either went up
    assert not any(row.notes for row in early.rank(Drafts(["A"], ["pics"], files[:2])))


def test_a_draft_equal_to_a_stored_post_gets_what_the_pipeline_predicts_for_that_post(
    predictor: Predictor,
) -> None:
    later = NOW + timedelta(days=3)
    samples = samples_with_vectors(predictor.catalog, SETTINGS, later, predictor.profile)
    samples = samples.filter(pc.equal(samples["post_id"], UP))
    expected = predictor.registered.model.predict(samples, encoders_of(predictor.profile))
    image = ImageFile("up.jpg", image_file(POSTS))
    (found,) = predictor.rank(
        Drafts([title_of(POSTS)], [SUBREDDITS[0]], [image], [NOW], author="author0")
    )
    quantiles = [found.spread.low, found.spread.middle, found.spread.high]
    wanted = np.concatenate([expected.q10, expected.q50, expected.q90])
    assert quantiles == pytest.approx(wanted.tolist(), abs=1e-4)
    assert pa.types.is_fixed_size_list(samples.schema.field("visual").type)
    without = predictor.rank(Drafts([title_of(POSTS)], [SUBREDDITS[0]], [image], [NOW]))[0]
    assert without.spread.middle != pytest.approx(found.spread.middle, abs=1e-4)


@pytest.mark.parametrize(
    ("drafts", "message"),
    [
        (Drafts(["A", " "], ["pics"]), "neither may be empty"),
        (Drafts(["A"], ["r/"]), "neither may be empty"),
        (Drafts([], ["pics"]), "neither may be empty"),
        (Drafts(["A"] * 1000, ["pics"] * (MOST_COMBINATIONS // 1000 + 1)), "than the 100,000"),
        (Drafts(["A", "B" * 2_001], ["pics"]), "2,001 characters"),
        (Drafts(["A"], ["pics"], MANY), "201 images"),
        (Drafts(["A"], ["pics"], [ImageFile("notes.txt", b"no image")]), "notes.txt: "),
        (Drafts(["A"], ["pics"], IMAGES, [NOW.replace(tzinfo=None)]), "no time zone"),
        (Drafts(["A"], ["pics"], IMAGES, features={"tgas": "red"}), "knows no feature 'tgas'"),
    ],
)
def test_drafts_that_can_not_be_ranked_are_refused_in_a_sentence(
    predictor: Predictor, drafts: Drafts, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        predictor.rank(drafts)
