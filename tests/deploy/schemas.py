"""What Kubernetes, JobSet and SkyPilot take, as far as deploy/ uses it: names, types and words, and nothing besides.

Written down from the published ones: batch/v1 and core/v1 of Kubernetes 1.29's OpenAPI, jobset.x-k8s.io/v1alpha2
(api/jobset/v1alpha2/jobset_types.go) and SkyPilot's task schema (sky/utils/schemas.py). A key that is misspelt, or
stands in another place, is refused, as a server refuses it by ``kubectl apply --validate=strict``.
"""
# ruff: noqa: N815 -- the names are theirs

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

# RFC 1123
Label = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
Count = Annotated[int, Field(ge=0)]
Variable = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(Strict):
    name: Label
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class EnvironmentVariable(Strict):
    name: Variable
    value: str = ""


class Resources(Strict):
    limits: dict[str, Quantity | Count] = {}
    requests: dict[str, Quantity | Count] = {}


class VolumeMount(Strict):
    name: Label
    mountPath: Annotated[str, Field(pattern="^/")]
    readOnly: bool = False


class Container(Strict):
    name: Label
    image: str
    command: list[str] = []
    args: list[str] = []
    env: list[EnvironmentVariable] = []
    resources: Resources = Resources()
    volumeMounts: list[VolumeMount] = []


class Claim(Strict):
    claimName: Label
    readOnly: bool = False


class EmptyDir(Strict):
    medium: Literal["", "Memory", "HugePages"] = ""
    sizeLimit: Quantity | None = None


class Volume(Strict):
    name: Label
    persistentVolumeClaim: Claim | None = None
    emptyDir: EmptyDir | None = None


class PodSpec(Strict):
    containers: Annotated[list[Container], Field(min_length=1)]
    # of a Job
    restartPolicy: Literal["Never", "OnFailure"]
    subdomain: Label | None = None
    terminationGracePeriodSeconds: Count = 30
    volumes: list[Volume] = []


class PodTemplate(Strict):
    metadata: Metadata | None = None
    spec: PodSpec


class PodCondition(Strict):
    type: str
    status: Literal["True", "False", "Unknown"] = "True"


class ExitCodes(Strict):
    containerName: Label | None = None
    operator: Literal["In", "NotIn"]
    values: Annotated[list[int], Field(min_length=1, max_length=255)]


class PodFailureRule(Strict):
    action: Literal["FailJob", "FailIndex", "Ignore", "Count"]
    onPodConditions: list[PodCondition] = []
    onExitCodes: ExitCodes | None = None


class PodFailurePolicy(Strict):
    rules: Annotated[list[PodFailureRule], Field(max_length=20)]


class JobSpec(Strict):
    template: PodTemplate
    completionMode: Literal["NonIndexed", "Indexed"] = "NonIndexed"
    completions: Count | None = None
    parallelism: Count | None = None
    backoffLimit: Count = 6
    podFailurePolicy: PodFailurePolicy | None = None


class Job(Strict):
    apiVersion: Literal["batch/v1"]
    kind: Literal["Job"]
    metadata: Metadata
    spec: JobSpec


class ServiceSpec(Strict):
    clusterIP: Literal["None"]
    publishNotReadyAddresses: bool = False
    selector: dict[str, str]


class Service(Strict):
    apiVersion: Literal["v1"]
    kind: Literal["Service"]
    metadata: Metadata
    spec: ServiceSpec


class JobTemplate(Strict):
    metadata: Metadata | None = None
    spec: JobSpec


class ReplicatedJob(Strict):
    name: Label
    replicas: Count = 1
    template: JobTemplate


class JobSetNetwork(Strict):
    enableDNSHostnames: bool = False
    subdomain: Label | None = None
    publishNotReadyAddresses: bool = True


class JobSetFailurePolicy(Strict):
    maxRestarts: Count = 0
    restartStrategy: Literal["Recreate", "BlockingRecreate", "InPlaceRestart"] = "Recreate"


class JobSetSpec(Strict):
    replicatedJobs: Annotated[list[ReplicatedJob], Field(min_length=1)]
    network: JobSetNetwork = JobSetNetwork()
    failurePolicy: JobSetFailurePolicy | None = None


class JobSet(Strict):
    apiVersion: Literal["jobset.x-k8s.io/v1alpha2"]
    kind: Literal["JobSet"]
    metadata: Metadata
    spec: JobSetSpec


class SkyRecovery(Strict):
    strategy: str | None = None
    max_restarts_on_errors: Count = 0
    recover_on_exit_codes: int | list[int] | None = None


class SkyResources(Strict):
    infra: str | None = None
    accelerators: str | dict[str, float] | None = None
    cpus: str | float | None = None
    memory: str | float | None = None
    use_spot: bool = False
    disk_size: str | Annotated[int, Field(gt=0)] | None = None
    network_tier: Literal["standard", "best"] | None = None
    job_recovery: str | SkyRecovery | None = None


class SkyStorage(Strict):
    name: Label | None = None
    source: str | list[str] | None = None
    store: Literal["s3", "gcs", "azure", "r2", "ibm", "oci", "nebius"] | None = None
    persistent: bool = True
    mode: Literal["MOUNT", "COPY", "MOUNT_CACHED"] = "MOUNT"


class SkyTask(Strict):
    name: Label | None = None
    workdir: str | None = None
    num_nodes: Annotated[int, Field(ge=1)] = 1
    resources: SkyResources = SkyResources()
    envs: dict[Variable, str | float | None] = {}
    secrets: dict[Variable, str | float | None] = {}
    file_mounts: dict[str, str | SkyStorage] = {}
    setup: str = ""
    run: str
