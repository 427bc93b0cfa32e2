"""One thing that people are told of."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from batch_exports.automation.alerts.failure import Failure
from batch_exports.automation.alerts.message import Message

Kind = Literal["failed", "paused", "check_failed", "late", "recovered", "check_passed"]

_TITLES: dict[Kind, str] = {
    "failed": "{export}: a run failed",
    "paused": "{export} is paused",
    "check_failed": "{export}: the check {check} is red",
    "late": "{export} is late",
    "recovered": "{export} delivers again",
    "check_passed": "{export}: the check {check} is green again",
}
_SHOWN = 5


@dataclass(frozen=True)
class Alert:
    """`failures` is how many runs have failed since `since`, the last of them for the reason
    `failure`. `text` says what else is to be said of it. `id` stays the same in each try to send
    it."""

    id: str
    kind: Kind
    export: str
    moment: datetime
    partitions: tuple[str, ...] = ()
    run: str | None = None
    check: str | None = None
    failure: Failure | None = None
    failures: int = 0
    since: datetime | None = None
    text: str = ""

    def written(self) -> dict[str, Any]:
        """As JSON holds it."""
        told = asdict(self)
        for name in ("moment", "since"):
            told[name] = told[name].isoformat() if told[name] else None
        return told

    @classmethod
    def read(cls, told: dict[str, Any]) -> "Alert":
        since, failure = told["since"], told["failure"]
        alert = cls(**{**told, "moment": datetime.fromisoformat(told["moment"])})
        return replace(
            alert,
            since=datetime.fromisoformat(since) if since else None,
            failure=Failure(**failure) if failure else None,
            partitions=tuple(told["partitions"]),
        )

    def redacted(self, redact: Callable[[str], str]) -> "Alert":
        """Without secrets in what others have said: servers, and errors that repeat them."""
        if self.failure is None:
            return replace(self, text=redact(self.text))
        failure = Failure(
            self.failure.kind, redact(self.failure.message), redact(self.failure.remedy)
        )
        return replace(self, failure=failure, text=redact(self.text))

    def message(self, ui_url: str | None) -> Message:
        """Run links lead to the UI at `ui_url`; without it the run's ID is told."""
        fields = {
            "Export": self.export,
            "Partition": _listed(self.partitions),
            "What": self.text,
            "Error": f"{self.failure.kind}: {self.failure.message}" if self.failure else "",
            "Remedy": self.failure.remedy if self.failure else "",
            "Failed runs": f"{self.failures} since {_time(self.since)}" if self.failures else "",
            "Since": _time(self.since) if not self.failures else "",
        }
        link = run_link(ui_url, self.run)
        if self.run and not link:
            fields["Run"] = self.run
        return Message(
            title=_TITLES[self.kind].format(export=self.export, check=self.check),
            lines=tuple((name, text) for name, text in fields.items() if text),
            link=link,
            data={"type": "alert", **self.written(), "run_url": link},
        )


def run_link(ui_url: str | None, run: str | None) -> str | None:
    return f"{ui_url.rstrip('/')}/runs/{run}" if ui_url and run else None


def _time(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else ""


def _listed(keys: tuple[str, ...]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more
