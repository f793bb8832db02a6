"""The manifests for Kubernetes and the compose file: what their schemas say, and that they fit the
image and the program."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from kubernetes_validate import utils as kubernetes

from graphrelay.config import load
from tests.tools import ROOT, needs

KUBERNETES = ROOT / "packaging" / "kubernetes" / "graphrelay.yaml"
COMPOSE = ROOT / "packaging" / "compose" / "compose.yaml"
IMAGE = (ROOT / "packaging" / "Containerfile").read_text("utf-8")


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(KUBERNETES.read_text("utf-8")))


def one(kind: str, name: str = "graphrelay") -> dict[str, Any]:
    [found] = [
        each for each in manifests() if (each["kind"], each["metadata"]["name"]) == (kind, name)
    ]
    return found


@pytest.fixture
def pod() -> dict[str, Any]:
    spec: dict[str, Any] = one("StatefulSet")["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("version", ["1.29", "1.33"])
@pytest.mark.parametrize("number", range(len(manifests())))
def test_each_manifest_is_as_kubernetes_wants_it(number: int, version: str) -> None:
    kubernetes.validate(manifests()[number], version, strict=True)


def test_a_mistake_in_a_manifest_is_found() -> None:
    manifest = one("PodDisruptionBudget")
    manifest["spec"]["minimumAvailable"] = manifest["spec"].pop("minAvailable")
    with pytest.raises(kubernetes.ValidationError, match="minimumAvailable"):
        kubernetes.validate(manifest, "1.33", strict=True)


def test_the_pod_runs_as_the_image_does(pod: dict[str, Any]) -> None:
    [uid] = re.findall(r"--uid (\d+)", IMAGE)
    context, [container] = pod["securityContext"], pod["containers"]
    assert {context[key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {int(uid)}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    [port] = re.findall(r"EXPOSE (\d+)", IMAGE)
    assert {each["containerPort"] for each in container["ports"]} == {int(port), 9126}


def test_what_a_manifest_names_is_in_the_others(pod: dict[str, Any]) -> None:
    [container] = pod["containers"]
    ports = {each["name"] for each in container["ports"]}
    for service in ("graphrelay", "graphrelay-pods"):
        assert {each["targetPort"] for each in one("Service", service)["spec"]["ports"]} <= ports
        assert one("Service", service)["spec"]["selector"] == _labels()
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        [target] = [container[probe][how] for how in container[probe] if how in _TARGETS]
        assert target["port"] in ports
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in pod["volumes"]}
    assert one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == _labels()
    assert (
        one("PodDisruptionBudget")["spec"]["minAvailable"] < one("StatefulSet")["spec"]["replicas"]
    )


_TARGETS = ("httpGet", "tcpSocket")


def _labels() -> dict[str, str]:
    labels: dict[str, str] = one("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    return labels


def test_the_relay_takes_the_configuration_and_the_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pod: dict[str, Any]
) -> None:
    for name, value in one("Secret")["stringData"].items():
        (tmp_path / name).write_text(value)
    config = tmp_path / "config.toml"
    config.write_text(one("ConfigMap")["data"]["config.toml"])
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.delenv("GRAPHRELAY_CONSOLE__ADDRESS", raising=False)
    settings = load(config)
    assert settings.spool.url_file
    mounts = {each["name"]: each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    assert str(settings.spool.url_file.parent) == mounts["credentials"]
    assert str(settings.state_directory) == mounts["state"]
    grace = settings.delivery.shutdown_grace.total_seconds()
    [_, pause] = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert pod["terminationGracePeriodSeconds"] > grace + int(pause)


def test_the_compose_file_is_as_its_specification_says() -> None:
    schema = json.loads(needs("compose-spec").read_text("utf-8"))
    found = yaml.safe_load(COMPOSE.read_text("utf-8"))
    schema["$schema"] = jsonschema.Draft7Validator.META_SCHEMA["$schema"]  # it has it with https
    jsonschema.validate(found, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**found, "services": {"relay1": {"imag": "x"}}}, schema)


def test_the_relay_takes_what_the_compose_file_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = yaml.safe_load(COMPOSE.read_text("utf-8"))
    relay = found["services"]["relay1"]
    assert set(relay["secrets"]) <= set(found["secrets"])
    (tmp_path / "accounts.mail.client_secret").write_text("secret")
    for name, value in relay["environment"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.delenv("GRAPHRELAY_CONSOLE__ADDRESS", raising=False)
    settings = load(ROOT / "packaging" / "container.toml")
    assert str(settings.spool.url_file) == "/run/secrets/spool.url"
    assert list(settings.accounts) == ["mail"]


def test_haproxy_takes_its_configuration() -> None:
    checked = subprocess.run(
        [needs("haproxy"), "-c", "-f", COMPOSE.parent / "haproxy.cfg"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
