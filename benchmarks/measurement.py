"""One run of one contender, in a process of its own, watched from outside."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import processes
from benchmarks.stopwatch import Lap
from benchmarks.task import Task

ROOT = Path(__file__).parent.parent
_EVERY = 0.025
_TOLD = 1_500


class Failed(Exception):
    """A contender's run that came to no end, with the reason in a line or more."""


@dataclass(frozen=True)
class Measured:
    """A run in seconds and MiB.

    `whole` is from the start of its process to the end, imports included. `memory` is the most that
    its processes held at once while the lap went on, `server_cpu` and `server_memory` those of the
    servers.
    """

    seconds: float
    whole: float
    cpu: float
    server_cpu: float
    memory: float
    server_memory: float
    stages: dict[str, float]


@dataclass(frozen=True)
class _Sample:
    moment: float
    memory: int
    server_memory: int
    server_cpu: float


def measure(
    command: Sequence[str], task: Task, servers: Iterable[int], patience: float
) -> tuple[Measured, Lap]:
    """Run a contender's command, with the task on its standard input.

    `servers` are processes whose use of the machine is told apart. Raises Failed, also when
    `patience` seconds have passed, with all processes of the run ended.
    """
    began = time.monotonic()
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=_environment(task.folder),
        start_new_session=True,
    )
    watch = _Watch(child.pid, list(servers))
    try:
        out, err = child.communicate(task.dump(), timeout=patience)
    except subprocess.TimeoutExpired:
        _end(child)
        raise Failed(f"gave up after {patience:.0f} s") from None
    finally:
        _end(child)
        samples = watch.stop()
    whole = time.monotonic() - began
    if child.returncode:
        raise Failed(f"{_ending(err or out, task)}\nended with {child.returncode}")
    lap = Lap(**json.loads(out.splitlines()[-1]))
    return _measured(lap, whole, samples), lap


def _measured(lap: Lap, whole: float, samples: Sequence[_Sample]) -> Measured:
    before = [sample for sample in samples if sample.moment <= lap.began] or samples[:1]
    after = [sample for sample in samples if sample.moment >= lap.ended] or samples[-1:]
    during = [one for one in samples if lap.began <= one.moment <= lap.ended] or after[:1]
    return Measured(
        seconds=round(lap.seconds, 3),
        whole=round(whole, 3),
        cpu=round(lap.cpu, 2),
        server_cpu=round(after[0].server_cpu - before[-1].server_cpu, 2),
        memory=round(max(sample.memory for sample in during) / 2**20),
        server_memory=round(max(sample.server_memory for sample in during) / 2**20),
        stages={name: round(seconds, 3) for name, seconds in lap.stages.items()},
    )


class _Watch:
    """Samples in a thread, until it is stopped."""

    def __init__(self, pid: int, servers: Sequence[int]) -> None:
        self._pid, self._servers = pid, servers
        self._samples = [self._sample()]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> Sequence[_Sample]:
        self._stopped.set()
        self._thread.join()
        return [*self._samples, self._sample()]

    def _run(self) -> None:
        while not self._stopped.wait(_EVERY):
            self._samples.append(self._sample())

    def _sample(self) -> _Sample:
        own, servers = processes.tree([self._pid]), processes.tree(self._servers)
        return _Sample(
            time.monotonic(),
            processes.memory(own),
            processes.memory(servers),
            processes.cpu(servers),
        )


def _end(child: "subprocess.Popen[str]") -> None:
    """End all that is left of a run."""
    processes.end(processes.tree([child.pid]) - {child.pid})
    if child.poll() is None:
        child.kill()
        child.wait()


def _environment(folder: Path) -> dict[str, str]:
    """What programs write to a home goes with the run's folder; nothing is told to anybody."""
    return os.environ | {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "SLING_HOME_DIR": str(folder),
        "SLING_DISABLE_TELEMETRY": "TRUE",
        "INGESTR_DISABLE_TELEMETRY": "true",
        "DISABLE_TELEMETRY": "true",
        "DLT_DATA_DIR": str(folder / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONWARNINGS": "ignore",
    }


def _ending(text: str, task: Task) -> str:
    for place in (task.s3, task.postgres, task.redshift, task.clickhouse):
        secret = getattr(place, "secret", None) or getattr(place, "password", None)
        if secret:
            text = text.replace(secret, "***")
    text = text.strip()
    # Of errors that others caused the first tells most, else the last.
    return text if len(text) < 2 * _TOLD else f"{text[:_TOLD]}\n...\n{text[-_TOLD:]}"
