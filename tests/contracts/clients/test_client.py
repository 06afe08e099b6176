"""A Python client generated from the OpenAPI document, used as a customer would use it."""

import gzip
import importlib
import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.contracts.document import operations
from tests.contracts.openapi.test_document import COMMITTED

BIN = Path(sys.executable).parent
NAME = "docent_generated"


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """The client's package, importable."""
    folder = tmp_path_factory.mktemp("client")
    subprocess.run(
        [
            *(BIN / "openapi-python-client", "generate", "--path", COMMITTED, "--meta", "none"),
            *("--output-path", folder / NAME),
        ],
        check=True,
        capture_output=True,
        cwd=folder,
        env=os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
    )
    sys.path.insert(0, str(folder))
    yield SimpleNamespace(
        client=importlib.import_module(f"{NAME}.client"),
        models=importlib.import_module(f"{NAME}.models"),
        types=importlib.import_module(f"{NAME}.types"),
        operation=lambda tag, name: importlib.import_module(f"{NAME}.api.{tag}.{name}"),
        names={path.stem for path in (folder / NAME / "api").glob("*/*.py")} - {"__init__"},
    )
    sys.path.remove(str(folder))


@pytest.fixture
def client(generated, service):
    """It, with a token of acme's that it got itself."""
    admin = service.cast.acme.admin
    wanted = generated.models.TokenRequest(
        grant_type=generated.models.GrantType.CLIENT_CREDENTIALS,
        client_id=admin.client.client_id,
        client_secret=admin.secret,
    )
    with generated.client.Client(base_url=service.url) as anonymous:
        token = generated.operation("auth", "auth_token").sync(client=anonymous, body=wanted)
    with generated.client.AuthenticatedClient(base_url=service.url, token=token.access_token) as client:
        yield client


@pytest.mark.slow
class TestClient:
    def test_knows_every_operation(self, generated):
        assert {operation.id for operation in operations()} == generated.names

    def test_writes_reads_and_lists_items(self, generated, client):
        models, call = generated.models, generated.operation
        title = "Toy Story (1995)"
        written = call("catalogue", "item_put").sync_detailed(
            "movie-1", client=client, body=models.ItemRequest(title=title, categories=["Animation"])
        )
        item = call("catalogue", "item_get").sync("movie-1", client=client)
        page = call("catalogue", "items_list").sync(client=client, limit=1)

        assert (written.status_code, written.parsed.title) == (201, title)
        assert isinstance(item, models.Item)
        assert (item.item_id, item.categories, item.created_at.utcoffset().total_seconds()) == (
            "movie-1",
            ["Animation"],
            0,
        )
        assert (page.data[0].title, page.next_) == (title, None)

    def test_sends_an_event_once_and_gets_a_list(self, generated, client):
        models, call = generated.models, generated.operation
        event = models.EventRequest(user_id="42", item_id="movie-1", type_="purchase", value=9.99)
        first = call("events", "event_send").sync_detailed(client=client, body=event, idempotency_key="order-1")
        again = call("events", "event_send").sync_detailed(client=client, body=event, idempotency_key="order-1")
        answer = call("recommendations", "user_recommendations").sync("42", client=client)

        assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert (answer.user_id, answer.source) == ("42", "static")

    def test_sends_a_file_as_it_is_read(self, generated, client):
        models, call = generated.models, generated.operation
        with io.BytesIO(gzip.compress(b"item_id,title\nfile-1,From a file\n")) as file:
            started = call("imports", "import_start").sync(
                client=client,
                body=generated.types.File(payload=file),
                kind=models.ImportStartKind.ITEMS,
                format_=models.ImportStartFormat.CSV,
                dry_run=True,
            )
        seen = call("imports", "import_get").sync(started.import_id, client=client)

        assert isinstance(started, models.ImportJob)
        assert (seen.kind.value, seen.format_, seen.dry_run) == ("items", "csv", True)

    def test_sends_a_batch_and_walks_the_pages(self, generated, client):
        models, call = generated.models, generated.operation
        rows = [models.ItemRowRequest(item_id=f"row-{number}", title="Row") for number in range(3)]
        answer = call("catalogue", "items_batch").sync(client=client, body=models.ItemsBatchRequest(items=rows))
        first = call("catalogue", "items_list").sync(client=client, limit=2)
        second = call("catalogue", "items_list").sync(client=client, limit=2, cursor=first.next_)

        assert isinstance(answer, models.BatchResult)
        assert (answer.summary.created, [row.status.value for row in answer.results]) == (3, ["created"] * 3)
        assert not {item.item_id for item in first.data} & {item.item_id for item in second.data}

    def test_is_told_that_nothing_has_changed(self, generated, client):
        call = generated.operation("recommendations", "recommendations_latest")
        first = call.sync_detailed(client=client)
        again = call.sync_detailed(client=client, if_none_match=first.headers["ETag"])

        assert (first.status_code, again.status_code, again.content) == (200, 304, b"")

    def test_takes_what_a_later_version_adds(self, generated, client):
        told = generated.operation("recommendations", "recommendations_latest").sync(client=client).to_dict()
        later = generated.models.Recommendations.from_dict({**told, "shelf": "top", "source": "oracle"})

        assert later.source == "oracle"

    def test_is_told_what_is_wrong(self, generated, client):
        models, call = generated.models, generated.operation
        missing = call("catalogue", "item_get").sync("no-such-item", client=client)
        wrong = call("catalogue", "item_put").sync("movie-2", client=client, body=models.ItemRequest(title="x" * 501))

        assert isinstance(missing, models.Problem)
        assert (missing.status, missing.code, missing.type_) == (404, "not_found", "/problems/not_found")
        assert (wrong.code, wrong.errors[0].pointer, wrong.errors[0].code) == ("invalid", "/title", "too_long")
