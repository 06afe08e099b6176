"""Pages that are served, until they are counted."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Tenant
from accounts.tenancy import scope, tenant_cache
from core import clock, redis
from core.redis import batch_stream
from recommendations.attribution import impression_stream, stream_consumer
from recommendations.attribution.metrics import IMPRESSIONS_DROPPED
from recommendations.models import EndUser, Impression, ImpressionBatch, ItemStat, PlacementStat
from recommendations.privacy.erase import erase_end_user
from tests.recommendations.attribution.conftest import URL

pytestmark = pytest.mark.django_db


def counted(tenant):
    with scope.tenant(tenant.pk):
        return {
            (stat.placement, stat.source): (stat.impressions, stat.items_shown) for stat in PlacementStat.objects.all()
        }


def gather(collecting, now=None):
    assert collecting.flush()
    return stream_consumer.flush(now=now or clock.now())


def dropped(reason):
    return IMPRESSIONS_DROPPED.labels(reason)._value.get()


class TestAServedPage:
    def test_counts_each_time_also_as_304_and_in_a_batch(self, acme, collecting):
        etag = acme.http.get(URL.format("ann"))["ETag"]
        acme.http.get(URL.format("ann"), headers={"If-None-Match": etag})
        acme.http.get(URL.format("nobody") + "?limit=5")
        acme.http.post("/api/v1/recommendations/batch", {"user_ids": ["ann", "bob"], "limit": 3}, format="json")
        acme.http.get("/api/v1/recommendations/popular?limit=2")
        acme.http.get("/api/v1/items/i001/similar?limit=4")

        assert gather(collecting) == 7
        assert counted(acme.tenant) == {
            ("home", "model"): (4, 46),
            ("home", "popular"): (1, 5),
            ("@popular", "popular"): (1, 2),
            ("@similar", "model"): (1, 4),
        }

    def test_costs_the_request_neither_sql_nor_a_second_round_trip(self, acme, collecting, round_trips):
        acme.http.get(URL.format("ann"))
        round_trips.clear()

        with CaptureQueriesContext(connection) as queries:
            response = acme.http.get(URL.format("ann"))

        assert (response.status_code, len(round_trips), len(queries)) == (200, 1, 0)
        assert len(collecting._pages) == 2

    def test_counts_its_items(self, acme, collecting):
        acme.http.get(URL.format("ann") + "?limit=2")
        acme.http.get(URL.format("ann") + "?limit=2")
        gather(collecting)

        with scope.tenant(acme.tenant.pk):
            shown = dict(ItemStat.objects.values_list("item__item_id", "shown"))
        assert shown == {"i000": 2, "i001": 2}

    def test_is_not_counted_where_the_tenant_sends_impressions_itself(self, acme, collecting):
        with scope.tenant(acme.tenant.pk):
            Tenant.objects.filter(pk=acme.tenant.pk).update(impressions=Tenant.Impressions.EXPLICIT)
        tenant_cache.load()

        acme.http.get(URL.format("ann"))

        assert gather(collecting) == 0

    def test_of_a_stranger_is_counted_apart(self, acme, cast, collecting):
        acme.http.get(URL.format("ann"))
        cast.globex.http.get(URL.format("ann"))
        gather(collecting)

        assert counted(acme.tenant) == {("home", "model"): (1, 20)}
        assert counted(cast.globex.tenant) == {}  # an empty page shows nothing

    def test_without_items_is_not_counted(self, cast, collecting):
        cast.globex.http.get(URL.format("ann"))

        assert len(collecting._pages) == 0

    def test_belongs_to_nobody_when_the_person_was_erased_before_it_was_written(self, acme, collecting):
        acme.http.get(URL.format("ann"))
        erase_end_user(tenant_id=acme.tenant.pk, user_id="ann", now=clock.now())
        with scope.tenant(acme.tenant.pk):
            EndUser.objects.create(tenant=acme.tenant, user_id="ann")  # a later event made a new stub
        gather(collecting)

        with scope.tenant(acme.tenant.pk):
            assert [page.end_user_id for page in Impression.objects.all()] == [None]
        assert counted(acme.tenant)["home", "model"] == (1, 20)

    def test_is_erased_with_its_person(self, acme, collecting):
        acme.http.get(URL.format("ann"))
        acme.http.get(URL.format("bob"))
        gather(collecting)

        receipt = erase_end_user(tenant_id=acme.tenant.pk, user_id="ann", now=clock.now())

        assert receipt.rows["impressions"] == 1
        with scope.tenant(acme.tenant.pk):
            assert list(Impression.objects.values_list("end_user__user_id", flat=True)) == ["bob"]


class TestImpressionBuffer:
    def test_keeps_pages_while_redis_is_away_and_drops_and_counts_beyond_its_bound(
        self, acme, collecting, monkeypatch, settings
    ):
        settings.IMPRESSION_BUFFER = 100
        before = dropped("buffer_full")
        real = redis.call

        def away(purpose, command):
            if purpose == "impressions":
                raise redis.RedisUnavailable
            return real(purpose, command)

        monkeypatch.setattr(redis, "call", away)
        for number in range(130):
            collecting.record(
                tenant_id=acme.tenant.pk,
                recommendation_id=f"r{number}",
                user_id=None,
                placement="home",
                arm="",
                source="model",
                item_ids=["i000"],
                at=clock.now().timestamp(),
            )
        assert not collecting.flush()
        monkeypatch.undo()

        assert gather(collecting) == 100
        assert dropped("buffer_full") - before == 30

    def test_drops_and_counts_when_the_stream_is_full(self, acme, collecting, settings):
        settings.IMPRESSION_STREAM_BATCHES = 2
        before = dropped("stream_full")
        for _ in range(4):
            acme.http.get(URL.format("ann"))
            assert collecting.flush()

        assert stream_consumer.flush(now=clock.now()) == 2
        assert dropped("stream_full") - before == 2

    def test_sends_what_is_left_when_it_stops(self, acme, collecting):
        acme.http.get(URL.format("ann"))

        collecting.stop()

        assert stream_consumer.flush(now=clock.now()) == 1

    def test_takes_the_same_page_of_one_moment_together(self, acme, collecting):
        for _ in range(50):
            acme.http.get(URL.format("ann"))
        collecting.flush()

        (delivery,) = impression_stream.read(10)
        assert delivery.content is not None
        assert [page[7] for page in delivery.content] == [50]


class TestTheFlush:
    def test_counts_a_batch_once_however_often_it_is_delivered(self, acme, collecting, monkeypatch):
        monkeypatch.setattr(batch_stream, "CLAIM_SECONDS", 0)
        acme.http.get(URL.format("ann"))
        collecting.flush()
        with monkeypatch.context() as patch:  # the process dies after the commit
            patch.setattr(
                impression_stream, "acknowledge", lambda deliveries: (_ for _ in ()).throw(redis.RedisUnavailable)
            )
            with pytest.raises(redis.RedisUnavailable):
                stream_consumer.flush(now=clock.now())

        assert stream_consumer.flush(now=clock.now()) == 0
        assert counted(acme.tenant) == {("home", "model"): (1, 20)}
        assert redis.client().xlen(impression_stream.KEY) == 0

    def test_counts_a_batch_once_that_its_process_appended_twice(self, acme, collecting):
        batch, page = uuid.uuid4(), [acme.tenant.pk, "r1", "ann", "home", ["", "model"], 0, 0, 1, "i000"]
        page[5] = page[6] = clock.now().timestamp()
        impression_stream.append(batch, [page])
        impression_stream.append(batch, [page])

        assert stream_consumer.flush(now=clock.now()) == 1

    def test_leaves_what_a_failed_transaction_took_to_the_next(self, acme, collecting, monkeypatch):
        monkeypatch.setattr(batch_stream, "CLAIM_SECONDS", 0)
        acme.http.get(URL.format("ann"))
        collecting.flush()
        with monkeypatch.context() as patch:
            patch.setattr(stream_consumer, "_existing", lambda ids: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                stream_consumer.flush(now=clock.now())
        assert counted(acme.tenant) == {}

        assert stream_consumer.flush(now=clock.now()) == 1

    def test_lets_go_of_what_cannot_be_read_and_of_what_is_too_old(self, acme, collecting):
        redis.client().xadd(impression_stream.KEY, {"batch": "nonsense", "pages": "["})
        acme.http.get(URL.format("ann"))

        assert gather(collecting, now=clock.now() + timedelta(days=6, hours=1)) == 0
        assert redis.client().xlen(impression_stream.KEY) == 0

    def test_remembers_no_batch_for_ever(self, acme, collecting):
        from recommendations.attribution import cleanup

        acme.http.get(URL.format("ann"))
        gather(collecting)
        cleanup.tidy(now=clock.now() + timedelta(days=6, hours=23))
        assert ImpressionBatch.objects.count() == 1

        cleanup.tidy(now=clock.now() + timedelta(days=7, hours=1))

        assert ImpressionBatch.objects.count() == 0
