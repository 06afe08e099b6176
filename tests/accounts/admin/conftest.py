"""Staff with and without a tenant, and rows of two tenants."""

import pytest
from django.contrib.auth.models import Permission

from accounts.models import FeatureFlag, TenantUsage
from accounts.tenancy import scope
from recommendations.models import EndUser, Item
from tests.accounts.admin.pages import staff


@pytest.fixture
def root(cast):
    """A superuser of the deployment."""
    return staff("root", is_superuser=True)[1]


@pytest.fixture
def confined(cast):
    """Staff of acme with every permission that there is."""
    person, browser = staff("inside", tenant=cast.acme.tenant)
    person.user_permissions.set(Permission.objects.all())
    return browser


@pytest.fixture
def rows(cast):
    """Something of either tenant to see."""
    for member in (cast.acme, cast.globex):
        with scope.tenant(member.tenant.pk):
            slug = member.tenant.slug
            Item.objects.create(tenant=member.tenant, item_id=f"item-of-{slug}", title=f"title-of-{slug}")
            EndUser.objects.create(tenant=member.tenant, user_id=f"person-of-{slug}")
            FeatureFlag.objects.create(tenant=member.tenant, name="ai", percent=50)
            TenantUsage.objects.create(tenant=member.tenant, month="2026-11", used=7)
    return cast
