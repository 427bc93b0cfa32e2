"""The code location: the exports of this deployment, and how their runs execute."""

import os
import sys
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg

from batch_exports.automation.freshness_sensor import build_freshness_sensor
from batch_exports.automation.gap_sensor import build_gap_sensor
from batch_exports.automation.pause_sensor import build_pause_sensor
from batch_exports.components.batch_export import BatchExport
from batch_exports.components.errors import explained
from batch_exports.components.references import refuse_namesakes
from batch_exports.sharding.executor import build_executor

# Partitioned checks are a preview in Dagster 1.13, and code references a beta.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
warnings.filterwarnings("ignore", category=dg.BetaWarning)

_MODULE = "batch_exports_defs"
# Dagster finds subclasses by their base, which mypy wants to be concrete.
_ANY_EXPORT: Any = BatchExport


def component_tree() -> dg.ComponentTree:
    """What stands in the folder that BATCH_EXPORTS_DEFS names, else in that of the demo."""
    root = _folder()
    if not root.is_dir():
        raise NotADirectoryError(
            f"BATCH_EXPORTS_DEFS: {str(root)!r} is not a folder. Set it to the folder of your "
            "defs.yaml files."
        )
    return dg.ComponentTree.from_module(_module_of(root), project_root=root.parent)


def load_definitions(tree: dg.ComponentTree | None = None) -> dg.Definitions:
    """All definitions of a tree, by default those of this deployment.

    A run is one step after another in one process: what is read is written by the same step, and
    exports scale by runs. Those with shards scale by steps as well.
    """
    tree = tree or component_tree()
    try:
        refuse_namesakes(tree)
        built = tree.build_defs()
    except Exception as error:
        # Dagster's account of it is long, begins with its own frames, and may show secrets.
        if told := explained(error, tree.defs_module_path):
            raise told.with_traceback(None) from None
        raise
    whole = dg.Definitions(executor=build_executor(), sensors=_sensors(tree, built))
    return dg.Definitions.merge(built, whole)


def _sensors(tree: dg.ComponentTree, built: dg.Definitions) -> list[dg.SensorDefinition]:
    """Those that look at all exports."""
    exports = [component.export() for component in tree.get_all_components(_ANY_EXPORT)]
    jobs: list[Any] = list(built.jobs or ())
    if not exports:
        return []
    judged = any(export.fresh_within is not None for export in exports)
    return [
        build_gap_sensor(exports, jobs),
        build_pause_sensor(exports),
        *([build_freshness_sensor(exports)] if judged else []),
    ]


def _folder() -> Path:
    folder = os.environ.get("BATCH_EXPORTS_DEFS")
    return Path(folder).expanduser().absolute() if folder else Path(__file__).parent / "defs"


def _module_of(folder: Path) -> ModuleType:
    """Dagster loads folders that are modules; this makes one of any folder."""
    module = ModuleType(_MODULE)
    module.__path__ = [str(folder)]
    module.__file__ = str(folder / "__init__.py")
    sys.modules[_MODULE] = module
    return module


@dg.definitions
def defs() -> dg.Definitions:
    folder = _folder()
    texts = sorted(folder.rglob("*.y*ml"))
    return _loaded(folder, tuple((text, text.stat().st_mtime_ns) for text in texts))


@cache
def _loaded(folder: Path, texts: tuple[tuple[Path, int], ...]) -> dg.Definitions:
    """Dagster asks for the definitions several times in a run, which is a process of its own."""
    return load_definitions()
