"""Models are kept with their metrics, and the champion moves only for one that is not worse."""

import dataclasses
import json
import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.cli.app import app
from mmrl.config import Settings, TrainSettings
from mmrl.errors import NotFoundError
from mmrl.learning.evaluation.record import Measure
from mmrl.learning.registry.champion import Champion, decide
from mmrl.learning.registry.last_training import last_training
from mmrl.learning.registry.registry import Registry
from mmrl.learning.registry.store import logged_of
from mmrl.learning.train import Trained
from mmrl.pipeline import Silent
from mmrl.purge.rows import purged_of
from mmrl.purge.run import erase
from mmrl.report.write import write_report
from tests.support.command import printed
from tests.support.filled_home import ENCODERS, SAMPLES, packaged_samples
from tests.support.learning_samples import AS_OF
from tests.support.purge_home import keep, make_post, where


@pytest.fixture(scope="module")
def blinded(trained: Trained) -> Trained:
    """The same model, its network turned upside down and its trees ignored: surely worse."""
    network = dataclasses.replace(trained.model.network, deviation=-1.0)
    worse = dataclasses.replace(trained.model, network=network, weights={"network": 1.0})
    return dataclasses.replace(trained, model=worse)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, trained: Trained, blinded: Trained) -> Path:
    """A home with a good first version and a worse second one."""
    home = tmp_path_factory.mktemp("home")
    registry = Registry(home)
    assert registry.list() == []
    registry.register(trained, trained.test_samples, fingerprint="one")
    registry.register(blinded, trained.test_samples, fingerprint="two")
    return home


def test_the_first_model_is_champion_and_a_worse_one_is_kept_without_becoming_it(
    home: Path,
) -> None:
    versions = Registry(home).list()
    assert [(v.version, v.champion) for v in versions] == [("1", True), ("2", False)]
    assert "Version 1 stays champion: Spearman overall -" in versions[1].decision


def test_an_equal_model_becomes_champion(trained: Trained) -> None:
    decision = decide(trained, trained.test_samples, Champion("1", AS_OF, trained.model))
    assert decision.promote
    assert decision.difference == Measure(0.0, 0.0, 0.0)


def test_a_champion_of_other_encoders_gives_way_with_the_reason(
    trained: Trained, blinded: Trained
) -> None:
    encoding = trained.model.encoding
    spec = dataclasses.replace(encoding.spec, encoders={**ENCODERS, "title": "older"})
    older = dataclasses.replace(trained.model, encoding=dataclasses.replace(encoding, spec=spec))
    decision = decide(blinded, trained.test_samples, Champion("1", AS_OF, older))
    assert decision.promote
    assert "other encoders" in decision.reason


def test_a_champion_that_learned_later_is_not_judged_by_posts_that_it_knows(
    trained: Trained, blinded: Trained
) -> None:
    later = Champion("1", AS_OF + timedelta(days=1), blinded.model)
    decision = decide(trained, trained.test_samples, later)
    assert not decision.promote
    assert "it learned from later posts" in decision.reason


def test_a_list_has_the_metrics_that_the_evaluation_has(home: Path, trained: Trained) -> None:
    version = Registry(home).list()[0]
    expected = trained.evaluation.models["mmrl"].metrics
    measures = {name: measure for name, measure in expected.items() if measure is not None}
    assert version.metrics.keys() == measures.keys()
    for name, measure in measures.items():
        kept = version.metrics[name]
        assert kept is not None
        assert dataclasses.astuple(kept) == pytest.approx(dataclasses.astuple(measure))
    assert version.test_posts == trained.evaluation.splits.test.posts
    json.dumps(version.as_dict())


