"""The web server asked as its pages ask it: to launch partitions, and what became of them."""

import json
import re
import time
from collections.abc import Sequence
from typing import Any
from urllib.request import Request, urlopen

RUN_SECONDS = 120
_ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
_LAUNCH = """
mutation($runs: [ExecutionParams!]!) { launchMultipleRuns(executionParamsList: $runs) {
  __typename ... on PythonError { message }
  ... on LaunchMultipleRunsResult { launchMultipleRunsResult {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } } } }
"""
_STATUS = "query($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"
_EVENTS = """
query($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
  ... on MessageEvent { message }
  ... on AssetCheckEvaluationEvent { evaluation { success partition } } } } } }
"""


def ask(url: str, query: str, **variables: Any) -> Any:
    """The answer's data. Raises RuntimeError with what the web server says, if it refuses."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = Request(f"{url}/graphql", body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        found = json.load(answer)
    if "errors" in found:
        raise RuntimeError(f"the web server refuses: {found['errors']}")
    return found["data"]


def launch(url: str, job: str, keys: Sequence[str]) -> list[str]:
    """Put these partitions of a job into the queue; their runs."""
    selector = {
        "repositoryLocationName": "batch_exports",
        "repositoryName": "__repository__",
        "jobName": job,
    }
    runs = [
        {
            "selector": selector,
            "runConfigData": {},
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": key}]},
        }
        for key in keys
    ]
    launched = ask(url, _LAUNCH, runs=runs)["launchMultipleRuns"]
    answers = launched.get("launchMultipleRunsResult", [launched])
    if refused := [answer for answer in answers if "run" not in answer]:
        raise RuntimeError(f"the web server launches nothing: {refused}")
    return [answer["run"]["runId"] for answer in answers]


def statuses(url: str, runs: Sequence[str]) -> list[str]:
    return [ask(url, _STATUS, run=run)["runOrError"]["status"] for run in runs]


def ended(url: str, runs: Sequence[str]) -> list[str]:
    """The statuses of runs that have ended, or of those that have not within two minutes."""
    deadline = time.monotonic() + RUN_SECONDS
    while not set(found := statuses(url, runs)) <= _ENDED and time.monotonic() < deadline:
        time.sleep(0.3)
    return found


def events(url: str, run: str) -> list[dict[str, Any]]:
    """All events of a run: their `message`, and of checks their `evaluation`."""
    return list(ask(url, _EVENTS, run=run)["logsForRun"]["events"])


def process(told: Sequence[dict[str, Any]]) -> int | None:
    """Which process did a run with these events; None before it has begun."""
    text = "\n".join(event.get("message", "") for event in told)
    found = re.search(r"Executing steps in process \(pid: (\d+)\)", text)
    return int(found[1]) if found else None
