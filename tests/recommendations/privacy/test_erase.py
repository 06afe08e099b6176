"""Erasing a person while events about them arrive."""

import threading
from datetime import UTC, datetime

from django.db import connection

from accounts import scope
from core.errors import NotFound
from recommendations.catalog.models import EndUser
from recommendations.interactions.event import read_event
from recommendations.interactions.models import Interaction
from recommendations.interactions.record import record
from recommendations.privacy.erase import erase_end_user

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class TestRace:
    def test_no_event_is_left_without_its_person(self, cast, committed_db):
        acme = cast.acme.tenant.pk
        errors = []

        def send():
            try:
                for number in range(40):
                    event = read_event({"user_id": "u", "item_id": "i", "type": "view", "value": number}, now=NOW)
                    record(tenant_id=acme, events=[event], now=NOW)
            except Exception as error:  # noqa: BLE001  # shown below
                errors.append(error)
            finally:
                connection.close()

        sender = threading.Thread(target=send)
        sender.start()
        erased = 0
        while sender.is_alive():
            try:
                erase_end_user(tenant_id=acme, user_id="u", now=NOW)
                erased += 1
            except NotFound:
                pass
        sender.join()

        assert errors == []
        assert erased > 0
        with scope.tenant(acme):
            people = set(EndUser.objects.values_list("pk", flat=True))
            assert set(Interaction.objects.values_list("end_user_id", flat=True)) <= people
