"""Runs one contender in this process, and prints its lap as JSON."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.contenders import HOPS

hop, name, lake, target = sys.argv[1:]
print(json.dumps(asdict(HOPS[hop][name](Path(lake), Path(target)))))
