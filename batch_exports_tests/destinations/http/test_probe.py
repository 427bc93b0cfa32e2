"""Steps that try an endpoint without sending it a call."""

from collections.abc import Callable
from typing import Any

import pytest

from batch_exports.destinations.http.endpoint import Endpoint
from batch_exports.destinations.http.forms import FORMS
from batch_exports.destinations.http.probe import STEPS, Attempt, place_of
from batch_exports.local.ports import free_ports
from batch_exports.probe import Finding, probe
from batch_exports_tests.destinations.http.place import Place
from batch_exports_tests.destinations.http.receiver import KEY, Receiver, answers


def tried(place: Place, **settings: Any) -> list[Finding]:
    attempt = Attempt(lambda: place.destination(**settings))
    found = [result.finding for result in probe(STEPS, attempt)]
    assert KEY not in str(found)
    assert place.receiver.calls == {}
    return found


def test_an_endpoint_that_takes_the_key(place: Place) -> None:
    reach, key = tried(place)
    assert (reach.verdict, reach.text) == ("passed", f"{place.receiver.address} answers (200)")
    assert (key.verdict, key.text) == ("passed", "the write key is taken")
    # The gateway of RudderStack may find fault with a batch of no calls, when it knows the key.
    place.receiver.faults.append(answers(400, b"empty batch payload"))
    assert tried(place)[1].verdict == "passed"


def test_a_wrong_key(place: Place) -> None:
    _, key = tried(place, endpoint=place.receiver.endpoint("wrong-key"))
    assert key.verdict == "failed"
    assert "401: invalid write key" in key.text
    assert "write_key" in key.remedy
    assert "wrong-key" not in str(key)


@pytest.mark.parametrize(
    ("status", "remedy"), [(404, "enable it"), (503, "Try again."), (302, "endpoint_url")]
)
def test_an_endpoint_that_is_not_right(place: Place, status: int, remedy: str) -> None:
    place.receiver.faults.append(answers(status))
    _, key = tried(place)
    assert key.verdict == "failed"
    assert remedy in key.remedy


@pytest.mark.parametrize("form", ["segment", "posthog"])
def test_endpoints_that_do_not_tell(
    start: Callable[..., Receiver], place: Place, form: str
) -> None:
    place.receiver = start(form)
    reach, key = tried(place)
    assert (reach.verdict, key.verdict) == ("passed", "skipped")
    assert place.receiver.requests == []


def test_nobody_is_there(place: Place) -> None:
    [port] = free_ports(1)
    nobody = Endpoint(FORMS["rudderstack"], f"http://127.0.0.1:{port}", KEY)
    reach, key = tried(place, endpoint=nobody)
    assert (reach.verdict, key.verdict) == ("failed", "skipped")
    assert reach.remedy == "Try again."


def test_the_place_of_records(place: Place) -> None:
    found = place_of(place.destination())
    assert found.bucket == place.bucket
    assert found.stem.startswith(f"{place.prefix}19700101T")
