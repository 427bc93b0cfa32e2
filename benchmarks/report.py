"""docs/performance.md: the parts between markers, written from what was measured."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.hops import HOPS
from benchmarks.results import Entry, Results

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/performance.md"
IMAGES = ROOT / "docs/images"
_KINDS = {"limit": "limit: {}", "ours": "**{}**", "peer": "{}"}


def publish(results: Results, page: Path = PAGE) -> list[str]:
    """Write what was measured into the page's parts; the names of those that were written.

    A part whose numbers are not there stays as it is. Raises ValueError for a marker that the page
    lacks.
    """
    parts = {"machine": _machine(results)}
    parts |= {name: _hop(results, name) for name in HOPS if results.sizes(name)}
    for name, write in (("fixed-cost", _fixed_cost), ("plan-time", _plan_time)):
        if name in results.told:
            parts[name] = write(results.told[name])
    text = page.read_text()
    for name, part in parts.items():
        text = _replaced(text, name, part)
    page.write_text(text)
    return list(parts)


def _replaced(text: str, name: str, part: str) -> str:
    begin, end = f"<!-- benchmarks: {name} -->", "<!-- end -->"
    found = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
    if not found.search(text):
        raise ValueError(f"docs/performance.md has no part {begin} ... {end}")
    return found.sub(lambda match: f"{match[1]}{part}\n{match[2]}", text)


def _machine(results: Results) -> str:
    machine = results.told["machine"]
    versions = ", ".join(
        f"{name} {version}" for name, version in sorted(results.told["versions"].items()) if version
    )
    return (
        f"Measured on {results.told['measured']}, {machine['cores']} cores "
        f"({machine['processor']}), {machine['GiB']} GiB, Python {machine['python']}. "
        f"Peers: {versions}."
    )


def _hop(results: Results, name: str) -> str:
    """The table of the size that was measured most often, and a picture of all sizes."""
    sizes = results.sizes(name)
    size = max(sizes, key=lambda rows: (_runs(results, name, rows), rows))
    entries = dict(results.entries(name, size))
    limit = next((one for one in entries.values() if one.kind == "limit" and one.runs), None)
    heads = "| {} rows | s | spread | rows/s | of the limit | CPU s + server's | MiB{} | contents |"
    lines = [
        f"{HOPS[name].title}: {HOPS[name].about} {_repeated(_runs(results, name, size))}",
        "",
        heads.format(f"{size:,}", _millions(sizes)),
        "| --- |" + " ---: |" * 6 + " --- |",
        *(_row(results, name, key, size, limit, sizes) for key in entries),
        "",
        f"![{HOPS[name].title}: rows a second, memory by rows, where time goes]"
        f"(images/bench-{name}.svg)",
    ]
    left_out = [f"{key}: {one.skipped}" for key, one in entries.items() if one.skipped]
    if left_out:
        lines += ["", f"Left out: {'; '.join(left_out)}."]
    return "\n".join(lines)


def _runs(results: Results, name: str, rows: int) -> int:
    return max((len(entry.runs) for _, entry in results.entries(name, rows)), default=0)


def _repeated(runs: int) -> str:
    return f"Medians of {runs} runs." if runs > 1 else "One run each."


def _millions(sizes: Sequence[int]) -> str:
    if len(sizes) < 2:
        return ""
    return f" at {', '.join(f'{rows / 1e6:g}' for rows in sizes)} million"


def _row(
    results: Results,
    hop: str,
    name: str,
    rows: int,
    limit: Entry | None,
    sizes: Sequence[int],
) -> str:
    entry = dict(results.entries(hop, rows))[name]
    told = _KINDS[entry.kind].format(name.replace("\\", "\\\\"))
    if not entry.runs:
        return f"| {told} | | | | | | | not measured |"
    low, high = entry.spread
    cells = (
        told,
        f"{entry.seconds:.1f}",
        f"{low:.1f} to {high:.1f}",
        f"{rows / entry.seconds:,.0f}",
        f"{limit.seconds / entry.seconds:.2f}" if limit else "",
        f"{entry.middle('cpu'):.1f} + {entry.middle('server_cpu'):.1f}",
        " / ".join(_memory(results, hop, name, sizes)),
        _contents(entry),
    )
    return f"| {' | '.join(cells)} |"


def _memory(results: Results, hop: str, name: str, sizes: Sequence[int]) -> Iterator[str]:
    for rows in sizes:
        entry = dict(results.entries(hop, rows)).get(name)
        yield f"{max(run.memory for run in entry.runs):,.0f}" if entry and entry.runs else "-"


def _contents(entry: Entry) -> str:
    if entry.contents is None:
        return "nothing delivered"
    return "equal" if not entry.contents else f"**{'; '.join(entry.contents)}**"


def _fixed_cost(told: dict[str, Any]) -> str:
    return "\n".join(
        [
            "| | s | CPU s |",
            "| --- | ---: | ---: |",
            *(
                f"| {name} | {one['seconds']:.2f} | {one['cpu']:.2f} |"
                for name, one in told["runs"].items()
            ),
            "",
            "| a backfill of intervals with one row each | intervals | a minute |",
            "| --- | ---: | ---: |",
            *(
                f"| {name} | {one['intervals']:,} | {one['a_minute']:.0f} |"
                for name, one in told["backfills"].items()
            ),
        ]
    )


def _plan_time(told: dict[str, Any]) -> str:
    lines = ["| | |", "| --- | ---: |"]
    lines += [f"| {name} | {text} |" for name, text in told["told"].items()]
    return "\n".join(lines)
