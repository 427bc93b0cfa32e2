"""The SQL by which an administrator prepares a warehouse for a source, in RudderStack's own order.

https://www.rudderstack.com/docs/sources/reverse-etl/amazon-redshift/
"""

import json
from typing import Literal

from psycopg import sql

from batch_exports.destinations.redshift.bucket_rights import trust_policy
from batch_exports.destinations.redshift.policies import stage_policy
from batch_exports.destinations.redshift.stage_area import StageArea
from batch_exports.sources.warehouse.grants import Grants
from batch_exports.sources.warehouse.synced_table import SyncedTable
from batch_exports.sources.warehouse.unloading import unload_policy

Login = Literal["password", "temporary"]

PASSWORD = "<strong_unique_password>"
"""What stands for the password, and breaks Redshift's rules, so that no user has it by mistake."""


def setup_sql(
    synced: SyncedTable, user: str, login: Login = "password", stage: StageArea | None = None
) -> str:
    """User, schema of the state, and rights, for psql or the query editor; the policies of a stage
    in comments. `login` is by a password, which is put in before, or by temporary ones of AWS."""
    grants = Grants(user, synced.table, synced.state_schema)
    parts = [
        f"-- The source {synced.source}, for {synced.table}. Run it in this order, as an "
        "administrator.\n"
        "-- Of a user or a schema that is there already the server says so: leave its CREATE out.",
        _user(user, login),
        "-- The schema in which the state of each sync is kept.\n"
        f"{grants.create_state_schema};\n"
        f"{grants.use_state_schema};\n"
        f"{grants.use_state};",
        f"-- The table.\n{grants.use_schema};\n{grants.read_table};",
        "-- Optional: the user may view and read all tables of the schema. Run it only if you are\n"
        f"-- okay with that.\n-- {grants.read_all_tables};",
        "-- Optional: the user may read all future tables of the schema, as far as whoever runs\n"
        "-- this makes them. Run it only if you are okay with that.\n"
        f"-- {grants.read_future_tables};",
    ]
    if stage is not None:
        parts += _policies(stage)
    return "\n\n".join(parts)


def _user(user: str, login: Login) -> str:
    create = f"CREATE USER {sql.Identifier(user).as_string()}"
    if login == "temporary":
        return (
            f"-- The user, who logs in with temporary passwords alone.\n{create} PASSWORD DISABLE;"
        )
    return (
        f"-- The user. Put a password in the place of {PASSWORD}: 8 to 64 characters,\n"
        "-- with a capital and a small letter and a digit; of ASCII's characters 33 to 126, but\n"
        f"-- ' \" \\ / and @.\n{create} WITH PASSWORD '{PASSWORD}';"
    )


def _policies(stage: StageArea) -> list[str]:
    found = {
        f"for {stage.authorization}, by which the cluster writes files": unload_policy(stage),
        "for the identity that reads and deletes them": stage_policy(stage),
        "of trust for a role of the cluster: who may assume it": trust_policy(),
    }
    return [
        "\n".join(
            f"-- {line}"
            for line in [f"IAM policy {whose}.", *json.dumps(policy, indent=2).splitlines()]
        )
        for whose, policy in found.items()
    ]
