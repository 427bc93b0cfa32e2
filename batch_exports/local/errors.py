"""The one error of the embedded parts."""


class LocalError(Exception):
    """An embedded part cannot do what was asked; the text says which, why, and the remedy."""
