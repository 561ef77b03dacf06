"""Stages on a Ray cluster: the same rows, failures, notes and order as in one process."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.kill import AS_OF, differences, prepare, write_posts
from benchmarks.s3_server import copy_home
from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.errors import Failure, WeightsError
from mmrl.pipeline import Silent, StageReport, run_stage
from mmrl.pipeline.cluster import Cluster
from mmrl.pipeline.run import run
from mmrl.soundness.doctor import examine
from mmrl.times import parse_time
from tests.support.cluster_stage import INFO, Words, make_words
from tests.support.command import printed
from tests.support.ray_cluster import add_machine, ray_cluster

pytestmark = pytest.mark.slow
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
STAGES = ["filter", "fetch-images", "measure-images", "read-text", "caption", "embed"]
# Runs embed-title on a Ray of its own, and prints what its processes listen on meanwhile.
LISTENS = """
import json, sys
from contextlib import suppress
from datetime import UTC, datetime
import psutil
from mmrl.catalog import Catalog
from mmrl.config import load_settings
from mmrl.pipeline import Silent
from mmrl.pipeline.run import run

class Looks(Silent):
    addresses = set()
    def advance(self, count):
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                for socket in process.net_connections("inet"):
                    if socket.status == psutil.CONN_LISTEN:
                        self.addresses.add(socket.laddr.ip.removeprefix("::ffff:"))

