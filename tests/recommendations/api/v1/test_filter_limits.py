"""Limits of a filter's cost by caller, its charge, and other requests beside many filters at once."""

import threading
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tenancy import scope
from core import deadline
from core.errors import InvalidInput, RateLimited
from recommendations.models import EndUser, Item
from recommendations.placements import versions
from recommendations.serving.page import filter_concurrency
from tests.accounts.api.test_end_user_token import call, issue
from tests.accounts.api.test_limits import grant, left
from tests.recommendations.lists import publish

ITEMS = [f"i{n:03}" for n in range(60)]
PEOPLE = {f"p{n:02}": ITEMS for n in range(30)}
ONE, BATCH = "/api/v1/users/p00/recommendations", "/api/v1/recommendations/batch"
PERSONAL = " or ".join(f"attributes.t{n} contains user.attributes.l" for n in range(40))
DATES = f"attributes.year in [{', '.join(f'{year}-01-01' for year in range(1900, 1976))}]"
VALUES = f"attributes.a in [{', '.join(map(str, range(90)))}]"


@pytest.fixture
def acme(cast):
    tenant = cast.acme.tenant
    publish(tenant, people=PEOPLE, items=ITEMS, popular=ITEMS)
    words = [f"word {number}" for number in range(90)]
    with scope.tenant(tenant.pk):
        people = list(EndUser.objects.all())
        for person in people:
            person.attributes = {"l": words, "few": [person.user_id, "x"]}
        EndUser.objects.bulk_update(people, ["attributes"])
        Item.objects.filter(item_id__in=ITEMS[::2]).update(attributes={"year": "1950-01-01", "t1": "p01 likes it"})
    return cast.acme


def refused(response):
    told = response.json()
    assert response.status_code == 422, told
    (error,) = told["errors"]
    return error["pointer"], error["code"], error["detail"]


def batch(acme, text, people=PEOPLE):
    return acme.http.post(BATCH, {"user_ids": list(people), "filter": text}, format="json")


class TestCost:
    @pytest.mark.parametrize("text", [f"{PERSONAL}", " or ".join([DATES] * 2), " or ".join([VALUES] * 5)])
    def test_an_expensive_one_is_refused_with_its_cost_before_anything_is_asked(self, acme, text):
        answers = [acme.http.get(ONE, {"filter": text}), batch(acme, text)]

        for answer in answers:
            pointer, code, detail = refused(answer)
            assert (pointer, code) == ("/filter", "too_costly")
            assert "at most 400" in detail

    def test_what_a_person_brings_counts_when_it_is_known(self, acme):
        text = " or ".join(f"attributes.t{n} contains user.attributes.l" for n in range(5))

        assert "costs 450 comparisons" in refused(acme.http.get(ONE, {"filter": text}))[2]

    def test_the_people_of_a_batch_count_together(self, acme):
        text = f"({VALUES}) or attributes.t1 contains user.user_id"

        assert "at most 2,000 are allowed for a batch" in refused(batch(acme, text))[2]

    @pytest.mark.parametrize("text", [DATES, VALUES, "attributes.t1 contains user.attributes.l", 'title = "x"'])
    def test_what_people_write_is_taken(self, acme, text):
        assert acme.http.get(ONE, {"filter": text}).status_code == 200

    def test_dates_in_a_list_are_found(self, acme):
        answer = acme.http.get(ONE, {"filter": DATES, "limit": 50}).json()

        assert {item["item_id"] for item in answer["items"]} == set(ITEMS[::2])


class TestBrowsers:
    @pytest.mark.parametrize("text", [DATES, VALUES, 'description contains "a" or ' * 4 + 'description contains "b"'])
    def test_have_no_expensive_filters(self, acme, text):
        token = issue(acme, user_id="p00")

        answer = call(token, path=f"{ONE}?filter={text.replace(' ', '%20')}")

        assert "at most 20" in refused(answer)[2]

    def test_have_small_ones(self, acme):
        token = issue(acme, user_id="p00")

        answer = call(token, path=f'{ONE}?filter=item_id%20in%20["i001",%20"i002"]&limit=2')

        assert {item["item_id"] for item in answer.json()["items"]} == {"i001", "i002"}


