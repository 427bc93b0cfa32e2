"""What Dagster asks of a launcher that `dagster.yaml` names and says nothing more of."""

from collections.abc import Mapping
from typing import Any, Self

from dagster._core.launcher import RunLauncher
from dagster._serdes import ConfigurableClass
from dagster._serdes.config_class import ConfigurableClassData


class UnconfiguredLauncher(RunLauncher, ConfigurableClass):
    """Its runs are ended by nobody."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        super().__init__()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> Self:
        return cls(inst_data=inst_data)

    def terminate(self, run_id: str) -> bool:
        raise NotImplementedError
