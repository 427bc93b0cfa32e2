"""The code location: the exports of this deployment, and how their runs execute."""

import os
import sys
import warnings
from pathlib import Path
from types import ModuleType

import dagster as dg

_USER_MODULE = "batch_exports_user_defs"


def load_definitions() -> dg.Definitions:
    """The exports in the folder that BATCH_EXPORTS_DEFS names, else those of the demo.

    A run is one step after another in one process: what is read is written by the same step, and
    exports scale by runs.
    """
    folder = os.environ.get("BATCH_EXPORTS_DEFS")
    root = Path(folder).expanduser().absolute() if folder else Path(__file__).parent / "defs"
    if not root.is_dir():
        raise NotADirectoryError(
            f"BATCH_EXPORTS_DEFS: {folder!r} is not a folder. Set it to the folder of your "
            "defs.yaml files."
        )
    tree = dg.ComponentTree.from_module(_module_of(root, _USER_MODULE), project_root=root.parent)
    return dg.Definitions.merge(tree.build_defs(), dg.Definitions(executor=dg.in_process_executor))


def _module_of(folder: Path, name: str) -> ModuleType:
    """Dagster loads folders that are modules; this makes one of any folder."""
    module = ModuleType(name)
    module.__path__ = [str(folder)]
    module.__file__ = str(folder / "__init__.py")
    sys.modules[name] = module
    return module


# Partitioned checks are a preview in Dagster 1.13, and code references a beta.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
warnings.filterwarnings("ignore", category=dg.BetaWarning)

defs = load_definitions()
