"""Ours against the limit, compared with the last time: a guard for a nightly run.

Seconds differ between machines; how many times longer than the limit an export takes differs less.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.hops import HOPS
from benchmarks.results import Results
from benchmarks.running import Plan, run

GUARD = Path(__file__).with_name("guard.toml")
ROWS = 200_000
_REDSHIFT_ROWS = 20_000
_PATIENCE = 120.0
_HEAD = """\
# What part of the limit's speed an export has, by hop, with {rows:,} rows; and the fastest peer.
# `make bench-quick` fails where one has fallen by more than `tolerance`. Write it anew with
# `python -m benchmarks quick --write`, on a machine that does nothing else.
tolerance = {tolerance}
"""


@dataclass(frozen=True)
class Guard:
    """`ratios` of ours by hop and contender; `peers` are the ones to run beside them."""

    tolerance: float
    ratios: Mapping[str, Mapping[str, float]]
    peers: Mapping[str, str]

    @classmethod
    def read(cls, path: Path = GUARD) -> "Guard":
        told = tomllib.loads(path.read_text())
        hops: dict[str, Any] = told["hops"]
        return cls(
            told["tolerance"],
            {name: hop["ratios"] for name, hop in hops.items()},
            {name: hop["peer"] for name, hop in hops.items() if "peer" in hop},
        )


def measure(
    guard: Guard, folder: Path, results: Results, hops: Sequence[str], repeat: int, rows: int
) -> None:
    """Run the limit, ours and one peer of each hop; the emulator of Redshift with fewer rows."""

    def wanted(hop: str, contender: Contender) -> bool:
        return contender.kind == "limit" or contender.name in {
            *guard.ratios.get(hop, ()),
            guard.peers.get(hop),
        }

    for hop in hops:
        size = min(rows, _REDSHIFT_ROWS) if "redshift" in hop else rows
        run(Plan([hop], [size], repeat, _PATIENCE, wanted, peers_once=True), folder, results)


def ratios(results: Results) -> dict[str, dict[str, float]]:
    """The limit's seconds by those of each other contender, by hop; 1 is as fast as the limit.

    Of the fastest runs: what else the machine does makes runs slower, and none faster.
    """
    found: dict[str, dict[str, float]] = {}
    for hop in HOPS:
        for rows in results.sizes(hop):
            entries = dict(results.entries(hop, rows))
            limit = next(
                (one for one in entries.values() if one.kind == "limit" and one.runs), None
            )
            if limit:
                found[hop] = {
                    name: round(limit.spread[0] / entry.spread[0], 3)
                    for name, entry in entries.items()
                    if entry.runs and entry is not limit
                }
    return found


def compare(guard: Guard, results: Results, hops: Sequence[str]) -> list[str]:
    """What has become slower than `guard` lets it, or delivers other contents; a line each."""
    told = []
    found = ratios(results)
    for hop in hops:
        for name, before in guard.ratios.get(hop, {}).items():
            now = found.get(hop, {}).get(name)
            if now is None:
                told.append(f"{hop}: {name} was not measured")
            elif now < before * (1 - guard.tolerance):
                told.append(f"{hop}: {name} has {now:.2f} of the limit's speed, not {before:.2f}")
        for rows in results.sizes(hop):
            told += [
                f"{hop}: {name} delivered other contents: {'; '.join(entry.contents)}"
                for name, entry in results.entries(hop, rows)
                if entry.kind == "ours" and entry.contents
            ]
    return told


def write(guard: Guard, results: Results, path: Path = GUARD) -> None:
    """Keep what was measured as what the next ones are compared with; the rest stays."""
    lines = [_HEAD.format(rows=ROWS, tolerance=guard.tolerance)]
    for hop, before in guard.ratios.items():
        found = {**before, **ratios(results).get(hop, {})}
        lines.append(f'[hops."{hop}"]')
        if hop in guard.peers:
            lines.append(f'peer = "{guard.peers[hop]}"')
        lines.append(f'[hops."{hop}".ratios]')
        lines += [f'"{name}" = {found[name]}' for name in before]
        lines.append("")
    path.write_text("\n".join(lines))
