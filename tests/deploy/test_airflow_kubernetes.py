"""Files that run Airflow on Kubernetes: pod template, chart values, home job."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.test_deploy import check_command
from tests.support.airflow_files import DEPLOY, DOC, HOME, MMRL, image_files, load


@pytest.fixture(scope="module")
def gpu_pod() -> dict[str, Any]:
    found: dict[str, Any] = load("gpu-pod.yaml")
    return found


def mounts(volumes: list[dict[str, Any]], mounted: list[dict[str, Any]]) -> dict[str, Any]:
    """What is mounted, by its path; everything that is declared is mounted, and the reverse."""
    declared = {volume["name"]: volume for volume in volumes}
    assert set(declared) == {mount["name"] for mount in mounted}
    return {mount["mountPath"]: declared[mount["name"]] for mount in mounted}


def test_the_pod_template_asks_for_a_gpu_in_the_container_that_airflow_runs_in(
    gpu_pod: dict[str, Any],
) -> None:
    assert gpu_pod["kind"] == "Pod"
    (container,) = gpu_pod["spec"]["containers"]
    assert container["name"] == "base"
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert "args" not in container  # Airflow says what runs, and names the pod
    assert gpu_pod["spec"]["restartPolicy"] == "Never"  # retries are Airflow's


def test_the_pod_template_and_the_chart_use_one_home_and_one_secret(
    gpu_pod: dict[str, Any],
) -> None:
    values = load("values.yaml")
    workers, server = values["workers"]["kubernetes"], values["apiServer"]
    (container,) = gpu_pod["spec"]["containers"]
    homes = [
        mounts(spec["volumes"], spec["volumeMounts"])[HOME]["persistentVolumeClaim"]
        for spec in (
            {"volumes": workers["extraVolumes"], "volumeMounts": workers["extraVolumeMounts"]},
            {"volumes": server["extraVolumes"], "volumeMounts": server["extraVolumeMounts"]},
            {"volumes": gpu_pod["spec"]["volumes"], "volumeMounts": container["volumeMounts"]},
        )
    ]
    with (DEPLOY / "home.yaml").open(encoding="utf-8") as file:
        claim, job = yaml.safe_load_all(file)
    spec = job["spec"]["template"]["spec"]
    (maker,) = spec["containers"]
    homes.append(mounts(spec["volumes"], maker["volumeMounts"])[HOME]["persistentVolumeClaim"])
    assert homes == [{"claimName": claim["metadata"]["name"]}] * 4
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]

    secrets = {
        values["data"]["metadataSecretName"],
        *(values[f"{name}SecretName"] for name in ("fernetKey", "apiSecretKey", "jwt")),
        *(said["valueFrom"]["secretKeyRef"]["name"] for said in container["env"][1:]),
    }
    assert len(secrets) == 1


def test_the_dags_are_told_the_pod_template_where_the_scheduler_has_it() -> None:
    values = load("values.yaml")
    assert values["executor"] == "KubernetesExecutor"
    (said,) = [said for said in values["env"] if said["name"] == "MMRL_GPU_POD_TEMPLATE"]
    scheduler = values["scheduler"]
    places = mounts(scheduler["extraVolumes"], scheduler["extraVolumeMounts"])
    folder, _, name = said["value"].rpartition("/")
    assert places[folder]["configMap"]["name"] in DOC.read_text(encoding="utf-8")
    assert (DEPLOY / name).is_file()
    # Left out, the executor takes the image that each template names.
    kubernetes = values["config"]["kubernetes_executor"]
    assert kubernetes == {"worker_container_repository": "", "worker_container_tag": ""}


def test_alerts_and_settings_reach_tasks_with_and_without_a_gpu(gpu_pod: dict[str, Any]) -> None:
    (container,) = gpu_pod["spec"]["containers"]
    assert yaml.safe_load(load("values.yaml")["extraEnvFrom"]) == container["envFrom"]


def test_the_job_that_makes_the_home_runs_a_command_that_mmrl_accepts() -> None:
    text = (DEPLOY / "home.yaml").read_text(encoding="utf-8")
    (words,) = re.findall(rf"exec {MMRL} (.+)", text)
    check_command(words.split())


def test_the_chart_imports_the_pools_that_the_image_has() -> None:
    (script,) = [word for word in load("values.yaml")["migrateDatabaseJob"]["args"] if "db" in word]
    assert script.startswith("airflow db migrate")
    assert script.endswith(f"airflow pools import {image_files()['deploy/airflow/pools.json']}")


def test_the_values_fit_the_charts_own_schema() -> None:
    place = os.environ.get("MMRL_HELM_SCHEMA")
    if not place:
        pytest.skip("needs the chart's values.schema.json: name it in MMRL_HELM_SCHEMA")
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(Path(place).read_text(encoding="utf-8"))
    values = load("values.yaml")
    assert set(values) <= set(schema["properties"])  # which the schema itself does not ask
    wrong = jsonschema.validators.validator_for(schema)(schema).iter_errors(values)
    assert [f"{list(error.path)}: {error.message}" for error in wrong] == []
