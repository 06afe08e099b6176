"""Feature flags: shares, stickiness, independence."""

import pytest

from accounts.models import FeatureFlag
from accounts.tenancy import flags, scope, tenant_cache

PEOPLE = [f"user-{number}" for number in range(2000)]


def switch(cast, percent, *, name=flags.RECOMMENDATIONS, member="acme"):
    tenant = getattr(cast, member).tenant
    with scope.tenant(tenant.pk):
        FeatureFlag.objects.update_or_create(tenant=tenant, name=name, defaults={"percent": percent})
    tenant_cache.load()


def on(cast, *, name=flags.RECOMMENDATIONS, member="acme"):
    tenant_id = getattr(cast, member).tenant.pk
    return {person for person in PEOPLE if flags.is_on(name, tenant_id=tenant_id, user_id=person)}


class TestShare:
    def test_of_nobody_and_of_everybody_is_exact(self, cast):
        switch(cast, 0)
        assert on(cast) == set()
        switch(cast, 100)
        assert on(cast) == set(PEOPLE)

    def test_without_a_row_is_everybody(self, cast):
        assert on(cast) == set(PEOPLE)

    @pytest.mark.parametrize("percent", [1, 10, 25, 50, 75, 90, 99])
    @pytest.mark.parametrize("form", ["user-{}", "{}", "u{:05d}", "customer/{}", "2026-{}"])
    def test_in_between_is_within_two_points_for_numbered_people(self, percent, form):
        people = [form.format(number) for number in range(17, 2017)]
        found = sum(flags.bucket(flags.RECOMMENDATIONS, tenant_id=3, user_id=each) < percent * 100 for each in people)

        assert abs(found / len(people) - percent / 100) <= 0.01

    @pytest.mark.parametrize("form", ["{:x}-a", "{}@example.org", "{:08x}-0000-4000-8000-00000000000f"])
    def test_of_others_is_what_chance_allows(self, form):
        """Four standard deviations of a fair draw over 20,000 people."""
        found = sum(flags.bucket(flags.AI, tenant_id=1, user_id=form.format(number)) < 5000 for number in range(20_000))

        assert abs(found - 10_000) < 4 * (20_000 * 0.25) ** 0.5

    def test_is_uniform_over_many_tenants(self):
        """The chi-squared statistic of 20 bins; its 99.9 % quantile for 19 degrees of freedom is 43.8."""
        bins = [0] * 20
        for tenant_id in range(100):
            for number in range(0, 20_000, 137):
                bins[flags.bucket(flags.AI, tenant_id=tenant_id, user_id=f"u{number}") // 500] += 1
        expected = sum(bins) / 20

        assert sum((found - expected) ** 2 / expected for found in bins) < 43.8

    def test_every_id_has_a_place(self):
        for user_id in ("", "9" * 200, "a\n7", "\ud800", "٣", "x" * 128):
            assert 0 <= flags.bucket(flags.AI, tenant_id=1, user_id=user_id) < 10_000


class TestSwitch:
    def test_takes_as_many_of_two_thousand_people_as_it_says(self, cast):
        switch(cast, 50)

        assert abs(len(on(cast)) - 1000) <= 20


class TestSticky:
    def test_the_same_people_stay_in_while_the_share_grows(self, cast):
        earlier: set[str] = set()
        for percent in (5, 20, 50, 80, 100):
            switch(cast, percent)
            assert on(cast) == on(cast)
            assert earlier <= on(cast)
            earlier = on(cast)


class TestIndependence:
    def test_of_two_flags_of_one_tenant(self, cast):
        switch(cast, 50)
        switch(cast, 50, name=flags.AI)
        both = on(cast) & on(cast, name=flags.AI)

        assert abs(len(both) / len(PEOPLE) - 0.25) < 0.05

    def test_of_one_flag_of_two_tenants(self, cast):
        switch(cast, 50)
        switch(cast, 50, member="globex")
        both = on(cast) & on(cast, member="globex")

        assert abs(len(both) / len(PEOPLE) - 0.25) < 0.05

    def test_one_tenant_s_switch_leaves_the_other_alone(self, cast):
        switch(cast, 0)

        assert on(cast, member="globex") == set(PEOPLE)
