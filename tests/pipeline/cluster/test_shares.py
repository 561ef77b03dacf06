"""How many actors do a stage, and which of a run's limits they share."""

import pytest

from mmrl.config import Settings
from mmrl.errors import ConfigError
from mmrl.pipeline.cluster import Cluster, connection, what_is_there
from mmrl.pipeline.cluster.shares import Shares, share_of, shares_of
from mmrl.stages import STAGES

FETCH, CAPTION, EMBED = (
    next(stage for stage in STAGES if stage.name == name)
    for name in ("fetch-images", "caption", "embed-image")
)
GPUS = [{"CPU": 16.0, "GPU": 2.0, "memory": 64.0 * 1024**3}, {"CPU": 8.0, "memory": 1024.0**3}]
CPUS = [{"CPU": 2.0}, {"CPU": 2.0}]


def test_a_model_has_an_actor_for_each_gpu_and_other_work_one_for_some_cpus() -> None:
    assert shares_of(EMBED, Settings(), GPUS, 100) == Shares(2, 4.0, 1.0)
    assert shares_of(FETCH, Settings(), GPUS, 100) == Shares(6, 4.0, 0.0)
    assert shares_of(EMBED, Settings(ray={"gpus_per_actor": 0.5}), GPUS, 100).actors == 4
    assert shares_of(EMBED, Settings(ray={"gpus_per_actor": 0}), GPUS, 100).gpus == 0.0


def test_a_small_machine_gives_an_actor_all_its_cpus() -> None:
    assert shares_of(EMBED, Settings(), CPUS, 100) == Shares(2, 2.0, 0.0)


def test_there_are_no_more_actors_than_chunks_or_than_was_set() -> None:
    assert shares_of(FETCH, Settings(), GPUS, 3).actors == 3
    assert shares_of(FETCH, Settings(ray={"actors": 2}), GPUS, 100).actors == 2
    assert shares_of(FETCH, Settings(), [], 5).actors == 1


def test_captions_from_a_server_want_no_gpu() -> None:
    server = {"base_url": "http://127.0.0.1:1/v1", "model": "m"}
    assert shares_of(CAPTION, Settings(caption_server=server), GPUS, 100).gpus == 0.0
    assert shares_of(CAPTION, Settings(), GPUS, 100).gpus == 1.0


def test_limits_that_spare_others_hold_for_all_actors_together() -> None:
    server = {"base_url": "http://127.0.0.1:1/v1", "model": "m", "budget": 7, "concurrency": 8}
    settings = Settings(images={"concurrency": 32, "per_host": 8}, caption_server=server)
    own = share_of(settings, Shares(3, 1.0, 0.0))
    assert (own.images.concurrency, own.images.per_host) == (10, 2)
    assert (own.caption_server.budget, own.caption_server.concurrency) == (2, 8)
    assert settings.images.per_host == 8


def test_no_more_actors_than_such_a_limit_can_be_shared_by() -> None:
    many = [{"CPU": 400.0}]
    server = {"base_url": "http://127.0.0.1:1/v1", "model": "m", "budget": 7}
    assert shares_of(FETCH, Settings(), many, 1000).actors == 8
    assert shares_of(CAPTION, Settings(caption_server=server), many, 1000).actors == 7
    assert shares_of(EMBED, Settings(caption_server=server), many, 1000).actors == 100


def test_an_actor_without_a_gpu_does_not_look_for_one() -> None:
    assert share_of(Settings(), Shares(1, 1.0, 0.0)).device == "cpu"
    assert share_of(Settings(), Shares(1, 1.0, 1.0)).device == "auto"
    assert share_of(Settings(device="mps"), Shares(1, 1.0, 0.0)).device == "mps"


def test_a_cluster_is_told_in_words() -> None:
    assert what_is_there(GPUS) == "2 machines with 24 CPUs, 2 GPUs, 65.0 GiB of memory"


def test_without_ray_installed_the_setting_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'mmrl\[ray\]'"):
        Cluster(Settings(engine="ray"))
