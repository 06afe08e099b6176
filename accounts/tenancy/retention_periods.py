"""Retention periods of a tenant: its own, else the deployment's."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from accounts.models import Retention
from accounts.tenancy import scope


@dataclass(frozen=True, slots=True)
class RetentionPeriods:
    """None is for ever, of AI's records as long as the deployment keeps them; of files zero is not at all."""

    events: timedelta | None
    ai_records: timedelta | None
    imports: timedelta | None
    import_files: timedelta
    answers: timedelta


def retention_periods(tenant_id: int) -> RetentionPeriods:
    """Returns the periods of the tenant."""
    with scope.tenant(tenant_id):
        own = Retention.objects.filter(tenant_id=tenant_id).first() or Retention()
    return RetentionPeriods(
        events=_days(_first(own.event_days, settings.EVENT_DAYS)),
        ai_records=_days(own.ai_days) if own.ai_days is not None else None,
        imports=_days(_first(own.import_days, settings.IMPORT_DAYS)),
        import_files=timedelta(days=_first(own.import_file_days, settings.IMPORT_FILE_DAYS)),
        answers=timedelta(hours=_first(own.answer_hours, settings.STORED_ANSWER_HOURS)),
    )


def _first(own: int | None, setting: int) -> int:
    return setting if own is None else own


def _days(count: int) -> timedelta | None:
    return timedelta(days=count) if count else None
