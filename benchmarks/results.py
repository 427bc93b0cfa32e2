"""What was measured, in one file of JSON that grows with each run."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measurement import Measured

LAST = Path(__file__).parent / "results/last.json"


@dataclass
class Entry:
    """A contender at a hop with a number of rows.

    `contents` is None where they were not looked at, empty where they equal the lake's. It has no
    runs where it was left out, and `skipped` says why.
    """

    kind: str
    runs: list[Measured] = field(default_factory=list)
    contents: list[str] | None = None
    skipped: str = ""

    @property
    def seconds(self) -> float:
        return median(run.seconds for run in self.runs)

    @property
    def spread(self) -> tuple[float, float]:
        return min(run.seconds for run in self.runs), max(run.seconds for run in self.runs)

    def middle(self, name: str) -> float:
        """The median of a number of all runs."""
        return median(getattr(run, name) for run in self.runs)


class Results:
    """By hop, rows, contender."""

    def __init__(self, path: Path = LAST) -> None:
        self._path = path
        self.told: dict[str, Any] = {"hops": {}, "versions": {}}
        if path.exists():
            self.told = json.loads(path.read_text())

    def put(self, hop: str, rows: int, name: str, entry: Entry) -> None:
        """Keep the entry, in the place of an earlier one."""
        self.told["hops"].setdefault(hop, {}).setdefault(str(rows), {})[name] = asdict(entry)
        self.keep({})

    def keep(self, versions: dict[str, str | None]) -> None:
        """Write the file anew."""
        self.told["versions"] |= versions
        self.told["machine"] = _machine()
        self.told["measured"] = f"{datetime.now(UTC):%Y-%m-%d}"
        self._path.parent.mkdir(exist_ok=True)
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(self.told, indent=1) + "\n")
        draft.rename(self._path)

    def note(self, name: str, told: Any) -> None:
        """Keep something beside the hops, such as a run's fixed cost."""
        self.told[name] = told
        self.keep({})

    def sizes(self, hop: str) -> list[int]:
        return sorted(int(rows) for rows in self.told["hops"].get(hop, ()))

    def entries(self, hop: str, rows: int) -> list[tuple[str, Entry]]:
        """The limit first, then ours, then the peers, the fastest first."""
        told = self.told["hops"].get(hop, {}).get(str(rows), {})
        found = [
            (name, Entry(**one | {"runs": [Measured(**run) for run in one["runs"]]}))
            for name, one in told.items()
        ]
        return sorted(found, key=lambda pair: _rank(pair[1]))


def _rank(entry: Entry) -> tuple[int, float]:
    kind = ("limit", "ours", "peer").index(entry.kind)
    if not entry.runs:
        return kind, inf
    return kind, entry.seconds if entry.kind == "peer" else 0.0


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "GiB": round(memory / 2**30),
        "processor": platform.machine(),
        "python": platform.python_version(),
    }
