"""The choice of requests that get a log line."""

import pytest

from core.http import request_log


def logged(caplog, call):
    with caplog.at_level("INFO", logger="docent.request"):
        caplog.clear()
        call()
    return [record.msg["route"] for record in caplog.records if record.name == "docent.request"]


@pytest.mark.usefixtures("redis_server")
class TestOrdinaryRequests:
    @pytest.mark.parametrize(("sample", "lines"), [(0.0, 0), (1.0, 1)])
    def test_a_share_of_the_reads_of_all_kinds(self, cast, settings, caplog, monkeypatch, sample, lines):
        monkeypatch.setattr(request_log, "SLOW_SECONDS", 600.0)  # the machine may be busy
        settings.LOG_READ_SAMPLE, http = sample, cast.acme.http
        batch = {"user_ids": ["ann"], "limit": 5}

        found = [
            *logged(caplog, lambda: http.get("/api/v1/items")),
            *logged(caplog, lambda: http.get("/api/v1/recommendations/popular")),
            *logged(caplog, lambda: http.post("/api/v1/recommendations/batch", batch, format="json")),
            *logged(caplog, lambda: http.get("/healthz")),
        ]

        assert found == ["items", "recommendations-popular", "recommendations-batch", "healthz"] * lines

    def test_always_what_writes_or_fails_and_pages_of_the_admin(self, cast, settings, caplog):
        settings.LOG_READ_SAMPLE, http = 0.0, cast.acme.http
        event = {"user_id": "ann", "item_id": "a", "type": "view"}

        assert logged(caplog, lambda: http.put("/api/v1/items/a", {"title": "a"}, format="json")) == ["item"]
        assert logged(caplog, lambda: http.post("/api/v1/events", event, format="json")) == ["events"]
        assert logged(caplog, lambda: http.get("/api/v1/items/nothing")) == ["item"]
        assert logged(caplog, lambda: http.get("/api/v1/nothing")) == ["unmatched"]
        assert logged(caplog, lambda: http.get("/admin/")) == ["admin"]

    def test_always_a_read_that_misses_its_objective(self, settings):
        settings.LOG_READ_SAMPLE = 0.0

        assert not request_log.is_read_logged(request_log.SLOW_SECONDS)
        assert request_log.is_read_logged(request_log.SLOW_SECONDS + 0.001)
