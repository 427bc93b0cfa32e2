"""The emulator as a process: `python -m batch_exports.local.redshift.process <state> <port>`.

Credentials are read from the files of the other parts, never from arguments.
"""

import asyncio
import sys
from pathlib import Path

from batch_exports.local import postgres_server, seaweedfs
from batch_exports.local.errors import LocalError
from batch_exports.local.redshift.objects import Storage
from batch_exports.local.redshift.roles import ROLE_ARN
from batch_exports.local.redshift.server import REGION, listen, prepare
from batch_exports.local.redshift.settings import Settings


async def serve(state: Path, port: int) -> None:
    """Serve until the process is ended. Raises LocalError, OSError, psycopg.Error."""
    database, store = postgres_server.find(state / "postgres"), seaweedfs.find(state / "s3")
    if database is None or store is None:
        raise LocalError(f"the S3 part and the Postgres part were never started in {state}")
    keys = (store.admin.access_key_id, store.admin.secret_access_key)
    storage = Storage(store.endpoint, REGION, {ROLE_ARN: keys}, ROLE_ARN)
    listener = await listen(prepare(database, Settings(storage)), port)
    async with listener:
        await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
