"""The KubeRay job runs commands and settings that there are, with one image and one Ray."""

import shlex
from typing import Any

import pytest
import yaml

from mmrl.config import load_settings
from mmrl.stages import STAGES
from tests.deploy.test_deploy import DEPLOY, check_command
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    with (DEPLOY / "ray" / "rayjob.yaml").open(encoding="utf-8") as file:
        found: dict[str, Any] = yaml.safe_load(file)
    assert (found["apiVersion"], found["kind"]) == ("ray.io/v1", "RayJob")
    return found["spec"]


def containers(job: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = job["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"]["spec"]["containers"][0] for group in groups]


def test_the_job_runs_a_command_that_does_all_that_spreads(job: dict[str, Any]) -> None:
    program, *words = shlex.split(job["entrypoint"])
    assert program == "mmrl"
    check_command(words)
    named = set(words[1:])
    assert all({stage.name, stage.group} & named for stage in STAGES if stage.spreads)


def test_all_machines_have_one_image_and_one_set_of_settings(job: dict[str, Any]) -> None:
    head, *workers = containers(job)
    for worker in workers:
        assert [worker[name] for name in ("image", "env", "envFrom")] == [
            head[name] for name in ("image", "env", "envFrom")
        ]
    version = str(job["rayClusterSpec"]["rayVersion"])
    constraints = (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8")
    assert f"\nray=={version}\n" in constraints
    assert head["image"].endswith(version)


def test_the_settings_in_the_environment_are_mmrl_s(
    job: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for said in containers(job)[0]["env"]:
        monkeypatch.setenv(said["name"], said["value"])
    settings = load_settings(tmp_path)
    assert (settings.engine, settings.ray.gpus_per_actor) == ("ray", 1.0)


def test_each_worker_has_the_gpu_that_its_actor_takes(job: dict[str, Any]) -> None:
    for worker in containers(job)[1:]:
        assert worker["resources"]["limits"]["nvidia.com/gpu"] == 1
