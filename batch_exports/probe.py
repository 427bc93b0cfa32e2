"""Steps by which a place is tried before a delivery depends on it, and what came of each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from batch_exports.errors import BatchExportError

Verdict = Literal["passed", "warning", "failed", "skipped"]
Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Finding:
    """What a step found, in a sentence, and what to do about a warning or a failure."""

    verdict: Verdict
    text: str
    remedy: str = ""


def passed(text: str) -> Finding:
    return Finding("passed", text)


def warning(text: str, *, remedy: str) -> Finding:
    return Finding("warning", text, remedy)


def skipped(why: str) -> Finding:
    return Finding("skipped", why)


@dataclass(frozen=True)
class Step(Generic[Subject]):
    """A name, and a function that tries it on the subject. It fails by raising an error of ours."""

    name: str
    run: Callable[[Subject], Finding]


@dataclass(frozen=True)
class Result:
    step: str
    finding: Finding


def probe(steps: Sequence[Step[Subject]], subject: Subject) -> Iterator[Result]:
    """Each step in its turn. What comes after one that failed is skipped, as it builds on it."""
    failed = ""
    for step in steps:
        if failed:
            yield Result(step.name, skipped(f"since {failed!r} failed"))
            continue
        try:
            yield Result(step.name, step.run(subject))
        except BatchExportError as error:
            failed = step.name
            # A run would be tried again; a probe is not.
            remedy = error.remedy.replace("It is tried again.", "Try again.")
            yield Result(step.name, Finding("failed", error.message, remedy))
