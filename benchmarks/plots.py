"""Pictures of what was measured: `python -m benchmarks.plots <results> <folder>`, in `.venv-bench`.

One a hop: rows a second, memory against rows, and where time goes where that is known.
"""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

COLOURS = {"limit": "#9aa0a6", "ours": "#d9480f", "peer": "#4a7ebb"}
_STAGES = {
    "other": "#dadce0",
    "deliver": "#d9480f",
    "check": "#f4a261",
    "read, encode, stage": "#e8883a",
    "COPY": "#9aa0a6",
    "write CSV": "#b8c9a9",
    "extract": "#a5c3e6",
    "normalize": "#4a7ebb",
    "load": "#274c77",
}


def draw(told: dict[str, Any], folder: Path) -> list[Path]:
    """Write `bench-<hop>.svg` for each hop; the same numbers give the same files."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {
        "svg.hashsalt": "bench",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 8,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    return [_draw_hop(name, sizes, folder) for name, sizes in told["hops"].items()]


def _draw_hop(name: str, sizes: dict[str, Any], folder: Path) -> Path:
    from matplotlib import pyplot

    most = max(sizes, key=lambda rows: (_repeats(sizes[rows]), int(rows)))
    entries = {key: one for key, one in _ordered(sizes[most]) if one["runs"]}
    staged = {key: one for key, one in entries.items() if _stages(one)}
    panels = 1 + (len(sizes) > 1) + bool(staged)
    figure, axes = pyplot.subplots(
        1,
        panels,
        figsize=(4.6 * panels, 0.9 + 0.24 * max(len(entries), 6)),
        squeeze=False,
        layout="constrained",
    )
    rest = iter(axes[0])
    _bars(next(rest), int(most), entries)
    if len(sizes) > 1:
        _lines(next(rest), sizes)
    if staged:
        _split(next(rest), staged)
    path = folder / f"bench-{name}.svg"
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path


def _bars(axis: Any, rows: int, entries: dict[str, Any]) -> None:
    names = list(entries)[::-1]
    rates = [rows / median(run["seconds"] for run in entries[name]["runs"]) for name in names]
    axis.barh(names, rates, color=[COLOURS[entries[name]["kind"]] for name in names])
    for place, rate in enumerate(rates):
        axis.text(rate, place, f" {rate / 1000:,.0f} k", va="center")
    axis.set_title(f"rows a second, {rows:,} rows", loc="left")
    axis.xaxis.set_visible(False)
    axis.spines["bottom"].set_visible(False)


def _lines(axis: Any, sizes: dict[str, Any]) -> None:
    """Peak memory of each contender; ours have names, and those with the most and the least."""
    found: dict[str, list[tuple[float, float]]] = {}
    kinds = {}
    for rows in sorted(sizes, key=int):
        for name, one in sizes[rows].items():
            if one["runs"]:
                kinds[name] = one["kind"]
                peak = max(run["memory"] for run in one["runs"])
                found.setdefault(name, []).append((int(rows) / 1e6, peak))
    last = {name: points[-1][1] for name, points in found.items()}
    named = {name for name in found if kinds[name] == "ours"}
    named |= {max(last, key=lambda name: last[name]), min(last, key=lambda name: last[name])}
    for name, points in found.items():
        axis.plot(*zip(*points, strict=True), marker="o", markersize=3, color=COLOURS[kinds[name]])
        if name in named:
            short = name.removeprefix("batch_exports, ").removesuffix(" with all checks")
            axis.annotate(f" {short}", points[-1], fontsize=6, va="center")
    axis.set_title("MiB at the most, by million rows", loc="left")
    axis.set_ylim(bottom=0)
    axis.margins(x=0.1)


def _split(axis: Any, entries: dict[str, Any]) -> None:
    names = list(entries)[::-1]
    told = {stage for name in names for stage in _stages(entries[name])}
    kinds = [*(kind for kind in _STAGES if kind in told and kind != "other"), "other"]
    left = [0.0] * len(names)
    for kind in kinds:
        widths = [_stages(entries[name]).get(kind, 0.0) for name in names]
        axis.barh(names, widths, left=left, label=kind, color=_STAGES[kind])
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axis.set_title("seconds by what is done", loc="left")
    axis.legend(fontsize=6, frameon=False, ncol=3, loc="upper left", bbox_to_anchor=(0, -0.12))


def _stages(entry: dict[str, Any]) -> dict[str, float]:
    """Medians; what no stage tells is the rest of the run."""
    runs = entry["runs"]
    names = list(runs[0]["stages"])
    told = {name: median(run["stages"].get(name, 0.0) for run in runs) for name in names}
    rest = median(run["seconds"] for run in runs) - sum(told.values())
    return told | {"other": max(rest, 0.0)} if told else {}


def _ordered(entries: dict[str, Any]) -> list[tuple[str, Any]]:
    """As in the tables: the limit, ours, the peers by speed."""

    def rank(pair: tuple[str, Any]) -> tuple[int, float]:
        one = pair[1]
        kind = list(COLOURS).index(one["kind"])
        runs = one["runs"] if one["kind"] == "peer" else ()
        return kind, median(run["seconds"] for run in runs) if runs else 0.0

    return sorted(entries.items(), key=rank)


def _repeats(entries: dict[str, Any]) -> int:
    return max((len(one["runs"]) for one in entries.values()), default=0)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
