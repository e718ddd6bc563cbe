"""The files of deploy/ are what their servers take, and say one thing wherever they say it twice."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tests.conftest import REPOSITORY
from tests.deploy.schemas import Job, JobSet, PodSpec, Service, SkyTask
from vitcli.__main__ import main

DEPLOY = REPOSITORY / "deploy"


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def indexed_job() -> Job:
    return Job.model_validate(documents("kubernetes.yaml")[1])


def job_set() -> JobSet:
    return JobSet.model_validate(documents("jobset.yaml")[0])


def test_every_file_of_deploy_is_checked_by_a_test_and_named_in_the_docs():
    assert sorted(path.name for path in DEPLOY.iterdir()) == [
        "jobset.yaml",
        "kubernetes.yaml",
        "skypilot.yaml",
        "slurm.sbatch",
        "torchrun.sh",
    ]
    docs = (REPOSITORY / "docs" / "scaling.md").read_text()
    assert [path.name for path in DEPLOY.iterdir() if f"deploy/{path.name}" not in docs] == []


def test_the_names_of_the_indexed_job_are_those_of_its_service():
    service = Service.model_validate(documents("kubernetes.yaml")[0])
    job = indexed_job()
    assert len(documents("kubernetes.yaml")) == 2
    assert service.spec.selector == {"batch.kubernetes.io/job-name": job.metadata.name}
    assert job.spec.template.spec.subdomain == service.metadata.name
    assert f"--rdzv-endpoint={job.metadata.name}-0.{service.metadata.name}:29400" in words_of(job.spec.template.spec)


def test_the_first_machine_of_the_job_set_is_where_all_meet():
    found = job_set()
    (machine,) = found.spec.replicatedJobs
    # <jobset>-<job>-<index of the job>-<index of the pod>.<subdomain, by default the jobset's name>
    first = f"{found.metadata.name}-{machine.name}-0-0.{found.metadata.name}"
    assert f"--rdzv-endpoint={first}:29400" in words_of(machine.template.spec.template.spec)


@pytest.mark.parametrize("name", ["kubernetes.yaml", "jobset.yaml"])
def test_machines_processes_and_volumes_agree_within_a_manifest(name: str):
    spec = indexed_job().spec if name == "kubernetes.yaml" else job_set().spec.replicatedJobs[0].template.spec
    pod = spec.template.spec
    (container,) = pod.containers
    words = dict(word.partition("=")[::2] for word in words_of(pod))
    assert spec.completionMode == "Indexed"
    assert spec.completions == spec.parallelism == int(words["--nnodes"])
    assert container.resources.limits["nvidia.com/gpu"] == int(words["--nproc-per-node"])
    assert {mount.name for mount in container.volumeMounts} == {volume.name for volume in pod.volumes}
    mounted = {mount.mountPath: mount.readOnly for mount in container.volumeMounts}
    assert not mounted[words["--run.dir"]]
    assert words["--data.root"] in mounted
    # what is lost keeps the batch of the optimizer, on one machine too
    ranks = spec.completions * container.resources.limits["nvidia.com/gpu"]
    assert int(words["--data.global_batch"]) % ranks == 0
    assert pod.terminationGracePeriodSeconds > int(
        next(one.value for one in container.env if one.name == "TORCH_ELASTIC_SHUTDOWN_TIMEOUT")
    )


@pytest.mark.parametrize("name", ["kubernetes.yaml", "jobset.yaml"])
def test_the_command_of_a_manifest_is_one_that_vitcli_takes(name: str, capsys: pytest.CaptureFixture[str]):
    words = words_of(indexed_job().spec.template.spec if name == "kubernetes.yaml" else pod_of_set())
    vitcli = words[words.index("vitcli") + 1 :]
    with pytest.raises(SystemExit) as stopped:
        main([*vitcli, "--print_config"])
    assert stopped.value.code in (0, None)
    config = yaml.safe_load(capsys.readouterr().out)
    assert (config["run"]["resume"], config["run"]["dir"]) == ("auto", "/runs")
    assert config["data"]["init_args"]["global_batch"] == 1024


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        (("spec",), "completionmode", "Indexed"),
        (("spec",), "completions", "2"),
        (("spec", "template", "spec"), "restartPolicy", "Always"),
        (("spec", "template", "spec", "containers", 0), "arguments", []),
        (("spec", "template", "spec", "volumes", 2, "emptyDir"), "medium", "RAM"),
    ],
)
def test_a_mistake_in_a_manifest_is_refused(place: tuple[Any, ...], key: str, value: Any):
    job = documents("kubernetes.yaml")[1]
    inner = job
    for step in place:
        inner = inner[step]
    inner[key] = value
    with pytest.raises(ValidationError, match=key):
        Job.model_validate(job)


def test_the_task_of_skypilot_is_one_and_its_script_is_a_script():
    (content,) = documents("skypilot.yaml")
    task = SkyTask.model_validate(content)
    for script in (task.setup, task.run):
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    assert task.num_nodes > 1
    with pytest.raises(ValidationError, match="num_node"):
        SkyTask.model_validate({**content, "num_node": 2})


@pytest.mark.parametrize("name", ["torchrun.sh", "slurm.sbatch"])
def test_scripts_are_scripts_that_stop_at_the_first_error(name: str):
    assert subprocess.run(["bash", "-n", DEPLOY / name], check=False).returncode == 0
    assert "\nset -euo pipefail\n" in (DEPLOY / name).read_text()
    assert Path(DEPLOY / name).read_text().startswith("#!/usr/bin/env bash\n")


def words_of(pod: PodSpec) -> list[str]:
    return pod.containers[0].args


def pod_of_set() -> PodSpec:
    return job_set().spec.replicatedJobs[0].template.spec.template.spec
