"""The files of deploy/ are what their readers take, and say the same."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.session import get_session
from botocore.validate import ParamValidator
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef
from dagster_aws.ecs import EcsRunLauncher

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
_CAPITAL = re.compile("[A-Z]")
_PIN = re.compile(r"^(\S+==\S+?)(?: ;.*?)? \\\n((?:    --hash=\S+(?: \\)?\n)+)", re.MULTILINE)


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def compose() -> Any:
    return read("compose/compose.yaml")


def test_each_service_is_pinned_watched_and_started_again() -> None:
    for name, service in compose()["services"].items():
        image = service["image"]
        assert image.startswith("${") or re.search(r":\d+\.\d+$", image), name
        assert service["healthcheck"]["test"], name
        assert service["restart"] == "unless-stopped", name


def test_the_example_sets_what_compose_asks_for() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose/compose.yaml").read_text()))
    given = re.findall(r"^(\w+)=", (DEPLOY / "compose/example.env").read_text(), re.MULTILINE)
    assert asked == set(given)


@pytest.mark.parametrize("place", ["compose", "ecs"])
def test_variables_of_the_instance_are_given_to_whoever_reads_it(place: str) -> None:
    read_there = set(re.findall(r"env: (\w+)", (DEPLOY / place / "dagster.yaml").read_text()))
    if place == "compose":
        services = compose()["services"].values()
        given = [set(one["environment"]) for one in services if "working_dir" in one]
    else:
        given = [names_of(one) for one in task_definition()["containerDefinitions"]]
        launcher = read("ecs/dagster.yaml")["run_launcher"]["config"]
        given.append({*launcher["env_vars"], *(one["name"] for one in launcher["secrets"])})
    # ECS sets it in every task: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-metadata.html
    assert all(read_there - {"AWS_REGION"} <= names for names in given)


@pytest.mark.parametrize("place", ["compose", "ecs"])
def test_dagster_takes_the_instance(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config, _ = dagster_instance_config(str(DEPLOY / place))
    for name in re.findall(r"env: (\w+)", (DEPLOY / place / "dagster.yaml").read_text()):
        monkeypatch.setenv(name, "http://127.0.0.1" if name.endswith("ENDPOINT") else "5432")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    reference = InstanceRef.from_dir(str(DEPLOY / place))
    assert reference.compute_logs_data.rehydrate(None)
    assert config["run_monitoring"]["enabled"]
    if place == "ecs":
        launcher = reference.run_launcher
        assert isinstance(launcher, EcsRunLauncher)
        assert launcher.task_role_arn == task_definition()["taskRoleArn"]


def test_ecs_runs_the_commands_of_compose() -> None:
    services = compose()["services"]
    for container in task_definition()["containerDefinitions"]:
        service = services[container["name"]]
        assert container["command"] == service["command"]
        assert container["healthCheck"]["command"] == service["healthcheck"]["test"]


def test_ecs_takes_the_task_definition() -> None:
    """By the API's own description, which the AWS SDK brings."""
    operation = get_session().get_service_model("ecs").operation_model("RegisterTaskDefinition")
    found = ParamValidator().validate(task_definition(), operation.input_shape)
    assert not found.has_errors(), found.generate_report()


def test_helm_has_the_limits_of_ecs() -> None:
    """Both have a machine for each run, so that nothing but the destinations bounds them."""
    chart, instance = in_words(read("helm/values.yaml")), read("ecs/dagster.yaml")
    assert chart["concurrency"] == {"enabled": True, **instance["concurrency"]}
    assert chart["retention"] == {"enabled": True, **instance["retention"]}
    assert chart["dagster_daemon"]["run_retries"] == instance["run_retries"]


def test_the_image_has_versions_that_were_tested() -> None:
    image, tested = (
        dict(_PIN.findall(path.read_text()))
        for path in (DEPLOY / "requirements.lock", ROOT / "requirements.lock")
    )
    names = {pin.partition("==")[0] for pin in tested}
    other = [pin for pin in image if pin not in tested and pin.partition("==")[0] in names]
    assert image and not other, f"{other}: run make lock"


def task_definition() -> Any:
    return json.loads((DEPLOY / "ecs/task-definition.json").read_text())


def names_of(container: Any) -> set[str]:
    return {one["name"] for one in [*container["environment"], *container["secrets"]]}


def in_words(value: Any) -> Any:
    """Names as Dagster writes them: runRetries as run_retries."""
    if isinstance(value, list):
        return [in_words(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {_CAPITAL.sub(r"_\g<0>", name).lower(): in_words(one) for name, one in value.items()}
