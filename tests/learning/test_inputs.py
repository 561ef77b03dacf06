"""Inputs of a model: fitted on the past, masked where something is missing."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.catalog.columns import IMAGE_STATISTICS
from mmrl.errors import InputError
from mmrl.learning.inputs import Encoding, FeatureSpec
from mmrl.learning.learners.blocks import blocks_of
from mmrl.learning.learners.trees import METADATA, matrix
from mmrl.learning.projection import fit_projection
from mmrl.samples.vectors import vector_column
from tests.support.learning_samples import DIMS, ENCODERS, make_samples, take_images

TEXT_COLUMNS = ("text:flair", "text:tags")


def test_a_spec_is_the_same_after_json() -> None:
    spec = Encoding.fit(make_samples(100), ENCODERS, 0).spec
    assert FeatureSpec.from_json(json.loads(json.dumps(spec.as_json()))) == spec


def test_an_unknown_subreddit_and_a_rare_one_are_number_0() -> None:
    samples = make_samples(100)
    names = ["rare"] * 4 + samples["subreddit"].to_pylist()[4:]
    samples = samples.set_column(1, "subreddit", pa.array(names))
    encoding = Encoding.fit(samples, ENCODERS, 0)
    assert "rare" not in encoding.spec.subreddits
    other = samples.set_column(1, "subreddit", pa.array(["never heard of"] * 100))
    assert (encoding(other).subreddit == 0).all()
    assert (encoding(samples).subreddit[4:] > 0).all()


def test_what_is_missing_is_said_to_be_and_not_taken_for_a_number() -> None:
    samples = make_samples(200, missing=0.3)
    inputs = Encoding.fit(samples, ENCODERS, 0)(samples)
    gone = samples["image"].is_null().to_numpy()
    assert (inputs.present["image"] == ~gone).all()
    assert (inputs.values["image"][gone] == 0).all()
    width = inputs.values["author"].shape[1] // 2
    without_lift = samples["author_mean_lift"].is_null().to_numpy()
    marks = inputs.values["author"][:, width:]
    assert (marks.any(axis=1) == without_lift).all()


def test_an_author_of_whom_nothing_is_known_is_missing_as_a_whole() -> None:
    from mmrl.samples.schema import AUTHOR_FEATURES

    samples = make_samples(60)
    encoding = Encoding.fit(samples, ENCODERS, 0)
    for name in AUTHOR_FEATURES:
        at = samples.schema.get_field_index(name)
        samples = samples.set_column(at, name, pa.nulls(60, pa.float32()))
    inputs = encoding(samples)
    assert (inputs.present["author"] == 0).all()
    assert (inputs.values["author"] == 0).all()


def test_a_space_without_column_is_missing_for_every_post() -> None:
    encoding = Encoding.fit(make_samples(60), ENCODERS, 0)
    inputs = encoding(make_samples(20, seed=1).drop_columns(["image"]))
    assert (inputs.present["image"] == 0).all()
    assert inputs.values["image"].shape == (20, encoding.projections["image"].components.shape[1])


def test_statistics_are_a_modality_of_their_own_missing_where_there_is_no_image() -> None:
    samples = make_samples(200, missing=0.3, measured=True)
    encoding = Encoding.fit(samples, {**ENCODERS, "image_statistics": "7"}, 0)
    assert encoding.spec.encoders["image_statistics"] == "7"
    inputs = encoding(samples)
    gone = samples["image"].is_null().to_numpy()
    assert inputs.values["image_statistics"].shape == (200, len(IMAGE_STATISTICS))
    assert (inputs.present["image_statistics"] == ~gone).all()
    assert (inputs.values["image_statistics"][gone] == 0).all()
    first = samples[IMAGE_STATISTICS[0]].to_numpy()[~gone]
    scaled = inputs.values["image_statistics"][~gone, 0]
    np.testing.assert_allclose(scaled, (first - first.mean()) / first.std(), rtol=1e-4, atol=1e-5)


def test_a_model_that_learned_from_no_measured_image_has_no_such_modality() -> None:
    encoding = Encoding.fit(make_samples(60), {**ENCODERS, "image_statistics": "7"}, 0)
    inputs = encoding(make_samples(20, seed=1, measured=True))
    assert "image_statistics" not in inputs.values
    assert "image_statistics" not in encoding.spec.encoders


def test_a_model_that_learned_from_statistics_takes_samples_without_any() -> None:
    encoding = Encoding.fit(make_samples(60, measured=True), ENCODERS, 0)
    inputs = encoding(make_samples(20, seed=1).drop_columns(list(IMAGE_STATISTICS)))
    assert (inputs.present["image_statistics"] == 0).all()
    assert inputs.values["image_statistics"].shape == (20, len(IMAGE_STATISTICS))


def test_a_spec_counts_the_posts_without_an_image_and_reads_images_unless_all_lack_one() -> None:
    samples = make_samples(60)
    some = np.arange(60) < 7
    for gone, reads in ((np.zeros(60, bool), True), (some, True), (np.ones(60, bool), False)):
        spec = Encoding.fit(take_images(samples, gone), ENCODERS, 0).spec
        assert (spec.posts, spec.without_image) == (60, gone.sum())
        assert spec.reads_images == reads
        assert FeatureSpec.from_json(spec.as_json()) == spec


def test_a_model_of_an_earlier_version_learned_from_images() -> None:
    kept = Encoding.fit(make_samples(60), ENCODERS, 0).spec.as_json()
    del kept["posts"], kept["without_image"]
    spec = FeatureSpec.from_json(kept)
    assert spec.reads_images
    assert spec.without_image == 0


def test_vectors_of_another_dimension_are_refused() -> None:
    encoding = Encoding.fit(make_samples(60), ENCODERS, 0)
    with pytest.raises(InputError, match="made-up-image"):
        encoding(make_samples(10, dims={**DIMS, "image": 41}))


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 12))
def test_components_keep_as_much_of_the_vectors_as_any_could(seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = (rng.normal(size=(60, 12)) @ rng.normal(size=(12, 12))).astype(np.float32)
    short = fit_projection(vectors, most)(vectors).astype(float)
    centred = vectors - vectors.mean(axis=0)
    back, *_ = np.linalg.lstsq(short, centred, rcond=None)
    singular = np.linalg.svd(centred, compute_uv=False)
    lost = ((centred - short @ back) ** 2).sum()
    assert lost == pytest.approx((singular[short.shape[1] :] ** 2).sum(), rel=1e-2, abs=1e-2)


def test_scales_and_components_come_from_the_training_posts_alone() -> None:
    samples = make_samples(100)
    train = samples.slice(0, 50)
    one = Encoding.fit(train, ENCODERS, 0)
    mean = np.mean(train["log_title_chars"].to_pylist())
    assert one.spec.scales["log_title_chars"].mean == pytest.approx(mean, rel=1e-4)
    vectors = np.array([v for v in train["image"].to_pylist() if v is not None])
    np.testing.assert_allclose(one.projections["image"].mean, vectors.mean(axis=0), atol=1e-5)


def test_extra_features_are_a_modality_that_metadata_trees_read() -> None:
    extras = [{"flair": "OC"} if row % 2 else {} for row in range(100)]
    samples = make_samples(100, extras=extras)
    encoding = Encoding.fit(samples, ENCODERS, 0)
    inputs = encoding(samples)
    assert inputs.present["extra"].tolist() == [row % 2 for row in range(100)]
    (hot,) = (index for index, word in enumerate(encoding.spec.extras.words["flair"].words))
    columns = matrix(inputs, METADATA)
    width = sum(inputs.values[name].shape[1] for name in ("post", "author"))
    np.testing.assert_array_equal(columns[1::2, width + hot], 1.0)
    assert np.isnan(columns[::2, width + hot]).all()


def test_a_model_that_learned_from_no_extra_features_has_no_such_modality() -> None:
    encoding = Encoding.fit(make_samples(60), ENCODERS, 0)
    assert "extra" not in encoding(make_samples(20, extras=[{"flair": "OC"}] * 20)).values
    known = Encoding.fit(make_samples(60, extras=[{"runtime": "93"}] * 60), ENCODERS, 0)
    inputs = known(make_samples(20))
    assert (inputs.present["extra"] == 0).all()
    assert inputs.values["extra"].shape == (20, 2)


def test_texts_of_each_feature_are_shortened_by_themselves_and_marked_where_missing() -> None:
    rng = np.random.default_rng(0)
    extras = [{"tags": f"tag{rng.integers(40)}", "runtime": str(row)} for row in range(100)]
    for row in range(0, 100, 2):
        extras[row]["flair"] = ("OC", "Fan art")[row % 4 // 2]
    samples = make_samples(100, extras=extras)
    encoding = Encoding.fit(samples, {**ENCODERS, "text": "made-up-title"}, 0)
    assert encoding.spec.encoders["text"] == "made-up-title"
    assert {"text:flair", "text:tags"} <= set(encoding.projections)
    assert "text:runtime" not in encoding.projections
    inputs = encoding(samples)
    flair, tags = (encoding.projections[name].components.shape[1] for name in TEXT_COLUMNS)
    assert (flair, tags) == (1, 16)  # two texts differ in one direction
    values = inputs.values["extra_text"]
    assert values.shape == (100, flair + 1 + tags + 1)
    assert values[:, flair].tolist() == [row % 2 for row in range(100)]
    assert not values[1::2, :flair].any()
    blocks = blocks_of(encoding.spec, inputs, ["extra_text"])
    assert [block.name for block in blocks] == [*TEXT_COLUMNS, "subreddit"]
    np.testing.assert_array_equal(blocks[1].of(inputs), values[:, flair + 1 :])
    assert (values[:, -1] == 0).all()
    vectors = np.array(samples["text:tags"].to_pylist())
    np.testing.assert_allclose(encoding.projections["text:tags"].mean, vectors.mean(0), atol=1e-5)


def test_a_model_that_knows_texts_takes_samples_without_them_and_no_others() -> None:
    extras = [{"tags": f"tag{row % 7}"} for row in range(60)]
    samples = make_samples(60, extras=extras)
    encoding = Encoding.fit(samples, ENCODERS, 0)
    inputs = encoding(make_samples(20))
    assert (inputs.present["extra_text"] == 0).all()
    assert inputs.values["extra_text"].shape == (20, 6 + 1)  # seven texts differ in six directions
    other = samples.drop_columns(["text:tags"])
    other = other.append_column("text:tags", vector_column([np.zeros(5)] * 60, 5))
    with pytest.raises(InputError, match="The text vectors have 5 numbers"):
        encoding(other)


def test_a_post_is_encoded_alike_beside_any_others() -> None:
    extras = [{"tags": f"a b{row % 5}", "runtime": str(row)} for row in range(60)]
    samples = make_samples(60, extras=extras)
    encoding = Encoding.fit(samples, ENCODERS, 0)
    whole, one = encoding(samples), encoding(samples.slice(17, 1))
    for name in ("extra", "extra_text"):
        np.testing.assert_allclose(one.values[name][0], whole.values[name][17], atol=1e-6)


def test_what_training_vectors_do_not_tell_apart_is_nothing_in_new_ones_either() -> None:
    rng = np.random.default_rng(0)
    one, other, new = rng.normal(size=(3, 24)).astype(np.float32)
    alike = fit_projection(np.tile(one, (50, 1)), 16)
    assert not alike(np.stack([one, new])).any()
    two = fit_projection(np.stack([one, other] * 25), 16)
    assert two.components.shape == (24, 1)
    assert abs(two(new[None])[0, 0]) < 10
