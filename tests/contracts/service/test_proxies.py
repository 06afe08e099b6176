"""Conditional requests work through proxies that compress: clients send back the tags that these made of ours."""

import httpx
import pytest

from tests.contracts.service.compressing_proxy import TAGS, compressing

ITEM = "/api/v1/items/proxied"


@pytest.fixture(params=TAGS)
def client(service, request):
    with (
        compressing(service.web.port, request.param) as address,
        httpx.Client(
            base_url=address, headers={"Authorization": f"Bearer {service.cast.acme.admin.token}"}, timeout=15
        ) as client,
    ):
        client.put(ITEM, json={"title": "First"}).raise_for_status()
        yield client


@pytest.mark.parametrize("path", [ITEM, "/api/v1/items", "/api/v1/recommendations/latest"])
def test_what_has_not_changed_is_304(service, client, path):
    own = service.web.ask("GET", path, token=service.cast.acme.admin.token).headers["etag"]
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Content-Encoding"] == "gzip"
    assert first.headers["ETag"] != own
    assert (again.status_code, again.content) == (304, b"")


def test_a_write_meets_the_version_that_was_read_and_no_other(client):
    read = client.get(ITEM).headers["ETag"]
    written = client.put(ITEM, json={"title": "Second"}, headers={"If-Match": read})
    late = client.put(ITEM, json={"title": "Third"}, headers={"If-Match": read})

    assert (written.status_code, late.status_code) == (200, 412)
    assert client.get(ITEM).json()["title"] == "Second"
