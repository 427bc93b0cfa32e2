"""What users write about times without runs."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from batch_exports.automation.no_run_windows import NoRunWindow
from batch_exports.components.yaml_component import YamlModel
from batch_exports.interval import check_timezone
from batch_exports.time_of_day import parse_time_of_day


class NoRunWindowModel(YamlModel):
    """A time in which neither the schedule nor sensors start runs."""

    begin: str | int = Field(
        alias="from", description='Time of the day at which it begins, in quotes: "22:00".'
    )
    end: str | int = Field(
        alias="to",
        description="Time at which it ends; one that is not after its begin is that of the next "
        "day.",
    )
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        [], description="Days on which it begins; empty means every day."
    )
    timezone: str | None = Field(
        None, description="IANA time zone of both times; the export's own without it."
    )


def no_run_windows(models: Sequence[NoRunWindowModel], timezone: str) -> tuple[NoRunWindow, ...]:
    """Raises `ConfigurationError` for what is no time of the day, and an unknown time zone."""
    for number, model in enumerate(models):
        check_timezone(f"no_run_windows.{number}.timezone", model.timezone or timezone)
    return tuple(
        NoRunWindow(
            parse_time_of_day(f"no_run_windows.{number}.from", model.begin),
            parse_time_of_day(f"no_run_windows.{number}.to", model.end),
            tuple(model.days),
            model.timezone or timezone,
        )
        for number, model in enumerate(models)
    )