def test_parameters_are_named_as_the_settings_are(home: Path, trained: Trained) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{home}/mlflow.db")
    run = Registry(home).list()[0].run_id
    params = client.get_run(run).data.params
    chosen = {name for name in params if name.startswith("train.")}
    assert chosen == {f"train.{name}" for name in TrainSettings.model_fields}
    assert not {"target", "split", "seed"} & params.keys()
    assert (params["train.target"], params["train.test_share"]) == ("log_score", "0.2")
    assert (params["train.window_days"], params["train.max_posts"]) == ("unset", "100000")
    earlier = dataclasses.replace(trained.evaluation, settings={})  # kept before they were noted
    assert logged_of(earlier).params["train.seed"] == "0"


def test_a_version_is_shown_with_its_whole_evaluation(home: Path, trained: Trained) -> None:
    shown = Registry(home).show("1")
    assert shown.evaluation == trained.evaluation
    assert "champion" in shown.summary()
    assert ENCODERS["title"] in shown.summary()


def test_a_loaded_version_predicts_as_it_did(home: Path, trained: Trained) -> None:
    loaded = Registry(home).load("champion")
    assert loaded.version == "1"
    new = packaged_samples(40, seed=2)
    np.testing.assert_allclose(
        loaded.model.predict(new).q50, trained.model.predict(new).q50, atol=1e-5
    )
    assert Registry(home).test_predictions("1").num_rows == trained.test_predictions.num_rows


def test_two_versions_are_compared_metric_by_metric(home: Path) -> None:
    compared = Registry(home).compare("1", "latest")
    assert (compared.a.version, compared.b.version) == ("1", "2")
    assert compared.same_test_posts
    assert compared.metrics["spearman"].difference == 0.0
    plain = json.loads(json.dumps(compared.as_dict()))
    assert set(plain) == {"a", "b", "metrics", "same_test_posts"}
    assert set(plain["metrics"]["spearman"]) == {"a", "b", "difference"}
    assert plain["a"]["metrics"]["spearman"] == plain["metrics"]["spearman"]["a"]


def test_the_champion_can_be_set_by_hand_and_back(home: Path) -> None:
    assert Registry(home).promote("latest") == "2"
    assert Registry(home).load().version == "2"
    assert Registry(home).promote("1") == "1"
    assert Registry(home).show().version == "1"


def test_a_version_that_is_not_there_is_refused_with_those_that_are(home: Path) -> None:
    with pytest.raises(NotFoundError, match="there are 1, 2"):
        Registry(home).load("17")


def test_a_home_without_models_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="mmrl train"):
        Registry(tmp_path).show()
    assert not (tmp_path / "mlflow.db").exists()


