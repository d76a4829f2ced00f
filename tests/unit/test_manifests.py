"""The Kubernetes manifests, as `kubectl kustomize` renders them.

Kubernetes' own kinds are validated strictly (unknown fields are errors) against the schemas of an old and a new
version. For the operator's kinds the container is put into a Pod and validated there.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.programs import find

pytestmark = pytest.mark.kubectl

K8S = Path(__file__).resolve().parents[2] / "k8s"
FORMS = ("single", "ha", "alertmanager", "operator")
VERSIONS = ("1.29", "1.34")
OPERATOR_GROUP = "monitoring.coreos.com/v1"

Manifest = dict[str, Any]


@cache
def render(form: str) -> tuple[Manifest, ...]:
    kubectl = find("kubectl")
    assert kubectl is not None
    result = subprocess.run([kubectl, "kustomize", str(K8S / form)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == "", "kustomize warns of something deprecated"
    return tuple(yaml.safe_load_all(result.stdout))


def one(form: str, kind: str, name: str = "") -> Manifest:
    found = [item for item in render(form) if item["kind"] == kind and item["metadata"]["name"].startswith(name)]
    assert len(found) == 1, f"{form} has {len(found)} of {kind} {name}"
    return found[0]


def pod_spec(form: str) -> Manifest:
    """The pod the bridge runs in; for the operator, what its `Alertmanager` resource says of it."""
    if form == "operator":
        return one(form, "Alertmanager")["spec"]
    return workload(form)["spec"]["template"]["spec"]


def workload(form: str) -> Manifest:
    return one(form, "Deployment" if form == "ha" else "StatefulSet")


def bridge(form: str) -> Manifest:
    return next(item for item in pod_spec(form)["containers"] if item["name"] == "alertbridge")


def routes(form: str) -> Manifest:
    return yaml.safe_load(one(form, "ConfigMap", "alertbridge-routes")["data"]["main.yml"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", FORMS)
def test_every_manifest_is_valid_kubernetes(form: str, version: str) -> None:
    native = [item for item in render(form) if item["apiVersion"] != OPERATOR_GROUP]
    assert len(native) >= 3
    for item in native:
        kubernetes_validate.validate(item, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_alertmanager_resource_says_of_the_pod_is_valid_kubernetes(version: str) -> None:
    spec = one("operator", "Alertmanager")["spec"]
    claim = {"name": "alertmanager-main-db", "persistentVolumeClaim": {"claimName": "made-by-the-operator"}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "as-the-operator-makes-it"},
        "spec": {
            "securityContext": spec["securityContext"],
            "containers": spec["containers"],
            "volumes": [*spec["volumes"], claim],
        },
    }
    kubernetes_validate.validate(pod, version, strict=True)
    kubernetes_validate.validate(
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **spec["storage"]["volumeClaimTemplate"]},
        version,
        strict=True,
    )


@pytest.mark.parametrize("form", FORMS)
def test_every_mounted_volume_exists(form: str) -> None:
    spec = pod_spec(form)
    have = {volume["name"] for volume in spec.get("volumes", [])}
    if form == "operator":
        have.add(f"alertmanager-{one(form, 'Alertmanager')['metadata']['name']}-db")
    else:
        have |= {claim["metadata"]["name"] for claim in workload(form)["spec"].get("volumeClaimTemplates", [])}
    assert {mount["name"] for container in spec["containers"] for mount in container["volumeMounts"]} <= have


@pytest.mark.parametrize("form", FORMS)
def test_the_container_may_do_nothing_it_does_not_need(form: str) -> None:
    assert bridge(form)["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "capabilities": {"drop": ["ALL"]},
    }
    pod = pod_spec(form)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "memory" in bridge(form)["resources"]["limits"]


@pytest.mark.parametrize("form", ["single", "alertmanager", "operator"])
def test_what_the_bridge_writes_is_on_a_volume(form: str) -> None:
    mounts = {mount["mountPath"]: mount for mount in bridge(form)["volumeMounts"]}
    database = routes(form)["storage"]["url"].removeprefix("sqlite:")
    assert str(Path(database).parent) in mounts
    assert not mounts["/var/lib/alertbridge"].get("readOnly", False)
    assert all(mount.get("readOnly") for path, mount in mounts.items() if path not in {"/var/lib/alertbridge", "/tmp"})


@pytest.mark.parametrize("form", FORMS)
def test_the_routes_are_mounted_as_a_directory_so_that_edits_arrive(form: str) -> None:
    mount = next(mount for mount in bridge(form)["volumeMounts"] if mount["mountPath"] == "/etc/alertbridge")
    assert "subPath" not in mount
    assert bridge(form)["args"] == ["serve", "--config", "/etc/alertbridge"]
    volume = next(volume for volume in pod_spec(form)["volumes"] if volume["name"] == mount["name"])
    assert volume["configMap"]["name"] == "alertbridge-routes"


@pytest.mark.parametrize("form", FORMS)
def test_the_keyring_is_a_secret_that_only_the_bridges_group_reads(form: str) -> None:
    keyring = routes(form)["secrets"]["keyring"]
    mount = next(mount for mount in bridge(form)["volumeMounts"] if mount["mountPath"] == str(Path(keyring).parent))
    volume = next(volume for volume in pod_spec(form)["volumes"] if volume["name"] == mount["name"])
    assert volume["secret"]["secretName"] == "alertbridge-keyring"
    assert volume["secret"]["defaultMode"] == 0o440
    assert not [item for item in render(form) if item["kind"] == "Secret" and "keyring" in item["metadata"]["name"]]


@pytest.mark.parametrize("form", FORMS)
def test_the_probes_ask_the_observing_port(form: str) -> None:
    container = bridge(form)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert f"0.0.0.0:{ports['observe']}" == routes(form)["server"]["observe"]
    paths = {
        probe: container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert paths == {"startupProbe": "/-/healthy", "readinessProbe": "/-/ready", "livenessProbe": "/-/healthy"}
    assert all(container[probe]["httpGet"]["port"] == "observe" for probe in paths)


def test_the_forms_differ_only_where_they_must() -> None:
    """The container is written three times; what is the same rule in all of them must stay the same."""
    shared = ("image", "args", "startupProbe", "readinessProbe", "livenessProbe", "resources", "securityContext")
    containers = [bridge(form) for form in FORMS]
    for field in shared:
        assert all(container[field] == containers[0][field] for container in containers), field


@pytest.mark.parametrize("form", ["alertmanager", "operator"])
def test_beside_alertmanager_the_webhook_never_leaves_the_pod(form: str) -> None:
    listen = routes(form)["server"]["listen"]
    assert listen.startswith("127.0.0.1:")
    ports = [port["containerPort"] for port in bridge(form)["ports"]]
    assert int(listen.rpartition(":")[2]) not in ports
    if form == "operator":
        text = one(form, "Secret", "alertmanager-main-config")["stringData"]["alertmanager.yaml"]
    else:
        text = one(form, "ConfigMap", "alertmanager-config")["data"]["alertmanager.yml"]
    (receiver,) = yaml.safe_load(text)["receivers"]
    assert receiver["webhook_configs"][0]["url"] == f"http://{listen}/webhook/alertmanager"
    assert "alertmanager" in routes(form)["sources"]


def test_alone_the_bridge_asks_everybody_for_a_token() -> None:
    config = routes("single")
    assert config["server"]["listen"].startswith("0.0.0.0:")
    references = [config["sources"]["alertmanager"]["auth"]["bearer"], config["access"]["tokens"][0]["token"]]
    mounts = [mount["mountPath"] for mount in bridge("single")["volumeMounts"]]
    for reference in references:
        assert str(Path(reference.removeprefix("file:")).parent) in mounts
    assert one("single", "StatefulSet")["spec"]["replicas"] == 1


def test_several_bridges_share_a_database_a_keyring_and_no_volume() -> None:
    spec = one("ha", "Deployment")["spec"]
    assert spec["replicas"] == 3
    assert not [item for item in render("ha") if item["kind"] == "StatefulSet"]
    mounts = {mount["name"]: mount for mount in bridge("ha")["volumeMounts"]}
    assert all(mount.get("readOnly") for name, mount in mounts.items() if name != "tmp")
    keyring = next(volume for volume in pod_spec("ha")["volumes"] if volume["name"] == "keyring")
    assert "optional" not in keyring["secret"], "bridges on PostgreSQL do not start without a keyring"
    database = routes("ha")["storage"]["url"].removeprefix("file:")
    assert str(Path(database).parent) == mounts["tokens"]["mountPath"]
    ports = [port["port"] for rule in one("ha", "NetworkPolicy")["spec"]["egress"] for port in rule["ports"]]
    assert 5432 in ports
    assert one("ha", "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("form", FORMS)
def test_the_service_monitor_finds_the_metrics(form: str) -> None:
    monitor = one(form, "ServiceMonitor")["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    services = [item for item in render(form) if item["kind"] == "Service"]
    (service,) = [item for item in services if wanted <= item["metadata"].get("labels", {}).items()]
    assert monitor["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]}
    labels = {"app.kubernetes.io/name": "alertmanager"}  # what the operator puts on its pods
    if form != "operator":
        labels = workload(form)["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()


@pytest.mark.parametrize("form", FORMS)
def test_the_network_policy_opens_the_metrics_to_prometheus_alone(form: str) -> None:
    policy = one(form, "NetworkPolicy")["spec"]
    rules = [rule for rule in policy["ingress"] if {port["port"] for port in rule["ports"]} & {"observe", 9098}]
    assert len(rules) == 1
    assert [peer["podSelector"]["matchLabels"] for peer in rules[0]["from"]] == [
        {"app.kubernetes.io/name": "prometheus"}
    ]


def test_the_network_policy_never_lets_the_bridge_reach_cloud_metadata() -> None:
    policy = one("single", "NetworkPolicy")["spec"]
    blocks = [peer["ipBlock"] for rule in policy["egress"] for peer in rule["to"] if "ipBlock" in peer]
    assert {block["cidr"] for block in blocks} == {"0.0.0.0/0", "::/0"}
    assert any("169.254.0.0/16" in block["except"] for block in blocks)


@pytest.mark.parametrize("form", FORMS)
def test_no_manifest_holds_a_credential(form: str) -> None:
    for item in render(form):
        if item["kind"] == "Secret":
            assert set(item["stringData"]) == {"alertmanager.yaml"}
            assert "credentials" not in item["stringData"]["alertmanager.yaml"]
