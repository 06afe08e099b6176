import pytest

from recommendations.algorithms.validation.report import describe_fold, fold_kind, protocol_mismatch_hint


def chosen(fold, *, cuts=1, people=412, decided=True):
    said = {"fold": fold, "why": "It was requested.", "cuts": cuts, "people": people}
    return {"validation": said, "validation_people": people, "decided": decided}


class TestDescribeFold:
    @pytest.mark.parametrize(
        ("by", "expected"),
        [
            (chosen("time", cuts=5), "time: events of returning users after each of 5 moments; 412 validation users."),
            (chosen("time"), "time: events of returning users after one moment; 412 validation users."),
            (chosen("last", people=1_234), "last: each user's last events; 1,234 validation users."),
            (chosen("random", people=1), "random: random events of each user; 1 validation user."),
        ],
    )
    def test_says_what_was_held_back_and_why(self, by, expected):
        assert describe_fold(by) == f"{expected} It was requested."

    def test_says_that_nothing_could_be_decided(self):
        assert "too few to choose weights; the defaults are used" in describe_fold(chosen("last", decided=False))

    def test_has_nothing_to_say_of_what_does_not_say_it(self):
        assert (describe_fold({"fold": "last10"}), fold_kind({}), protocol_mismatch_hint("last10", {})) == ("", "", "")


class TestAsksOtherwise:
    @pytest.mark.parametrize(("protocol", "fold"), [("last10", "last"), ("global80", "time"), ("rand10", "random")])
    def test_nothing_where_the_test_is_like_the_fold(self, protocol, fold):
        assert protocol_mismatch_hint(protocol, chosen(fold)) == ""

    def test_names_the_fold_that_would_be_like_it(self):
        assert "--validation last chooses" in protocol_mismatch_hint("last10", chosen("time"))