def test_the_last_training_is_known_without_importing_heavy_libraries(home: Path) -> None:
    last = last_training(home)
    assert last is not None
    assert last["fingerprint"] == "two"
    code = (
        "import sys; from mmrl.learning.registry.last_training import last_training; "
        f"assert last_training({str(home)!r})['version'] == '2'; "
        "heavy = {'tensorflow', 'keras', 'mlflow', 'catboost', 'torch'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    printed(code)


def test_a_run_killed_after_keeping_its_model_is_settled(home: Path) -> None:
    (home / "models" / "last_training.json").unlink()
    registry = Registry(home)
    assert registry.has("one")
    assert not registry.has("three")
    assert registry.settle("two") == "2"
    assert last_training(home) == {
        "fingerprint": "two",
        "as_of": registry.show("2").trained_at,
        "version": "2",
    }
    assert registry.show("champion").version == "1"


def _with_posts(home: Path) -> Catalog:
    """The home's catalog, with the posts that the models learned from."""
    catalog = Catalog.open(home, create=True)
    keep(catalog, [make_post(post_id=post_id) for post_id in SAMPLES["post_id"].to_pylist()])
    for table in ("posts", "samples"):
        rows = catalog.read(table)
        place = pc.index_in(rows["post_id"], value_set=SAMPLES["post_id"].combine_chunks())
        for name in ("created_at", "first_seen_at"):
            times = SAMPLES["created_at"].take(place)
            rows = rows.set_column(rows.schema.get_field_index(name), name, times)
        catalog.upsert(table, rows.cast(SCHEMAS[table]))
    return catalog


def test_test_predictions_and_reports_forget_purged_posts_and_the_model_says_how_many(
    home: Path,
) -> None:
    catalog = _with_posts(home)
    write_report(catalog, "1", AS_OF)
    settings = Settings()
    tested = Registry(home).test_predictions("1")["post_id"].to_pylist()
    report = home / "reports" / "1.html"
    shown = [post_id for post_id in tested if f" · {post_id}</p>" in report.read_text()]
    learned = SAMPLES["post_id"].to_pylist()[:3]
    doomed = {*learned, *shown[:2]}
    assert len(doomed) == 5
    titles = catalog.lookup("posts", "post_id", doomed, ["title"])["title"].to_pylist()
    assert any(title in report.read_text() for title in titles)
    before = Registry(home).show("1")

    done = erase(
        catalog, settings, dict.fromkeys(doomed, "deleted"), AS_OF, Silent(), sleep=lambda s: None
    )
    assert done.models == ["1", "2"]
    assert (done.reports, done.reports_deleted) == (["1.html"], {})
    assert report.is_file()
    for trace in [*doomed, *titles]:
        assert where(home, trace.encode()) == []
    left = Registry(home).test_predictions("1")["post_id"].to_pylist()
    assert set(left) == set(tested) - doomed
    assert Registry(home).show("1").metrics == before.metrics
    assert purged_of(catalog, "1") == (3, 2)

    said = CliRunner().invoke(app, ["models", "show", "1", "--home", str(home)])
    assert "Purged since: 3 of the posts it learned from, 2 of those it was judged on." in (
        " ".join(said.output.split())
    )


def test_counts_of_several_purges_of_a_models_posts_add_up(home: Path) -> None:
    catalog = Catalog.open(home)
    before = purged_of(catalog, "1")
    one = SAMPLES["post_id"].to_pylist()[10]
    later = AS_OF.replace(hour=5)
    done = erase(catalog, Settings(), {one: "deleted"}, later, Silent(), sleep=lambda s: None)
    assert (done.models, done.reports) == (["1", "2"], [])
    assert purged_of(catalog, "1") == (before[0] + 1, before[1])
    assert catalog.read("purged", ["reason", "posts"]).to_pylist() == [
        {"reason": "deleted", "posts": 6}
    ]


def test_training_keeps_its_model_where_the_champion_can_not_be_read(
    tmp_path: Path, trained: Trained
) -> None:
    registry = Registry(tmp_path)
    registry.register(trained, trained.test_samples, fingerprint="one")
    network = next(tmp_path.glob("models/*/artifacts/model/network.keras"))
    network.write_bytes(network.read_bytes()[:1000])
    version, decision = registry.register(trained, trained.test_samples, fingerprint="two")
    assert decision.promote
    assert "nobody to compare with" in decision.reason
    assert registry.load("champion").version == version == "2"
    shutil.rmtree(next(tmp_path.glob("models/*/artifacts/model/network.keras")).parent)
    version, decision = registry.register(trained, trained.test_samples, fingerprint="three")
    assert (version, decision.promote) == ("3", True)


def test_a_broken_or_older_note_of_the_last_training_is_not_believed_over_the_registry(
    tmp_path: Path, trained: Trained
) -> None:
    Registry(tmp_path).register(trained, trained.test_samples, fingerprint="one")
    note = tmp_path / "models" / "last_training.json"
    good = note.read_text()
    for text in ("", good[:20], "[]", good.replace("one", "two"), good.replace('"1"', '"9"')):
        note.write_text(text)
        assert last_training(tmp_path) is None
    note.write_text(good)
    assert last_training(tmp_path) is not None
    Registry(tmp_path).drop("1")
    assert last_training(tmp_path) is None
