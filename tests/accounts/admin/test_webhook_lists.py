"""Lists of webhooks cost no query for each row: their rows know tenants by number only."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tenancy import scope
from core import clock
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.accounts.admin.people import page, staff


def fill(tenant, rows):
    with scope.tenant(tenant.pk):
        for number in range(rows):
            endpoint = WebhookEndpoint.objects.create(
                tenant_id=tenant.pk, url=f"https://hooks.example.org/{number}", events=[], secret="x"
            )
            WebhookDelivery.objects.create(
                tenant_id=tenant.pk, endpoint=endpoint, message_id="m", type="t", body="{}", created_at=clock.now()
            )


@pytest.mark.parametrize("model", [WebhookEndpoint, WebhookDelivery], ids=lambda model: model.__name__)
def test_ten_rows_cost_what_two_cost(cast, model):
    _, browser = staff("root", is_superuser=True)
    counts = []
    for more in (2, 8):
        fill(cast.acme.tenant, more)
        browser.get(page(model, "changelist"))  # content types and the like are remembered
        with CaptureQueriesContext(connection) as captured:
            text = browser.get(page(model, "changelist")).content.decode()
        counts.append(len(captured))

    assert counts[0] == counts[1]
    assert text.count('<td class="field-tenant nowrap">acme</td>') + text.count('field-tenant">acme<') == 10
