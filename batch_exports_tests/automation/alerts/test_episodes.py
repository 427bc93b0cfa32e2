"""When something that goes on is news, and when it is over; and that a tick tells the next."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from batch_exports.automation.alerts.alert import Alert
from batch_exports.automation.alerts.endings import CheckResult, Ending
from batch_exports.automation.alerts.episodes import QUIET, Health, after_ending
from batch_exports.automation.alerts.failure import Failure
from batch_exports.automation.alerts.outbox import Letter, send
from batch_exports.automation.alerts.watch import Cursor

START = datetime(2026, 11, 1, 6, tzinfo=UTC)
WHY = Failure("Terminal", "The bucket is gone.", "Make it.")


def ending(
    minutes: int, *, failed: tuple[str, ...] = (), delivered: tuple[str, ...] = ()
) -> Ending:
    moment = START + timedelta(minutes=minutes)
    return Ending("events", "run", moment, delivered, failed, WHY if failed else None)


def kinds(health: Health, *endings: Ending) -> tuple[Health, list[list[str]]]:
    """Each time through what a tick keeps for the next."""
    found = []
    for each in endings:
        health, alerts = after_ending(health, each)
        health = Cursor.read(Cursor(1, {"events": health}).written()).health["events"]
        found.append([alert.kind for alert in alerts])
    return health, found


def test_a_backfill_of_which_half_fails_is_told_of_once() -> None:
    pairs = [
        (ending(2 * n, failed=(f"{n}",)), ending(2 * n + 1, delivered=(f"{n + 100}",)))
        for n in range(20)
    ]
    health, found = kinds(Health(START), *(each for pair in pairs for each in pair))
    assert found == [["failed"], *[[]] * 39]
    mended = [ending(60 + n, delivered=(f"{n}",)) for n in range(20)]
    health, found = kinds(health, *mended)
    assert found == [*[[]] * 19, ["recovered"]]
    assert health.episodes == {}


def test_another_partition_is_news_a_day_after_people_were_told() -> None:
    day = int(QUIET.total_seconds() / 60)
    _, found = kinds(
        Health(START),
        ending(0, failed=("a",)),
        ending(day - 1, failed=("b",)),
        ending(day, failed=("a",)),  # is known
        ending(day + 1, failed=("c",)),
        ending(day + 2, failed=("d",)),
    )
    assert found == [["failed"], [], [], ["failed"], []]


def test_a_run_of_several_partitions_of_which_some_are_delivered() -> None:
    health, found = kinds(Health(START), ending(0, failed=("a", "b", "c")))
    health, more = kinds(health, ending(1, failed=("c",), delivered=("a", "b")))
    assert (found, more) == ([["failed"]], [[]])
    assert health.episodes["delivery"].partitions == ("c",)


@pytest.mark.parametrize("count", [1, 200])
def test_what_is_kept_is_bounded(count: int) -> None:
    keys = tuple(map(str, range(count)))
    red = [CheckResult("keys", key, True, "Rows that repeat a key: 1.") for key in keys]
    health, _ = kinds(Health(START), replace(ending(0, failed=keys), checks=red))
    assert len(health.episodes["delivery"].partitions) == min(count, 50)
    assert len(health.episodes["check keys"].partitions) == min(count, 50)


def test_letters_survive_and_are_bounded() -> None:
    alert = Alert(
        "id", "failed", "events", START, ("a", "b"), "run", failure=WHY, failures=2, since=START
    )
    letter = Letter(alert, "slack", 3, START)
    assert Letter.read(json.loads(json.dumps(letter.written()))) == letter
    sent = send([letter] * 130, {"slack": Unreachable()}, START, ui_url=None, seconds=9)
    assert len(sent.left) == 100
    assert len([each for each in sent.troubles if "too many wait" in each]) == 30


class Unreachable:
    """It fails once a round: the others wait."""

    name = "slack"
    tries = 0

    def send(self, message: object) -> None:
        self.tries += 1
        assert self.tries == 1
        raise TimeoutError
