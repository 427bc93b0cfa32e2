"""Sees to it that the browser tests have a Chromium.

    python -m batch_exports_tests.browser.install

Playwright's own browsers come from a host of their own, so we use Debian's package, or any Chromium
that is already installed. Where there is none and we may not install one, the browser tests are
skipped and this says why; a continuous integration run (CI=true) is never let off that easily.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OVERRIDE = "BATCH_EXPORTS_CHROMIUM"
# Without a font every text is laid out as empty boxes, and screenshots show nothing.
PACKAGES = ("chromium", "fonts-dejavu-core")


class CannotInstallError(Exception):
    """Why no browser can be installed here, in words for whoever ran the tests."""


def find_chromium() -> str | None:
    """The path of the browser to drive: the one the environment names, else one on the PATH."""
    named = os.environ.get(OVERRIDE)
    programs = (named,) if named else PROGRAMS
    return next((path for program in programs if (path := shutil.which(program))), None)


def browser_required() -> bool:
    """In continuous integration a skipped browser test would be a hole that nobody sees."""
    return os.environ.get("CI") == "true"


def install_chromium() -> None:
    """Install Debian's package, asking nobody anything."""
    if named := os.environ.get(OVERRIDE):
        raise CannotInstallError(f"{OVERRIDE}={named} is not a program")
    if not Path("/etc/debian_version").exists() or not shutil.which("apt-get"):
        raise CannotInstallError("no Chromium was found, and this is no Debian to install one on")
    apt_get = [*_become_root(), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    print(f"Setting up: installing {PACKAGES[0]} for the browser test ...", flush=True)
    _run([*apt_get, "update"])
    _run([*apt_get, "install", "-y", "--no-install-recommends", *PACKAGES])
    if not find_chromium():
        raise CannotInstallError(f"apt-get installed {PACKAGES[0]}, yet none is on the PATH")


def _become_root() -> list[str]:
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "--non-interactive"]
    if shutil.which("sudo"):
        asked = subprocess.run([*sudo, "true"], capture_output=True, check=False)
        if asked.returncode == 0:
            return sudo
    raise CannotInstallError(
        f"no Chromium was found, and installing one takes root: apt-get install {PACKAGES[0]}"
    )


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last_line = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CannotInstallError(f"`{' '.join(command)}` failed: {last_line}")


def main() -> int:
    if find_chromium():
        return 0
    try:
        install_chromium()
    except CannotInstallError as reason:
        verdict = "is required" if browser_required() else "will be skipped"
        print(f"The browser test {verdict}: {reason}", file=sys.stderr)
        return 1 if browser_required() else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
