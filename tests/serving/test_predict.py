"""Predictions of a draft, by models that learned each of the targets."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from mmrl.catalog import Catalog
from mmrl.cli.app import app
from mmrl.cli.terminal.tables import prediction_table
from mmrl.config import Settings
from mmrl.encoders.protocols import Caption
from mmrl.errors import InputError
from mmrl.learning.inputs import Encoding, Inputs
from mmrl.learning.model import Quantiles, TrainedModel
from mmrl.learning.registry.registry import Registry
from mmrl.learning.train import train
from mmrl.serving import predict
from mmrl.serving.prediction import Draft, Interval, Prediction
from mmrl.serving.ranks import opened
from tests.support.learning_samples import (
    AS_OF,
    DIMS,
    ENCODERS,
    QUICK_TRAINING,
    make_samples,
    quick_baselines,
    take_images,
)
from tests.support.samples_catalog import at, merge, observation, post, write

pytestmark = pytest.mark.slow

TARGETS = ("log_score", "popularity", "percentile")
IMAGELESS = {"titles": 1.0, "mixed": 0.3}  # versions by the share of their posts without an image
VERSION = {name: str(number) for number, name in enumerate((*TARGETS, *IMAGELESS), 1)}
NOW = at(500)
EXTRAS = [
    {"tags": ("red", "blue")[row % 2], "runtime": str(row)} | ({"flair": "OC"} if row % 3 else {})
    for row in range(260)
]
SUBSCRIBERS = 1000


class Made:
    """An encoder whose vectors are all the same."""

    truncated = 0

    def __init__(self, space: str) -> None:
        self._space = space

    def encode(self, contents: list[object], *_: object) -> np.ndarray:
        return np.full((len(contents), DIMS[self._space]), 0.1, np.float32)


PROFILE = SimpleNamespace(
    ids={**ENCODERS, "text": ENCODERS["title"]},
    dims={**DIMS, "text": DIMS["title"]},
    visual_text="title",
    shown_as={},
    captioner=lambda: SimpleNamespace(
        caption=lambda images: [Caption("a lake", ()) for _ in images]
    ),
    **{space: lambda space=space: Made(space) for space in DIMS},
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve matured posts of r/pics, a model version a target, and those of `IMAGELESS`."""
    home = tmp_path_factory.mktemp("predict") / "home"
    catalog = Catalog.open(home, create=True)
    posts = [post(f"p{n}", 10 * n) for n in range(12)]
    observations = [observation(p, 0.5, subscribers=SUBSCRIBERS) for p in posts]
    observations += [observation(p, 40, score=20 * n) for n, p in enumerate(posts)]
    write(catalog, posts, observations)
    merge(catalog, NOW)
    with quick_baselines():
        for target in TARGETS:
            options = {**QUICK_TRAINING, "target": target}
            settings = Settings(threads=1, train=options)
            extras = EXTRAS if target == "log_score" else None
            samples = make_samples(260, measured=True, extras=extras)
            trained = train(samples, settings, ENCODERS, AS_OF)
            Registry(home).register(trained, trained.test_samples, fingerprint=target)
        for name, share in IMAGELESS.items():
            samples = make_samples(260, measured=True)
            samples = take_images(samples, np.arange(260) % 10 < 10 * share)
            settings = Settings(threads=1, train=QUICK_TRAINING)
            trained = train(samples, settings, ENCODERS, AS_OF)
            Registry(home).register(trained, trained.test_samples, fingerprint=name)
    return home


@pytest.fixture
def image_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image to post; the profile's encoders are made up."""
    monkeypatch.setattr(opened, "load_profile", lambda _: PROFILE)
    path = tmp_path / "lake.png"
    pixels = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def predicted(
    home: Path, image_file: Path | None, target: str, subreddit: str = "pics"
) -> Prediction:
    draft = Draft(image_file, "A lake", subreddit)
    (prediction,) = predict.predict_drafts(
        Catalog.open(home), Settings(threads=1), [draft], NOW, VERSION[target]
    )
    return prediction


def shown(prediction: Prediction) -> str:
    """The terminal's table, on one line."""
    file = io.StringIO()
    Console(width=160, file=file).print(prediction_table(prediction))
    return " ".join(file.getvalue().split())


