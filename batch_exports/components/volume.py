"""What users write about usual numbers of rows."""

from pydantic import Field

from batch_exports.components.yaml_component import YamlModel
from batch_exports.errors import ConfigurationError


class VolumeModel(YamlModel):
    """When a number of rows is unusual: the check `volume` warns."""

    tolerance: float = Field(
        3.5,
        description="How many deviations a number of rows may be from the median of past weeks. "
        "Smaller warns sooner.",
    )

    def check(self) -> None:
        """Raises `ConfigurationError` for a tolerance that allows nothing, or is no number."""
        if not 0 < self.tolerance < float("inf"):
            raise ConfigurationError(
                "volume.tolerance",
                f"{self.tolerance} is no tolerance.",
                remedy="Give a number above 0, such as 3.5.",
            )