class TestStatements:
    @pytest.mark.parametrize("people", [1, 30])
    def test_a_batch_asks_once_where_the_filter_is_the_same_for_all(self, acme, people):
        asked = dict(list(PEOPLE.items())[:people])
        batch(acme, VALUES, asked)
        with CaptureQueriesContext(connection) as queries:
            assert batch(acme, VALUES, asked).status_code == 200

        assert (
            len([each for each in queries if "recommendations_item" in each["sql"]]) == 2
        )  # the lists', and the newest

    def test_and_once_for_each_condition_where_it_is_not(self, acme):
        text = "attributes.t1 contains user.attributes.few"
        with CaptureQueriesContext(connection) as queries:
            answer = batch(acme, text)

        asked = [each["sql"] for each in queries]
        assert len([sql for sql in asked if "recommendations_enduser" in sql and "SELECT" in sql]) <= 2
        assert len([sql for sql in asked if 'FROM "recommendations_item"' in sql]) <= 2 * len(PEOPLE)
        lists = {each["user_id"]: each["items"] for each in answer.json()["data"]}
        assert len(lists["p01"]) == 20

    def test_stops_between_people_when_its_time_is_up(self, acme):
        with deadline.within(0.0):
            answer = batch(acme, "attributes.t1 contains user.attributes.few")

        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


class TestCharge:
    @pytest.mark.parametrize(
        ("text", "people", "cost"),
        [
            ("", 10, 10),
            ('title = "x"', 10, 10),
            (VALUES, 10, 13),
            ("attributes.a contains user.attributes.few or " * 2 + "attributes.b in user.segments", 10, 20),
        ],
    )
    def test_a_filter_is_charged_what_it_costs(self, acme, text, people, cost):
        grant(acme, read_per_minute=60, read_burst=60)  # one a second comes back

        answer = batch(acme, text, list(PEOPLE)[:people])

        assert answer.status_code == 200
        assert left(answer, "read") in range(60 - cost, 60 - cost + 3)


class TestAtOnce:
    def test_one_tenant_has_so_much_running_and_others_have_theirs(self, settings):
        settings.FILTER_COST_AT_ONCE = 500
        with filter_concurrency.filtering(tenant_id=1, cost=400):
            with pytest.raises(RateLimited), filter_concurrency.filtering(tenant_id=1, cost=200):
                pass
            with (
                filter_concurrency.filtering(tenant_id=1, cost=100),
                filter_concurrency.filtering(tenant_id=2, cost=400),
            ):
                pass
        with filter_concurrency.filtering(tenant_id=1, cost=2000):
            pass

    def test_not_all_tenants_together_take_every_thread(self, settings):
        settings.FILTER_COST_AT_ONCE = 500
        with filter_concurrency.filtering(tenant_id=1, cost=400), filter_concurrency.filtering(tenant_id=2, cost=400):
            with pytest.raises(RateLimited), filter_concurrency.filtering(tenant_id=3, cost=400):
                pass
            with filter_concurrency.filtering(tenant_id=3, cost=1):
                pass

    def test_a_failed_one_is_not_counted_any_more(self, settings):
        settings.FILTER_COST_AT_ONCE = 10
        for _ in range(3):
            with pytest.raises(ZeroDivisionError), filter_concurrency.filtering(tenant_id=1, cost=10):
                raise ZeroDivisionError

    def test_is_told_as_too_many_requests(self, acme):
        running, done = threading.Event(), threading.Event()

        def hold():
            with filter_concurrency.filtering(tenant_id=acme.tenant.pk, cost=500):
                running.set()
                done.wait(20)

        holder = threading.Thread(target=hold)
        holder.start()
        running.wait(5)
        try:
            answer = acme.http.get(ONE, {"filter": VALUES})
            plain = acme.http.get(ONE)
        finally:
            done.set()
            holder.join()

        assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (429, "rate_limited", "1")
        assert plain.status_code == 200


class TestRules:
    def test_filter_and_boosts_together_are_bounded(self, acme):
        boosts = [{"when": VALUES, "factor": 2}] * 4
        found = []
        for rules in (
            {"filter": VALUES, "boosts": boosts},
            {"filter": PERSONAL.replace("contains", "in") + f" or {VALUES}"},
        ):
            with pytest.raises(InvalidInput, match="at most 400") as refusal:
                versions.check_rules(rules)
            found.append(refusal.value.errors[0].code)

        assert found == ["too_costly", "too_costly"]

    def test_what_serves_already_goes_on(self, acme):
        assert versions.stored_rules({"filter": " or ".join([VALUES] * 5)}).filter is not None


def test_an_empty_answer_over_the_whole_catalogue_stays_quick(acme):
    with scope.tenant(acme.tenant.pk):
        Item.objects.bulk_create(
            Item(tenant=acme.tenant, item_id=f"more{n}", attributes={f"t{m}": "x" for m in range(40)})
            for n in range(3000)
        )
    text = " or ".join(f"attributes.t{n} contains user.attributes.l" for n in range(4))
    started = time.perf_counter()

    assert acme.http.get(ONE, {"filter": text}).json()["items"] == []
    assert time.perf_counter() - started < 2
