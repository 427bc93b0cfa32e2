"""The two kinds of failure: one that the user must act on, one that a retry may cure."""

REMEDY_NOTE = "Remedy: "
"""Begins the note by which an error's remedy can be told apart in a traceback."""


class BatchExportError(Exception):
    """A failure with its remedy: `message` says what is wrong, `remedy` what to do about it."""

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.message = message
        self.remedy = remedy
        self.add_note(f"{REMEDY_NOTE}{remedy}")


class Terminal(BatchExportError):
    """Trying again gives the same failure: fail at once and show the remedy."""


class ConfigurationError(Terminal):
    """A setting that cannot work; raised when it is loaded, before anything is read or written."""

    def __init__(self, field: str, problem: str, *, remedy: str) -> None:
        super().__init__(f"{field}: {problem}", remedy=remedy)
        self.field = field
        self.problem = problem


class Transient(BatchExportError):
    """Trying again later may succeed: time-outs, dropped connections, overloaded services."""
