"""The dated price table: actual and maximum cost of a call.

Amounts are whole nano-dollars: a price in dollars per million tokens is a whole number of them per token for every
price in use, so costs are exact and no rounding adds up.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from recommendations.ai.protocol import Usage

TABLE = Path(__file__).with_name("prices.toml")
_NANO_PER_TOKEN = 1000
"""Of one dollar per million tokens."""


class UnknownModel(LookupError):
    """The model has no price, so it is not called."""


class BadPriceTable(ValueError):
    """The price table cannot be read; the message names the entry and the problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Nano-dollars per token of one model, from a day on."""

    model: str
    valid_from: date
    input: int
    cached_input: int
    output: int
    batch_percent: int = 100
    """Price of a batched call, in percent of these."""

    def cost(self, usage: Usage) -> int:
        """Return the cost of a call in nano-dollars; reasoning tokens are output tokens."""
        fresh = usage.input_tokens - usage.cached_tokens
        return fresh * self.input + usage.cached_tokens * self.cached_input + usage.output_tokens * self.output

    def batch_cost(self, usage: Usage) -> int:
        """Return the cost of a batched call in nano-dollars, rounded up."""
        return -(-self.cost(usage) * self.batch_percent // 100)

    def bound(self, *, input_tokens: int, output_tokens: int) -> int:
        """Return the maximum cost of a call with these numbers of tokens, in nano-dollars."""
        return input_tokens * max(self.input, self.cached_input) + output_tokens * self.output


class PriceTable:
    """Prices by model and day."""

    def __init__(self, prices: Sequence[Price]) -> None:
        self._by_model: dict[str, list[Price]] = {}
        for price in sorted(prices, key=lambda each: each.valid_from):
            self._by_model.setdefault(price.model, []).append(price)

    def price(self, model: str, *, on: date) -> Price:
        """Return the price that holds on a day.

        Raises:
            UnknownModel: there is none; the message says what to do.
        """
        dated = [each for each in self._by_model.get(model, ()) if each.valid_from <= on]
        if not dated:
            known = ", ".join(sorted(self._by_model)) or "none"
            raise UnknownModel(
                f"no price is known for the model {model!r} on {on}, so it is not used. Set AI_PRICE_INPUT_USD,"
                f" AI_PRICE_CACHED_INPUT_USD and AI_PRICE_OUTPUT_USD (dollars per million tokens, 0 for a model of"
                f" your own), or use one of: {known}"
            )
        return dated[-1]

    def with_override(self, price: Price) -> "PriceTable":
        """Return a table in which this is the model's one price."""
        others = [each for rows in self._by_model.values() for each in rows if each.model != price.model]
        return PriceTable([*others, price])


def read_table(text: str) -> PriceTable:
    """Return the table that a TOML document holds.

    Raises:
        BadPriceTable: it is not TOML, or an entry lacks something.
    """
    try:
        rows = tomllib.loads(text).get("price", [])
    except tomllib.TOMLDecodeError as error:
        raise BadPriceTable(f"the price table is not TOML: {error}") from error
    return PriceTable([each for number, row in enumerate(rows, start=1) for each in _prices(number, row)])


def shipped_table() -> PriceTable:
    """Return the table that comes with this version.

    Raises:
        BadPriceTable: the shipped file was edited and is invalid.
    """
    return read_table(TABLE.read_text(encoding="utf-8"))


def operator_price(*, model: str, input_usd: str, cached_input_usd: str, output_usd: str) -> Price:
    """Return the operator's price for a model, in dollars per million tokens; without a cached price the input's.

    Raises:
        BadPriceTable: one of them is missing or no amount.
    """
    row = {"input": input_usd, "cached_input": cached_input_usd or input_usd, "output": output_usd}
    names = {
        "input": "AI_PRICE_INPUT_USD",
        "cached_input": "AI_PRICE_CACHED_INPUT_USD",
        "output": "AI_PRICE_OUTPUT_USD",
    }
    amounts = {name: _nano(value, names[name]) for name, value in row.items()}
    return Price(model=model, valid_from=date.min, **amounts)


def _prices(number: int, row: Mapping[str, Any]) -> list[Price]:
    where = f"price {number} of the price table"
    models, since = row.get("models"), row.get("valid_from")
    if not isinstance(models, list) or not models or not all(isinstance(each, str) and each for each in models):
        raise BadPriceTable(f"{where}: models must be a list of names")
    if type(since) is not date:
        raise BadPriceTable(f"{where}: valid_from must be a day such as 2026-01-31")
    amounts = {name: _nano(row.get(name), f"{where}: {name}") for name in ("input", "cached_input", "output")}
    batch = row.get("batch_percent", 100)
    if not isinstance(batch, int) or not 1 <= batch <= 100:
        raise BadPriceTable(f"{where}: batch_percent must be a whole number from 1 to 100, not {batch!r}")
    return [Price(model=model, valid_from=since, batch_percent=batch, **amounts) for model in models]


def _nano(value: object, where: str) -> int:
    try:
        amount = Decimal(str(value)) * _NANO_PER_TOKEN
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise BadPriceTable(f"{where} must be an amount in dollars per million tokens such as 0.40, not {value!r}")
    if amount != int(amount):
        raise BadPriceTable(f"{where} is {value}: more than three decimals cannot be counted exactly")
    return int(amount)
