"""Files and folders that hold credentials: for this user's eyes only, and never half-written."""

import os
from pathlib import Path


def make_private_folder(folder: Path) -> None:
    """Make `folder` and its parents; `folder` itself may be entered by this user alone."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def write_private(path: Path, text: str) -> None:
    """Replace the file at `path` by `text`, atomically, with mode 0600 from its first byte on."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
