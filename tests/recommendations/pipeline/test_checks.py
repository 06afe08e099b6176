"""System checks that stop the start of a service that could not build as configured."""

from django.core.checks import run_checks

from recommendations.pipeline import checks


class TestOpenMP:
    def test_that_is_there_is_not_spoken_of(self):
        assert checks.openmp_is_there() == []

    def test_that_is_missing_is_a_warning_since_trainings_do_without(self, monkeypatch):
        monkeypatch.setattr(checks, "_OPENMP", "libof_nobody.so.1")

        (found,) = checks.openmp_is_there()

        assert not found.is_serious()
        assert "without ALS and without a second stage" in found.msg
        assert "apt install libgomp1" in str(found.hint)


class TestRanker:
    def test_that_is_installed_starts(self, settings):
        assert settings.RANKER == "auto"
        assert [each for each in run_checks() if each.id == checks.NO_RANKER] == []

    def test_that_is_missing_stops_the_start_and_says_what_to_do(self, settings, monkeypatch):
        monkeypatch.setattr(checks, "find_spec", lambda name: None)

        (found,) = checks.ranker_is_installed()
        settings.RANKER = "none"
        assert checks.ranker_is_installed() == []

        assert found.is_serious()
        assert "RANKER=auto needs the package lightgbm" in found.msg
        assert "-r requirements.txt" in str(found.hint)
