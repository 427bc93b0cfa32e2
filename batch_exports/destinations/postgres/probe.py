"""The steps by which a PostgreSQL destination is tried, from the server's name to a delivery."""

from collections.abc import Sequence

from batch_exports.destinations.postgres import permission, reachability, readiness
from batch_exports.destinations.postgres.attempt import Attempt
from batch_exports.probe import Step

STEPS: Sequence[Step[Attempt]] = (
    Step("host name", reachability.resolve),
    Step("network", reachability.reach),
    Step("TLS", reachability.encrypt),
    Step("log in", reachability.log_in),
    Step("schema", permission.use_schema),
    Step("make tables", readiness.make_tables),
    Step("use tables", readiness.use_tables),
    Step("columns", readiness.fit_table),
    Step("temporary tables", readiness.make_temporary_tables),
    Step("lock", readiness.lock),
    Step("delivery", readiness.deliver),
)
