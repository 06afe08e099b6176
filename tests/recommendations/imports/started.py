"""Imports as a test starts, runs and looks at them."""

from io import BytesIO

from accounts.tenancy import scope
from core import clock
from recommendations.imports import lifecycle, uploads, worker
from recommendations.imports.lifecycle import ImportOptions
from recommendations.imports.models import Import

EVENTS = "user_id,item_id,type,occurred_at\n" + "".join(f"u{n % 7},i{n},view,{964982703 + n}\n" for n in range(100))
COUNTS = ("created", "updated", "unchanged", "duplicate", "rejected")


def start(tenant_id, text, kind="events", form="csv", **wanted):
    raw = BytesIO(text if isinstance(text, bytes) else text.encode())
    upload = uploads.spool(tenant_id=tenant_id, read=raw.read, form=Import.Format(form), max_bytes=10**8)
    return lifecycle.accept_upload(
        tenant_id=tenant_id, options=ImportOptions(Import.Kind(kind), **wanted), upload=upload, now=clock.now()
    )


def run(job):
    worker.run_import(tenant_id=job.tenant_id, import_id=job.pk, clock=clock.now)
    return reread(job)


def reread(job):
    with scope.tenant(job.tenant_id):
        return Import.objects.get(pk=job.pk)


def change(job, **changed):
    with scope.tenant(job.tenant_id):
        Import.objects.filter(pk=job.pk).update(**changed)


def counts(job):
    return {name: getattr(job, name) for name in COUNTS if getattr(job, name)}
