"""A home's state as Prometheus reads it."""

from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import mmrl
from mmrl.catalog import Catalog, Failed, Reason
from tests.support.command import call
from tests.support.filled_home import SAMPLES, fill_posts, fill_samples
from tests.support.learning_samples import AS_OF


def values(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_stages_failures_and_gaps_are_counted(catalog: Catalog) -> None:
    samples = SAMPLES.slice(0, 20)
    fill_posts(catalog, samples)
    catalog.fail("fetch-images", [Failed("p1", Reason.FILE_MISSING, "x")], AS_OF)
    found = values(mmrl.open(catalog.home, quiet=True).metrics(AS_OF))
    assert found["mmrl_stage_done", "collect, import"] == 20
    assert found["mmrl_stage_pending", "filter"] == 20
    assert found["mmrl_stage_failed", "file_missing", "fetch-images"] == 1
    assert found["mmrl_gaps_open", "Reddit"] == 0
    assert not [name for name, *_ in found if name.startswith("mmrl_champion")]


def test_the_last_run_is_told_with_its_outcome(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_posts(catalog, SAMPLES.slice(0, 5))
    home = mmrl.open(catalog.home, quiet=True)
    assert not [name for name, *_ in values(home.metrics(AS_OF)) if "last_run" in name]
    home.run("filter", as_of=AS_OF)
    found = values(home.metrics(AS_OF))
    assert found["mmrl_last_run_ok",] == 1
    assert found["mmrl_last_run_rows", "done"] == 5
    assert found["mmrl_last_run_timestamp_seconds",] > AS_OF.timestamp()

    def broken(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr("mmrl.pipeline.run.run_stage", broken)
    with pytest.raises(OSError, match="no room"):
        home.run("filter", as_of=AS_OF)
    assert values(home.metrics(AS_OF))["mmrl_last_run_ok",] == 0


@pytest.mark.slow
def test_the_champion_has_an_age_and_scores(trained_home: Path) -> None:
    later = AS_OF + timedelta(days=3)
    found = values(mmrl.open(trained_home, quiet=True).metrics(later))
    assert found["mmrl_champion_version",] == 1
    assert found["mmrl_champion_age_seconds",] == 3 * 86_400
    assert -1 <= found["mmrl_champion_metric", "spearman"] <= 1
    assert found["mmrl_last_training_timestamp_seconds",] == AS_OF.timestamp()


def test_the_file_for_node_exporter_appears_whole(
    catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill_samples(catalog, SAMPLES.slice(0, 20))
    file = tmp_path / "mmrl.prom"
    assert call(capsys, "metrics", "--home", catalog.home, "--textfile", file).code == 0
    assert values(file.read_text())["mmrl_stage_done", "merge"] == 20
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ""] == ["mmrl.prom"]
