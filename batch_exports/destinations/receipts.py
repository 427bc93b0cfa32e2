"""What the shards of a delivery have staged, told to the step that commits them."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.transform.shard import Shard

_ANEW = "Materialize the partition again, all of it"


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What one shard of an interval has staged; of each kind of destination a subclass.

    `rows` wait for the commit, of which `replaced` hold a value in a changed form; `rejected` do
    not. `bytes` and `sha256` (in hex) are of what was staged. `form` is all that the commit must
    find as it was: where rows go to, and how. There are no secrets in it.
    """

    export: str
    start: datetime
    end: datetime
    run_id: str
    shard: int
    shards: int
    form: str
    rows: int
    rejected: int
    replaced: int
    bytes: int
    sha256: str


Kind = TypeVar("Kind", bound=Receipt)


class Hashed(Protocol):
    """What was staged, with the SHA-256 of it, in hex."""

    @property
    def sha256(self) -> str: ...


def header(
    export: str, interval: DataInterval, run_id: str, shard: Shard, form: str
) -> dict[str, Any]:
    """The fields of a receipt that do not depend on the rows."""
    return {
        "export": export,
        "start": interval.start,
        "end": interval.end,
        "run_id": run_id,
        "shard": shard.index,
        "shards": shard.of,
        "form": form,
    }


def as_json(receipt: Receipt) -> dict[str, Any]:
    """The receipt as plain data."""
    told: dict[str, Any] = msgspec.to_builtins(receipt)
    return told


def check_receipts(
    told: Sequence[Mapping[str, Any]],
    kind: type[Kind],
    export: str,
    interval: DataInterval,
    form: str,
) -> list[Kind]:
    """The receipts of one delivery, in the order of their shards.

    Raises `Terminal` where these are not one of each shard, all of one run, of this interval and
    export as it is now.
    """
    try:
        receipts = [msgspec.convert(each, kind) for each in told]
    except msgspec.ValidationError as error:
        raise _unfit(interval, f"a receipt cannot be read ({error})") from error
    receipts.sort(key=lambda receipt: receipt.shard)
    for receipt in receipts:
        if (receipt.export, receipt.start, receipt.end) != (export, interval.start, interval.end):
            raise _unfit(
                interval,
                f"a receipt is of {receipt.export!r} from {receipt.start:%Y-%m-%dT%H:%M:%SZ} to "
                f"{receipt.end:%Y-%m-%dT%H:%M:%SZ}",
            )
    if runs := sorted({receipt.run_id for receipt in receipts})[1:]:
        raise _unfit(interval, f"the receipts are of {len(runs) + 1} runs")
    found = [receipt.shard for receipt in receipts]
    counts = {receipt.shards for receipt in receipts}
    if len(counts) != 1 or found != list(range(counts.pop())):
        of = " and ".join(map(str, sorted({r.shards for r in receipts}))) or "no"
        raise _unfit(interval, f"there are receipts of the shards {found}, of {of}")
    for receipt in receipts:
        if receipt.form != form:
            raise _unfit(
                interval,
                f"shard {receipt.shard} staged them as {receipt.form}, and they would be delivered "
                f"as {form}",
            )
    return receipts


def content_of(parts: Sequence[Hashed]) -> str:
    """In hex, the SHA-256 of all that was staged, out of those of its parts: shards, or files."""
    return hashlib.sha256("".join(part.sha256 for part in parts).encode()).hexdigest()


def overtaken(interval: DataInterval) -> Terminal:
    """What the commit says of rows that were read before the interval was delivered by others."""
    return Terminal(
        f"Another run delivered {interval}, or an interval that overlaps it, while this one staged "
        "its rows. Nothing was delivered.",
        remedy=f"What that run delivered is there. {_ANEW} if it should be read again.",
    )


def gone(interval: DataInterval, shards: Sequence[int]) -> Terminal:
    """What the commit says of staged rows that others have swept."""
    return Terminal(
        f"What the shards {list(shards)} of {interval} staged is gone: another run delivered the "
        "interval, or it was swept by hand. Nothing was delivered.",
        remedy=f"{_ANEW}: a run that goes on from its failed step has no more to go on from.",
    )


def _unfit(interval: DataInterval, why: str) -> Terminal:
    return Terminal(
        f"The staged rows of {interval} cannot be committed: {why}. Nothing was delivered.",
        remedy=f"{_ANEW}.",
    )
