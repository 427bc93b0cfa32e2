"""One client of the emulator, from its first message to its last."""

import asyncio
import struct
from collections.abc import Awaitable

from batch_exports.local.postgres_cluster import EMULATED_DATABASE
from batch_exports.local.redshift import wire
from batch_exports.local.redshift.alter_table import Append
from batch_exports.local.redshift.backend import FAILED, IN_TRANSACTION, Backend, cancel
from batch_exports.local.redshift.cluster import Cluster
from batch_exports.local.redshift.copy_statement import Copy
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.statements import (
    FailedCommit,
    Passed,
    Plan,
    Truncate,
    is_commit,
    plan,
    refusing,
)
from batch_exports.local.redshift.transfer import run_append, run_copy, run_unload
from batch_exports.local.redshift.translations import translated
from batch_exports.local.redshift.unload_statement import Unload
from batch_exports.local.redshift.wire import Message

# What Redshift reports of itself. It never reports standard_conforming_strings.
_REPORTED = {
    "server_version": "8.0.2",
    "server_encoding": "UNICODE",
    "client_encoding": "UNICODE",
    "padb_version": "1.0.0",
    "server_protocol_version": "0",
    "max_varchar_size": "65535",
}
_UNREPORTED = {"standard_conforming_strings", "default_transaction_read_only", "in_hot_standby"}
_PASSED_ON = ("user", "database", "application_name", "options")
_SASL = 10

# Types of parameters that programs for PostgreSQL send.
# https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-datatypes.html
_NO_TYPES = {114: "json", 3802: "jsonb", 2950: "uuid"}


