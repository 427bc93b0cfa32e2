"""Why a run failed, in texts that may leave the house."""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from batch_exports.errors import REMEDY_NOTE, BatchExportError, Terminal, Transient

_UNKNOWN_REMEDY = "See the run's log."


@dataclass(frozen=True)
class Failure:
    """`kind` is Terminal, Transient, or the class of an error that is not ours.

    Of the latter the class is all that is told: what it says was not written for others' eyes.
    """

    kind: str
    message: str
    remedy: str


def failure_of(event: dg.DagsterEvent | None) -> Failure:
    """Of the event with which Dagster ended a run."""
    data = event.event_specific_data if event else None
    step = getattr(data, "first_step_failure_event", None)
    details = getattr(step.event_specific_data, "user_failure_data", None) if step else None
    error = getattr(data, "error", None) or getattr(
        step.event_specific_data if step else None, "error", None
    )
    known = _kinds()
    chain = list(_causes(error))
    ours = next((each for each in chain if each.cls_name in known), None)
    if details is not None and details.metadata.keys() >= {"remedy"}:
        return Failure(
            known[ours.cls_name or ""] if ours else Terminal.__name__,
            _text(details.metadata, "error") or details.description or "",
            _text(details.metadata, "remedy"),
        )
    if ours is not None:
        return _told(known[ours.cls_name or ""], ours.message)
    if not chain:
        # Nothing was raised: the process is gone, or never started.
        return Failure("Crash", "The run ended without an error of its own.", _UNKNOWN_REMEDY)
    # Dagster wraps what it caught; the innermost is what happened.
    name = chain[-1].cls_name or "Exception"
    return Failure(name, f"An error of the class {name}.", _UNKNOWN_REMEDY)


def _kinds() -> dict[str, str]:
    """The names of our own errors' classes, each with which of the two kinds it is."""
    found, classes = dict[str, str](), [*BatchExportError.__subclasses__()]
    while classes:
        one = classes.pop()
        kind = Transient if issubclass(one, Transient) else Terminal
        found[one.__name__] = kind.__name__
        classes += one.__subclasses__()
    return found


def _causes(error: SerializableErrorInfo | None) -> Iterator[SerializableErrorInfo]:
    while error is not None:
        yield error
        error = error.cause


def _told(kind: str, message: str) -> Failure:
    """From an error as a traceback ends: the class, what it says, and below it the remedy."""
    text, _, remedy = message.strip().partition(f"\n{REMEDY_NOTE}")
    text = text.partition(": ")[2] or text
    return Failure(kind, text.removesuffix(remedy).strip(), remedy or _UNKNOWN_REMEDY)


def _text(metadata: dict[str, dg.MetadataValue], name: str) -> str:
    value = metadata.get(name)
    return str(value.value) if value is not None else ""
