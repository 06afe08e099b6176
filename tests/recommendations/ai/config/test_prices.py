"""Prices of calls, exact to the nano-dollar; a call without a price is refused."""

from datetime import date

import pytest

from recommendations.ai.config.prices import BadPriceTable, UnknownModel, operator_price, read_table, shipped_table
from recommendations.ai.protocol import Usage

ROW = '[[price]]\nmodels = ["m"]\nvalid_from = {day}\ninput = "{price}"\ncached_input = "0.1"\noutput = "2"\n'
TODAY = date(2026, 11, 23)


class TestPrice:
    def test_charges_fresh_cached_and_output_tokens_apart(self):
        """gpt-4.1-mini: 600 x 0.40 + 400 x 0.10 + 300 x 1.60 dollars per million = 760 micro-dollars."""
        usage = Usage(input_tokens=1000, cached_tokens=400, output_tokens=300, reasoning_tokens=100)

        assert shipped_table().price("gpt-4.1-mini", on=TODAY).cost(usage) == 760_000

    def test_bounds_every_cost_of_so_many_tokens(self):
        price = shipped_table().price("gpt-4.1-mini", on=TODAY)

        bound = price.bound(input_tokens=1000, output_tokens=300)

        assert bound == price.cost(Usage(input_tokens=1000, output_tokens=300)) == 880_000


class TestPriceTable:
    def test_takes_the_latest_price_that_holds_on_the_day(self):
        table = read_table(ROW.format(day="2026-01-01", price="1") + ROW.format(day="2026-06-01", price="0.5"))

        prices = [table.price("m", on=day).input for day in (date(2026, 1, 1), date(2026, 5, 31), date(2026, 6, 1))]

        assert prices == [1000, 1000, 500]

    @pytest.mark.parametrize(("model", "day"), [("m", date(2025, 12, 31)), ("other", TODAY), ("", TODAY)])
    def test_refuses_to_guess(self, model, day):
        table = read_table(ROW.format(day="2026-01-01", price="1"))

        with pytest.raises(UnknownModel, match=r"AI_PRICE_INPUT_USD.*use one of: m"):
            table.price(model, on=day)

    def test_takes_the_operators_price_for_a_model_of_their_own(self):
        price = operator_price(model="llama", input_usd="0", cached_input_usd="", output_usd="0.3")
        table = shipped_table().with_override(price)

        assert table.price("llama", on=TODAY).cost(Usage(input_tokens=10, output_tokens=10)) == 3000
        assert table.price("gpt-4.1-mini", on=TODAY).input == 400

    @pytest.mark.parametrize(
        ("text", "named"),
        [
            ("[[price]", "not TOML"),
            ('[[price]]\nmodels = "m"', "price 1 of the price table: models"),
            ('[[price]]\nmodels = ["m"]\nvalid_from = "today"', "valid_from"),
            (ROW.format(day="2026-01-01", price="cheap"), "input must be an amount"),
            (ROW.format(day="2026-01-01", price="-1"), "input must be an amount"),
            (ROW.format(day="2026-01-01", price="0.0001"), "more than three decimals"),
        ],
    )
    def test_says_what_is_wrong_with_it(self, text, named):
        with pytest.raises(BadPriceTable, match=named):
            read_table(text)

    def test_needs_both_of_the_operators_prices(self):
        with pytest.raises(BadPriceTable, match="AI_PRICE_OUTPUT_USD"):
            operator_price(model="m", input_usd="1", cached_input_usd="", output_usd="")
