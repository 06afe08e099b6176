"""What has to happen to AI's records every few minutes; safe to run at any time and twice at once."""

from dataclasses import dataclass
from datetime import datetime

from recommendations.ai import answers, fallbacks, ledger, sent, vectors
from recommendations.ai.budget import release_expired
from recommendations.ai.configuration import AIConfiguration
from recommendations.ai.observation import observed_breaker


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """How many rows came back or went."""

    reservations: int
    calls: int
    answers: int
    statistics: int
    sent: int
    vectors: int


def tidy(config: AIConfiguration, *, now: datetime) -> Tidied:
    """Give back what dead processes reserved, delete what is too old, and renew the gauges."""
    released = release_expired(limits=config.budget, now=now)
    fallbacks.show_ratio(now=now)
    if config.in_use:
        observed_breaker(config).state()
    return Tidied(
        reservations=released,
        calls=ledger.purge(now=now, keep_days=config.ledger_days),
        answers=answers.purge(now=now, keep_days=config.answer_days),
        statistics=fallbacks.purge(now=now, keep_days=config.ledger_days),
        sent=sent.purge(now=now, keep_days=config.sent_days),
        vectors=vectors.purge(now=now, keep_days=config.answer_days),
    )