class Session:
    """A client and the PostgreSQL session behind it."""

    def __init__(
        self, cluster: Cluster, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._cluster = cluster
        self._reader, self._writer = reader, writer
        self._backend = Backend(self._relay)
        self._number = 0
        self._reported = False
        self._skipping = False  # all that follows a failure, up to Sync
        self._prepared: dict[bytes, Plan] = {}  # what the emulator does itself, by statement
        self._portals: dict[bytes, Plan] = {}

    async def run(self) -> None:
        """Serve the client until it or the server ends the session."""
        parameters = await self._greet()
        if parameters is None:
            return
        parameters = {name: parameters[name] for name in _PASSED_ON if name in parameters}
        await self._backend.connect(
            self._cluster.place, parameters | self._cluster.settings.session()
        )
        client = asyncio.create_task(self._serve())
        server = asyncio.create_task(self._backend.ended())
        try:
            await asyncio.wait({client, server}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._backend.close()
            client.cancel()
            server.cancel()
        if client.done() and not client.cancelled():
            client.result()

    async def _greet(self) -> dict[str, str] | None:
        """The parameters with which the client begins; None when it begins no session."""
        encrypted = False
        while True:
            first = await wire.read_startup(self._reader)
            if first.code == wire.SSL_REQUEST and not encrypted:
                self._writer.write(b"S")
                await self._writer.drain()
                await self._writer.start_tls(self._cluster.tls)
                encrypted = True
            elif first.code == wire.GSS_REQUEST:
                self._writer.write(b"N")
            elif first.code == wire.CANCEL_REQUEST:
                await cancel(self._cluster.place, first.body)
                return None
            else:
                break
        parameters = wire.startup_parameters(first.body)
        user, database = parameters.get("user", ""), parameters.get("database", "")
        if not encrypted:
            refused = f'no encryption for user "{user}", database "{database}": SSL is required'
            await self._write(wire.fatal("28000", refused))
        elif database != EMULATED_DATABASE:
            await self._write(wire.fatal("3D000", f'database "{database}" does not exist'))
        else:
            return parameters
        return None

    async def _write(self, *messages: Message) -> None:
        self._writer.write(b"".join(bytes(message) for message in messages))
        await self._writer.drain()

    async def _relay(self, message: Message) -> None:
        """Tell the client what PostgreSQL says, in Redshift's words."""
        kind, body = message
        if kind == b"S":
            name, value = body.decode().split("\0")[:2]
            if name not in _UNREPORTED:
                await self._write(wire.status(name, _REPORTED.get(name, value)))
        elif kind == b"R" and struct.unpack_from("!i", body)[0] == _SASL:
            await self._write(wire.fatal("28P01", "password authentication failed"))
            raise ConnectionAbortedError
        elif kind == b"E" and self._reported:
            await self._write(wire.error(translated(wire.refusal(body))))
        elif kind == b"K":
            self._number = struct.unpack_from("!i", body)[0]
            await self._write(message)
        elif kind == b"T":
            await self._write(Message(b"T", wire.with_types(body, self._cluster.types)))
        else:
            if kind == b"Z" and not self._reported:
                self._reported = True
                await self._write(*(wire.status(*pair) for pair in _REPORTED.items()))
            await self._write(message)

    async def _serve(self) -> None:
        handlers = {b"Q": self._query, b"P": self._parse, b"B": self._bind, b"E": self._execute}
        while (message := await wire.read(self._reader)).kind != b"X":
            if message.kind == b"S":
                self._skipping = False
            if self._skipping:
                continue
            handler = handlers.get(message.kind, self._backend.send)
            await handler(message)

    async def _query(self, message: Message) -> None:
        done = self._plan(message.body[:-1].decode())
        if isinstance(done, Passed):
            await self._backend.send(wire.query(done.text))
            return
        await self._backend.settle()
        await self._run(done)
        await self._write(Message(b"Z", self._backend.standing))

    async def _parse(self, message: Message) -> None:
        name, text, types = message.body.split(b"\0", 2)
        done = self._plan(text.decode(), types)
        self._prepared.pop(name, None)
        if isinstance(done, Passed):
            parsed = name + b"\0" + wire.texts(done.text) + types
        else:
            # PostgreSQL holds an empty statement in its place, and keeps the book of it.
            self._prepared[name] = done
            parsed = name + b"\0\0\0\0"
        await self._backend.send(Message(b"P", parsed))

    async def _bind(self, message: Message) -> None:
        portal, statement, _ = message.body.split(b"\0", 2)
        self._portals.pop(portal, None)
        if statement in self._prepared:
            self._portals[portal] = self._prepared[statement]
        await self._backend.send(message)

    async def _execute(self, message: Message) -> None:
        done = self._portals.pop(message.body.split(b"\0", 1)[0], None)
        if done is None:
            await self._backend.send(message)
            return
        await self._backend.settle()
        self._skipping = self._backend.failed or not await self._run(done)

    def _plan(self, statement: str, types: bytes = b"\0\0") -> Plan:
        """What to do with a statement; `types` are those of its parameters, as Parse has them."""
        self._cluster.statements.append(statement)
        try:
            self._cluster.faults.strike(statement)
            _check_types(types)
            return plan(statement, self._backend.standing == IN_TRANSACTION)
        except Refusal as refusal:
            if is_commit(statement):
                return FailedCommit(refusal)
            return Passed(refusing(refusal, statement))

    async def _run(self, done: Plan) -> bool:
        """Do what the emulator does itself, and tell the client; whether it succeeded."""
        try:
            if self._backend.standing == FAILED:
                raise Refusal(
                    "25P02",
                    "current transaction is aborted, commands ignored until end of transaction "
                    "block",
                )
            tag = await self._action(done)
        except Refusal as refusal:
            if self._backend.standing == IN_TRANSACTION:
                await self._abort(refusal)
            await self._write(wire.error(translated(refusal)))
            return False
        await self._write(wire.complete(tag))
        return True

    def _action(self, done: Plan) -> Awaitable[str]:
        if isinstance(done, Truncate):
            return self._truncate(done)
        if isinstance(done, Copy):
            return self._copy(done)
        if isinstance(done, Unload):
            return self._unload(done)
        if isinstance(done, Append):
            return self._append(done)
        assert isinstance(done, FailedCommit)
        return self._fail_commit(done)

    async def _abort(self, refusal: Refusal) -> None:
        """A failed statement fails its transaction."""
        try:
            await self._backend.execute(refusing(refusal, ""))
        except Refusal:
            return

    async def _truncate(self, truncate: Truncate) -> str:
        """https://docs.aws.amazon.com/redshift/latest/dg/r_TRUNCATE.html"""
        await self._backend.execute(truncate.text)
        if self._backend.standing == IN_TRANSACTION:
            await self._backend.execute("COMMIT")
        return "TRUNCATE TABLE"

    async def _copy(self, copy: Copy) -> str:
        rows = await run_copy(copy, self._backend, self._cluster, self._number)
        told = (
            f"Load into table '{copy.table_name}' completed, {rows} record(s) loaded successfully."
        )
        await self._write(wire.information(told))
        return "COPY"

    async def _unload(self, statement: Unload) -> str:
        files = await run_unload(statement, self._backend, self._cluster)
        told = f"UNLOAD completed, {files.rows} record(s) unloaded successfully."
        await self._write(wire.information(told))
        return "UNLOAD"

    async def _append(self, append: Append) -> str:
        await run_append(append, self._backend)
        return "ALTER TABLE"

    async def _fail_commit(self, commit: FailedCommit) -> str:
        """A transaction whose COMMIT fails is over."""
        await self._backend.execute("ROLLBACK")
        raise commit.refusal


def _check_types(types: bytes) -> None:
    (count,) = struct.unpack_from("!h", types)
    for number in struct.unpack_from(f"!{count}I", types, 2):
        if number in _NO_TYPES:
            raise Refusal("42704", f'type "{_NO_TYPES[number]}" does not exist')