def test_a_model_of_percentiles_tells_its_own_percentile_and_no_score(
    home: Path, image_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own: list[Quantiles] = []
    whole = TrainedModel.quantiles

    def overheard(self: TrainedModel, inputs: Inputs, samples: pa.Table) -> Quantiles:
        own.append(whole(self, inputs, samples))
        return own[-1]

    monkeypatch.setattr(TrainedModel, "quantiles", overheard)
    found = predicted(home, image_file, "percentile")
    assert own[0].unit == "percentile"
    assert (found.score, found.popularity) == (None, None)
    assert found.percentile is not None
    expected = np.clip([own[0].q10[0], own[0].q50[0], own[0].q90[0]], 0.0, 1.0)
    interval = (found.percentile.low, found.percentile.middle, found.percentile.high)
    assert interval == pytest.approx(expected.tolist())
    assert any(
        "percentiles" in note and "neither score nor popularity" in note for note in found.notes
    )


def test_a_percentile_lies_between_0_and_1_though_the_models_interval_reaches_further(
    home: Path, image_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = Quantiles(np.array([-0.2]), np.array([0.7]), np.array([1.3]), "percentile")
    monkeypatch.setattr(TrainedModel, "quantiles", lambda *_: wide)
    found = predicted(home, image_file, "percentile").percentile
    assert found == Interval(0.0, 0.7, 1.0)


def test_a_model_of_percentiles_tells_a_percentile_where_too_few_posts_are_known_to_rank_a_score(
    home: Path, image_file: Path
) -> None:
    found = predicted(home, image_file, "percentile", "elsewhere")
    assert found.percentile is not None
    assert any("never seen" in note for note in found.notes)


@pytest.mark.parametrize("target", ["log_score", "popularity"])
def test_a_model_of_scores_tells_score_popularity_and_percentile(
    home: Path, image_file: Path, target: str
) -> None:
    found = predicted(home, image_file, target)
    assert found.score is not None
    assert found.popularity is not None
    assert found.percentile is not None
    assert 0 <= found.score.low <= found.score.middle <= found.score.high
    assert found.popularity.middle == pytest.approx(found.score.middle / SUBSCRIBERS * 1000)
    assert 0 <= found.percentile.low <= found.percentile.middle <= found.percentile.high <= 1
    assert not any("percentiles" in note for note in found.notes)


def test_a_model_of_popularity_tells_nothing_where_the_subscribers_are_not_known(
    home: Path, image_file: Path
) -> None:
    found = predicted(home, image_file, "popularity", "elsewhere")
    assert (found.score, found.popularity, found.percentile) == (None, None, None)
    assert any("per subscriber" in note for note in found.notes)
    json.dumps(found.as_dict(), allow_nan=False)
    assert shown(found).count("not known the subreddit's subscribers are not known") == 3


def test_the_terminal_says_why_a_model_of_percentiles_tells_no_score(
    home: Path, image_file: Path
) -> None:
    text = shown(predicted(home, image_file, "percentile"))
    assert "score not known the model learned percentiles, not scores" in text
    assert "subscribers) not known the model learned percentiles, not scores" in text
    assert text.count("not known the") == 2


def test_the_command_shows_what_a_model_of_percentiles_does_not_tell(
    home: Path, image_file: Path
) -> None:
    draft = ["predict", str(image_file), "--title", "A lake", "--subreddit", "pics"]
    model = ["--model", VERSION["percentile"], "--home", str(home), "--as-of", NOW.isoformat()]
    table = CliRunner().invoke(app, [*draft, *model])
    assert table.exit_code == 0, table.output
    assert "not known" in table.output
    said = CliRunner().invoke(app, [*draft, *model, "--json"])
    assert said.exit_code == 0, said.output
    found = json.loads(said.output)
    assert (found["score"], found["popularity"]) == (None, None)
    assert 0 <= found["percentile"]["low"] <= found["percentile"]["middle"] <= 1


def test_a_draft_without_an_image_is_predicted_by_models_that_learned_from_such_posts(
    home: Path, image_file: Path
) -> None:
    with pytest.raises(InputError, match="learned only from posts with an image"):
        predicted(home, None, "log_score")
    titles, mixed = (predicted(home, None, name) for name in IMAGELESS)
    assert titles.score is not None
    assert mixed.score is not None
    assert (titles.caption, mixed.caption) == (None, None)
    assert "the image's" not in shown(mixed)
    assert not any("have no image" in note for note in titles.notes)
    assert any(note.startswith("Only") and "have no image" in note for note in mixed.notes)


def test_an_image_changes_nothing_where_the_model_learned_from_none_and_that_is_said(
    home: Path, image_file: Path
) -> None:
    without, titles, mixed = (
        predicted(home, image, name)
        for image, name in ((None, "titles"), (image_file, "titles"), (image_file, "mixed"))
    )
    assert titles.score == without.score
    assert titles.caption is None
    assert any("no images" in note for note in titles.notes)
    assert mixed.caption == "a lake"
    assert not any("image" in note for note in mixed.notes)


def test_the_command_predicts_a_title_alone(home: Path, image_file: Path) -> None:
    words = ["predict", "--title", "A lake", "--subreddit", "pics", "--home", str(home)]
    words += ["--as-of", NOW.isoformat(), "--json", "--model"]
    said = CliRunner().invoke(app, [*words, VERSION["titles"]])
    assert said.exit_code == 0, said.output
    assert json.loads(said.output)["score"]["middle"] >= 0
    refused = CliRunner().invoke(app, [*words, VERSION["log_score"]])
    assert isinstance(refused.exception, InputError)


def test_a_draft_is_predicted_with_its_flair_and_features(
    home: Path, image_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[pa.Table] = []
    whole = Encoding.__call__

    def overheard(self: Encoding, samples: pa.Table, modalities: tuple[str, ...]) -> Inputs:
        heard.append(samples)
        return whole(self, samples, modalities)

    monkeypatch.setattr(Encoding, "__call__", overheard)
    command = ["predict", str(image_file), "--title", "A lake", "--subreddit", "pics"]
    command += ["--model", VERSION["log_score"], "--home", str(home), "--as-of", NOW.isoformat()]
    brought = ["--flair", " OC", "--feature", "tags=red", "--feature", "runtime=93"]
    result = CliRunner().invoke(app, [*command, *brought])
    assert result.exit_code == 0, result.output
    where_posted, samples = heard
    assert samples["extra"].to_pylist() == [[("flair", "OC"), ("runtime", "93"), ("tags", "red")]]
    assert samples["has_flair"].to_pylist() == where_posted["has_flair"].to_pylist() == [1]
    assert {"text:flair", "text:tags"} <= set(samples.schema.names)
    assert "text:runtime" not in samples.schema.names
    broken = CliRunner().invoke(app, [*command, "--feature", "tags"])
    assert "expected NAME=VALUE" in str(broken.exception)


def test_many_drafts_are_predicted_in_their_order_as_each_would_be_alone(
    home: Path, image_file: Path
) -> None:
    with Image.open(image_file) as opened:
        pillow = opened.copy()
    drafts = [
        Draft(image_file, "A lake", "pics"),
        Draft(image_file.read_bytes(), "Another title", "aww", at="2026-03-27"),
        Draft(None, "No image", "pics", author="nobody"),
        Draft(pillow, "A lake", "pics"),
    ]
    version = VERSION["mixed"]

    def predictions(some: list[Draft]) -> list[Prediction]:
        return predict.predict_drafts(Catalog.open(home), Settings(), some, NOW, version)

    together = predictions(drafts)
    assert [found.title for found in together] == [draft.title for draft in drafts]
    assert together[1].posted_at == "2026-03-27T00:00:00Z"
    for draft, found in zip(drafts, together, strict=True):
        (alone,) = predictions([draft])
        assert found.notes == alone.notes
        assert found.percentile == alone.percentile
        assert found.score is not None
        assert alone.score is not None  # float32 rounds by how many are predicted at once
        assert found.score.middle == pytest.approx(alone.score.middle, rel=1e-5)
    assert together[3].caption == together[0].caption


@pytest.mark.parametrize(
    ("target", "features", "message"),
    [
        ("log_score", {"tgas": "red"}, "knows no feature 'tgas': it knows runtime, tags"),
        ("popularity", {"tags": "red"}, "no feature 'tags': it knows none; import a table with"),
        ("log_score", {"flair": "OC"}, "give it as the draft's flair"),
    ],
)
def test_a_feature_that_the_model_does_not_know_is_refused(
    home: Path, image_file: Path, target: str, features: dict[str, str], message: str
) -> None:
    draft = Draft(image_file, "A lake", "pics", features=features)
    with pytest.raises(InputError, match=message):
        predict.predict_drafts(Catalog.open(home), Settings(), [draft], NOW, VERSION[target])
