"""Imports over HTTP as a test sends them and has them taken in."""

from django.core.files.storage import default_storage

from core import clock
from recommendations.imports import worker
from recommendations.imports.uploads import folder

URL = "/api/v1/imports"
ITEMS = "item_id,title\na,A\nb\x7fc,B\nd,D\n"


def send(http, body=ITEMS, query="kind=items", content_type="text/csv", **headers):
    return http.post(f"{URL}?{query}", body, content_type=content_type, headers=headers)


def run(member, answer):
    worker.run_import(tenant_id=member.tenant.pk, import_id=int(answer.json()["import_id"]), clock=clock.now)
    return member.http.get(f"{URL}/{answer.json()['import_id']}")


def stored(member):
    try:
        return default_storage.listdir(folder(member.tenant.pk))[1]
    except FileNotFoundError:
        return []
