"""The schedule of the daily digest, and the job that sends it."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from batch_exports.automation.alerts.channel import Channel, Undelivered
from batch_exports.automation.alerts.message import Message
from batch_exports.automation.digest import digest, read_day
from batch_exports.export import Export

END_TAG = "batch_exports/digest_until"

_TRIES = 3
_WAIT_SECONDS = 10.0
_UNSENT_REMEDY = (
    "Mend what the text says, then launch the job again: it tells of the day before the same time."
)


def build_digest(
    name: str,
    exports: Callable[[], Mapping[str, Export]],
    channels: Sequence[Channel],
    *,
    cron: str,
    timezone: str,
    ui_url: str | None,
    redactor: Callable[[], Callable[[str], str]],
) -> dg.Definitions:
    """A run a day, which can be launched by hand as well: it tells of the day until then."""

    @dg.op(name=f"{name}_digest_message", description="Reads the day's records, and sends them.")
    def send_digest(context: dg.OpExecutionContext) -> None:
        zone, tag = ZoneInfo(timezone), context.run.tags.get(END_TAG)
        end = datetime.fromisoformat(tag).astimezone(zone) if tag else datetime.now(zone)
        # On the clock on the wall: a day that changes it has 23 or 25 hours.
        begin = end - timedelta(days=1)
        days = [read_day(context.instance, each, begin, end) for each in exports().values()]
        message = digest(days, begin, end, ui_url)
        context.log.info(message.text)
        redact = redactor()
        troubles = [trouble for each in channels if (trouble := _send(each, message))]
        if troubles:
            told = redact(" ".join(troubles))
            raise dg.Failure(
                f"The digest was not sent. {told}",
                metadata={"remedy": dg.MetadataValue.md(_UNSENT_REMEDY)},
                allow_retries=False,
            )

    @dg.job(name=f"{name}_digest_job", description="Sends the digest of exports.")
    def digest_job() -> None:
        send_digest()

    @dg.schedule(
        name=f"{name}_digest",
        job=digest_job,
        cron_schedule=cron,
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Tells once a day what exports did.",
    )
    def digest_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        end = context.scheduled_execution_time.isoformat()
        return dg.RunRequest(run_key=end, tags={END_TAG: end})

    return dg.Definitions(jobs=[digest_job], schedules=[digest_schedule])


def _send(channel: Channel, message: Message) -> str | None:
    """What kept it from arriving, after some tries. One way that is broken stops no other."""
    trouble = None
    for number in range(_TRIES):
        if number:
            time.sleep(_WAIT_SECONDS)
        try:
            channel.send(message)
        except Undelivered as error:
            trouble = f"{channel.name}: {error}"
        except Exception as error:  # the texts of others may hold secrets
            trouble = f"{channel.name}: {type(error).__name__}."
        else:
            return None
    return trouble
