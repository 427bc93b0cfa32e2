"""An attempt to use Redshift, and the bucket from which it loads."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.destinations.redshift.errors import redshift_errors
from batch_exports.destinations.redshift.stage_area import StageArea
from batch_exports.destinations.s3.attempt import Attempt as S3Attempt
from batch_exports.destinations.s3.attempt import Place
from batch_exports.destinations.server_attempt import ServerAttempt


@dataclass
class Attempt(ServerAttempt[RedshiftDestination]):
    """`region` is the cluster's; None where nothing tells it."""

    region: str | None = None
    stage: S3Attempt = field(init=False)

    def __post_init__(self) -> None:
        self.stage = S3Attempt(lambda: _place(self.area, self.destination.export))

    @property
    def area(self) -> StageArea:
        area = self.destination.copy_from
        assert area, "INSERT has no stage to try"
        return area

    def close(self) -> None:
        self.stage.close()
        super().close()

    def errors(self, where: str, user: str) -> AbstractContextManager[None]:
        area = self.destination.copy_from
        return redshift_errors(
            where,
            user=user,
            schema=self.destination.name.schema,
            authorization=area.authorization if area else None,
            stage=area.uri if area else "",
        )


def _place(area: StageArea, export: str) -> Place:
    return Place(area.client, area.bucket, f"{area.key_prefix}{export}/", {})
