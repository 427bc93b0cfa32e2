"""Runs one contender in this process: `python -m benchmarks.contender <module> <name>`.

The task comes by standard input; the lap goes to standard output, its last line, as JSON.
"""

import json
import sys
from dataclasses import asdict
from importlib import import_module

from benchmarks.task import Task

module, name = sys.argv[1:]
task = Task.load(sys.stdin.read())
lap = import_module(module).CAN[task.hop][name](task)
print()
print(json.dumps(asdict(lap)))
