"""The front as a process: `python -m batch_exports.local.clickhouse.process <folder>`.

Port and credentials are read from the folder, never from arguments.
"""

import sys
from pathlib import Path

from batch_exports.local.clickhouse.front import Front
from batch_exports.local.clickhouse.server import DATA, find
from batch_exports.local.errors import LocalError


def serve(folder: Path) -> None:
    """Serve until the process is ended. Raises LocalError, OSError."""
    server = find(folder)
    if server is None:
        raise LocalError(f"no server was ever started in {folder}")
    Front(folder / DATA, server.port, server.user, server.password).serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
