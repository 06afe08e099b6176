"""What stops the start of a service that could not build what it is told to."""

from django.core.checks import run_checks

from recommendations.precompute import checks


class TestRanker:
    def test_is_not_asked_for_by_default(self):
        assert [each for each in run_checks() if each.id == checks.NO_RANKER] == []

    def test_that_is_installed_starts(self, settings):
        settings.RANKER = "lightgbm"

        assert checks.ranker_is_installed() == []

    def test_that_is_missing_stops_the_start_and_says_what_to_do(self, settings, monkeypatch):
        settings.RANKER = "lightgbm"
        monkeypatch.setattr(checks, "find_spec", lambda name: None)

        (found,) = checks.ranker_is_installed()

        assert found.is_serious()
        assert "RANKER=lightgbm needs the package lightgbm" in found.msg
        assert "requirements-lightgbm.txt" in str(found.hint)
