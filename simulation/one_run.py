"""`python -m simulation.one_run <run>`: a run in a process of its own, under the clock as it is."""

import os
import sys
from datetime import datetime

import dagster as dg
from dagster._core.execution.api import execute_run
from dagster._utils.hosted_user_process import recon_job_from_origin

from simulation.clock import simulated

NOW = "SIMULATION_NOW"


def main() -> None:
    with (
        simulated(datetime.fromisoformat(os.environ[NOW])),
        dg.DagsterInstance.get() as instance,
    ):
        run = instance.get_run_by_id(sys.argv[1])
        assert run and run.job_code_origin
        execute_run(recon_job_from_origin(run.job_code_origin), run, instance)


if __name__ == "__main__":
    main()
