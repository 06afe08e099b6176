import pytest

from recommendations.interactions.low_ratings import low_of_scale, low_ratings


class TestScale:
    @pytest.mark.parametrize(
        ("values", "below"),
        [
            ([1, 2, 3, 4, 5], 3),
            ([0.5, 1, 2.5, 5], 3),
            (range(1, 11), 6),
            ([0, 1], 1),
            ([-1, 1], 0),
            ([0.1, 0.9, 1.0], 0.6),
            (range(101), 60),
            ([4], None),
            ([], None),
        ],
    )
    def test_has_a_low_end(self, values, below):
        assert low_of_scale(dict.fromkeys(map(float, values), 1)) == below


class TestLowRatings:
    def test_say_that_they_count_as_positive_and_what_to_do(self):
        found = low_ratings({1.0: 10, 2.0: 8, 4.0: 82})

        assert found is not None
        assert (found.low, found.ratings) == (18, 100)
        assert "18 % of the ratings (18 of 100) are below 3 and count as positive" in str(found)
        assert "manage.py event_types --tenant SLUG rating --negative-below 3" in str(found)

    def test_say_that_they_count_against_where_the_tenant_wants_that(self):
        found = low_ratings({1.0: 10, 2.0: 8, 4.0: 82}, negative_below=2)

        assert "10 % of the ratings (10 of 100) are below 2 and count against their items" in str(found)

    def test_are_none_without_ratings(self):
        assert low_ratings({}) is None
        assert low_ratings({}, negative_below=3) is None
