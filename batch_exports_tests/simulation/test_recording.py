"""What a run told, told again of another."""

from dagster import EventLogEntry
from dagster._serdes import serialize_value

from simulation.recording import Recording


def test_told_again_under_other_names_and_at_other_times() -> None:
    entries = [
        EventLogEntry(None, 20, f"delivers day-1 of one, {text}", "run-1", moment, None, "one_job")
        for text, moment in (("begins", 100.0), ("ends", 104.0))
    ]
    names = {"run": "run-1", "job": "one_job", "export": "one", "key": "day-1"}
    recording = Recording([serialize_value(each) for each in entries], names, 100.0, 4.0)
    others = {"run": "run-2", "job": "two_job", "export": "two", "key": "day-2"}
    first, last = recording.told(slice(None), others, begin=1000.0, seconds=40.0)
    assert (first.run_id, first.job_name, first.timestamp) == ("run-2", "two_job", 1000.0)
    assert (last.user_message, last.timestamp) == ("delivers day-2 of two, ends", 1040.0)