looks = Looks()
catalog, settings = Catalog.open(sys.argv[1]), load_settings(sys.argv[1])
stages = ["filter", "embed-title"]
report = run(catalog, settings, stages, datetime(2026, 6, 1, tzinfo=UTC), looks)
print(json.dumps({"done": report.stages[1].done, "addresses": sorted(looks.addresses)}))
"""


@pytest.fixture(scope="module")
def machines() -> Iterator[Any]:
    with ray_cluster(2) as cluster:
        yield cluster


def words(catalog: Catalog, keys: list[str], progress: Any = None, **ray: Any) -> StageReport:
    executor = Cluster(Settings(engine="ray", ray=ray)).executor(INFO, make_words)
    return run_stage(Words(keys), catalog, NOON, progress or Silent(), executor)


def texts(catalog: Catalog) -> dict[str, str]:
    rows = catalog.read("captions")
    return dict(zip(rows["sha256"].to_pylist(), rows["text"].to_pylist(), strict=True))


def test_what_two_actors_give_is_what_one_process_gives(
    machines: Any, catalog: Catalog, tmp_path: Any
) -> None:
    keys = [f"{'fail' if i % 7 == 0 else 'rest' if i % 11 == 0 else 'k'}{i}" for i in range(300)]
    here = Catalog.open(tmp_path / "other", create=True)
    alone = run_stage(Words(keys), here, NOON, Silent())
    shared = words(catalog, keys, batch=40, actors=2)
    assert texts(catalog) == texts(here)
    assert (shared.done, shared.failed, shared.noted) == (alone.done, alone.failed, alone.noted)
    assert failures(catalog) == failures(here)
    assert words(catalog, keys).pending == 0


def failures(catalog: Catalog) -> list[dict[str, Any]]:
    return catalog.read("failures").sort_by("key").to_pylist()


def test_an_item_that_kills_what_works_on_it_ends_as_a_failure_and_its_neighbours_are_done(
    machines: Any, catalog: Catalog
) -> None:
    keys = [*(f"a{i}" for i in range(6)), "kill", "z"]
    report = words(catalog, keys, batch=2, actors=2)
    assert sorted(texts(catalog)) == sorted(set(keys) - {"kill"})
    assert (report.done, report.failed) == (7, {"worker_died": 1})
    row = failures(catalog)[0]
    assert row["key"] == "kill"
    assert row["detail"].startswith("3 actors died on it")
    assert row["retry_after"] is not None


def test_a_machine_that_is_switched_off_costs_nothing(machines: Any, catalog: Catalog) -> None:
    keys = [f"slow{i}" for i in range(120)]
    third = add_machine(machines)
    off = SwitchesOff(machines, third)
    report = words(catalog, keys, off, batch=4, actors=3)
    assert off.was_on
    assert (report.done, report.failed) == (120, {})
    assert sorted(texts(catalog)) == sorted(keys)


class SwitchesOff(Silent):
    """Progress that switches a machine off once a first chunk is committed."""

    def __init__(self, cluster: Any, machine: Any) -> None:
        self.cluster, self.machine = cluster, machine
        self.was_on = False

    def advance(self, count: int) -> None:
        if not self.was_on:
            self.was_on = True
            self.cluster.remove_node(self.machine, allow_graceful=False)


def test_an_error_of_the_work_ends_the_run_in_its_own_words_after_what_came_before(
    machines: Any, catalog: Catalog
) -> None:
    keys = [*(f"a{i}" for i in range(8)), "raise", *(f"b{i}" for i in range(8))]
    with pytest.raises(WeightsError, match=r"^The weights are not there: fetch them\.$"):
        words(catalog, keys, batch=4, actors=1)
    assert sorted(texts(catalog)) == [f"a{i}" for i in range(8)]
    assert words(catalog, keys[:8]).pending == 0


def test_without_room_for_an_actor_the_run_says_what_the_cluster_has(
    machines: Any, catalog: Catalog
) -> None:
    ray = {"gpus_per_actor": 3, "start_seconds": 1}
    settings = Settings(engine="ray", ray=ray)
    executor = Cluster(settings).executor(replace(INFO, role="title"), make_words)
    wants = r"an actor wants 1 CPUs and 3 GPUs, and the cluster has 2 machines with 2 CPUs, 0 GPUs"
    with pytest.raises(Failure, match=wants):
        run_stage(Words(["a"]), catalog, NOON, Silent(), executor)


def test_the_stages_from_images_to_vectors_give_the_plain_loop_s_rows(
    machines: Any, tmp_path: Path
) -> None:
    posts = write_posts(tmp_path, posts=60, seed=3)
    prepare(tmp_path / "plain", posts)
    shutil.copytree(tmp_path / "plain", tmp_path / "ray")
    as_of = parse_time(AS_OF)
    ray = Settings(engine="ray", ray={"batch": 16}, threads=1)
    plain, spread = (
        run(Catalog.open(tmp_path / name), settings, STAGES, as_of, Silent())
        for name, settings in (("plain", Settings(threads=1)), ("ray", ray))
    )
    assert differences(Catalog.open(tmp_path / "plain"), Catalog.open(tmp_path / "ray")) == []
    for here, there in zip(plain.stages, spread.stages, strict=True):
        assert (here.name, here.done, here.failed) == (there.name, there.done, there.failed)
        assert here.pending > 0 or here.name in ("read-text", "embed-text")


def test_the_doctor_says_what_the_cluster_has(
    machines: Any, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMRL_ENGINE", "ray")
    monkeypatch.setenv("MMRL_RAY__ADDRESS", machines.address)
    (found,) = [found for found in examine(catalog.home) if found.what == "cluster"]
    assert found.state == "ok"
    assert f"at {machines.address}: 2 machines with 2 CPUs, 0 GPUs, " in found.detail


def test_a_run_on_a_bucket_starts_a_ray_of_its_own_that_listens_on_loopback_alone(
    bucket: str, tmp_path: Path
) -> None:
    posts = write_posts(tmp_path, posts=20, seed=4)
    prepare(tmp_path / "home", posts)
    copy_home(tmp_path / "home", bucket)
    said = printed(LISTENS, bucket, MMRL_ENGINE="ray", MMRL_RAY__ACTORS="1")
    assert json.loads(said) == {"done": 20, "addresses": ["127.0.0.1"]}
    here = Catalog.open(tmp_path / "home")
    run(here, Settings(threads=1), ["filter", "embed-title"], parse_time(AS_OF), Silent())
    assert differences(here, Catalog.open(bucket)) == []
