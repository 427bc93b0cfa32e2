"""The steps by which a Redshift destination is tried, from the cluster's name to a delivery."""

from collections.abc import Sequence

from batch_exports.destinations.postgres import permission
from batch_exports.destinations.postgres.reachability import resolve
from batch_exports.destinations.redshift import reachability, readiness, stage_trial
from batch_exports.destinations.redshift.attempt import Attempt
from batch_exports.probe import Step

_DATABASE: Sequence[Step[Attempt]] = (
    Step("host name", resolve),
    Step("network", reachability.reach),
    Step("TLS", reachability.encrypt),
    Step("log in", reachability.log_in),
    Step("schema", permission.use_schema),
    Step("make tables", readiness.make_tables),
    Step("use tables", readiness.use_tables),
    Step("columns", readiness.fit_table),
    Step("temporary tables", readiness.make_temporary_tables),
    Step("isolation", readiness.tell_isolation),
)
_DELIVERY: Step[Attempt] = Step("delivery", readiness.deliver)

BY_INSERT: Sequence[Step[Attempt]] = (*_DATABASE, _DELIVERY)
BY_COPY: Sequence[Step[Attempt]] = (
    *_DATABASE,
    Step("slices", readiness.tell_slices),
    *stage_trial.STEPS,
    _DELIVERY,
)
