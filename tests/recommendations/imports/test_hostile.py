"""300 hostile files over HTTP and from the command line: no valid row is lost, every import ends, nothing breaks."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.tenancy import scope
from core import clock
from recommendations.imports import worker
from recommendations.imports.models import Import
from recommendations.models import Item
from tests.recommendations.imports import hostile
from tests.size import sized

FILES = sized(short=100, long=300)


def kept(tenant_id, prefix):
    with scope.tenant(tenant_id):
        return set(Item.objects.filter(item_id__startswith=f"{prefix}-").values_list("item_id", flat=True))


def by_http(cast, file):
    """The status of the import of the file; a file that is none is refused at once."""
    answer = cast.acme.http.post("/api/v1/imports?kind=items", file.content, content_type=file.media_type)
    assert answer.status_code == 202, (file, answer.json())
    worker.run_import(tenant_id=cast.acme.tenant.pk, import_id=int(answer.json()["import_id"]), clock=clock.now)
    shown = cast.acme.http.get(answer["Location"]).json()
    assert cast.acme.http.get(answer["Location"] + "/errors").status_code == 200
    return shown["status"]


def by_command(cast, file, folder):
    path = folder / file.name
    path.write_bytes(file.content)
    try:
        call_command("import_data", tenant="acme", items=path, no_build=True, stdout=StringIO(), stderr=StringIO())
    except CommandError as error:
        str(error).encode()
        return "failed"
    return "done"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, FILES, 50))
def test_no_valid_row_is_lost_and_every_import_ends(cast, tmp_path, first):
    tenant_id, faults = cast.acme.tenant.pk, []
    for number in range(first, first + 50):
        sent = hostile.make(number, f"h{number}")
        named = hostile.make(number, f"c{number}")
        for file, prefix, status in (
            (sent, f"h{number}", by_http(cast, sent)),
            (named, f"c{number}", by_command(cast, named, tmp_path) if "charset" not in named.media_type else None),
        ):
            if status is None:
                continue
            expected = set(file.survivors or ())
            missing = expected - kept(tenant_id, prefix)
            if missing or (status == "failed") != (file.survivors is None):
                faults.append((number, prefix, file.name, status, missing, file.content[:200]))

    assert faults == []
    with scope.tenant(tenant_id):
        assert not Import.objects.filter(status__in=Import.OPEN).exists()
