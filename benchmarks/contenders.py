"""Who runs at which hop, in which environment, and what of it is installed."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Literal

Kind = Literal["limit", "ours", "peer"]
ROOT = Path(__file__).parent.parent
_LIMITS = ("files", "tables", "redshift", "clickhouse")
_PEERS = (
    "polars",
    "duckdb",
    "adbc",
    "pgpq",
    "csv_copy",
    "arrowjet",
    "clickhouse",
    "dlt",
    "sling",
    "ingestr",
    "posthog",
)
_MODULES: tuple[tuple[Kind, str], ...] = (
    *(("limit", f"benchmarks.limits.{name}") for name in _LIMITS),
    ("ours", "benchmarks.ours.exports"),
    *(("peer", f"benchmarks.peers.{name}") for name in _PEERS),
)
PEERS_PYTHON = ROOT / ".venv-bench/bin/python"
_PYTHONS = {
    "ours": Path(sys.executable),
    "peers": PEERS_PYTHON,
    "ingestr": ROOT / ".venv-bench-ingestr/bin/python",
}
_ASKED = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
told = {}
for name in sys.argv[1:]:
    try:
        told[name] = version(name)
    except PackageNotFoundError:
        told[name] = None
print(json.dumps(told))
"""


@dataclass(frozen=True)
class Contender:
    """One way over one hop. `python` runs it; `packages` are what it stands or falls with."""

    name: str
    kind: Kind
    module: str
    python: Path
    packages: tuple[str, ...]

    @property
    def command(self) -> Sequence[str]:
        return [str(self.python), "-m", "benchmarks.contender", self.module, self.name]

    def versions(self) -> dict[str, str | None]:
        """Of its packages; None for one that is not installed."""
        return _versions(self.python, self.packages)

    def missing(self) -> str:
        """Why it cannot run here; empty where it can."""
        if not self.python.exists():
            return f"there is no {self.python.parent.parent.name}: `make bench` makes it"
        absent = [name for name, version in self.versions().items() if version is None]
        return f"not installed: {', '.join(absent)}" if absent else ""


def contenders(hop: str) -> list[Contender]:
    """The limit first, then ours, then the peers."""
    found = []
    for kind, name in _MODULES:
        module = import_module(name)
        environment = getattr(module, "ENVIRONMENT", "peers" if kind == "peer" else "ours")
        packages = getattr(module, "PACKAGES", ())
        found += [
            Contender(way, kind, name, _PYTHONS[environment], packages)
            for way in module.CAN.get(hop, ())
        ]
    return found


@cache
def _versions(python: Path, packages: tuple[str, ...]) -> dict[str, str | None]:
    done = subprocess.run(
        [str(python), "-c", _ASKED, *packages], capture_output=True, text=True, check=True
    )
    told: dict[str, str | None] = json.loads(done.stdout)
    return told
