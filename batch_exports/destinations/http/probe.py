"""The steps by which an endpoint is tried without sending it a call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from batch_exports.destinations.http.destination import HttpDestination
from batch_exports.destinations.http.tries import refusal
from batch_exports.destinations.s3.attempt import Place
from batch_exports.errors import Transient
from batch_exports.interval import DataInterval
from batch_exports.probe import Finding, Step, passed, skipped

# Long before the first interval of any export.
_INTERVAL = DataInterval(datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, 1, tzinfo=UTC))


@dataclass
class Attempt:
    """`reach` makes the destination, for which it takes credentials."""

    reach: Callable[[], HttpDestination]

    @cached_property
    def destination(self) -> HttpDestination:
        return self.reach()


def place_of(destination: HttpDestination) -> Place:
    """Where the record is kept, for the steps by which a bucket is tried."""
    stem = destination.template.keys(_INTERVAL).stem
    return Place(destination.client, destination.bucket, stem, {})


def reach_endpoint(attempt: Attempt) -> Finding:
    endpoint = attempt.destination.endpoint
    with endpoint.connected(attempt.destination.timeout_seconds, 1) as connections:
        answer = connections.greet()
    verified = ", and its certificate is good" if endpoint.address.startswith("https") else ""
    return passed(f"{endpoint.address} answers ({answer.status}){verified}")


def take_key(attempt: Attempt) -> Finding:
    """A batch without calls changes nothing, and is refused for its key before anything else."""
    endpoint = attempt.destination.endpoint
    if not endpoint.form.tells_key:
        return skipped(f"{endpoint.form.name} does not tell a wrong key: look for calls there")
    with endpoint.connected(attempt.destination.timeout_seconds, 1) as connections:
        answer = connections.post(b"".join(endpoint.form.envelope(endpoint.write_key)))
    if answer.is_good or answer.status == 400:
        return passed("the write key is taken")
    if answer.status == 429 or answer.status >= 500:
        raise Transient(f"{endpoint.url} answers {answer}.", remedy="It is tried again.")
    raise refusal(endpoint.url, answer)


STEPS: Sequence[Step[Attempt]] = (
    Step("reach", reach_endpoint),
    Step("write key", take_key),
)
