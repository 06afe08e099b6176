"""Input series for promtool: for each alert a measured value becomes series that Prometheus would have scraped."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.slo.objectives import Burn, Objective, seconds_of
from core.slo.prometheus_rules import METRIC

Series = list[dict[str, str]]
# Requests a minute in the cases of objectives.
REQUESTS = 1000


@dataclass(frozen=True)
class Case:
    """The series for a measured value, and the minutes until the check; `below`: too small a value is the fault."""

    series: Callable[[float], Series]
    minutes: int
    below: bool = False

    def beyond(self, threshold: float) -> float:
        """A value that must raise the alert."""
        return threshold * (0.9 if self.below else 1.1)

    def short_of(self, threshold: float) -> float:
        """A value that must not."""
        return threshold * (1.1 if self.below else 0.9)


def gauge(name: str, *, minutes: int, below: bool = False) -> Case:
    """A gauge that has the value all the time."""
    return Case(lambda value: [{"series": name, "values": f"{value}+0x{minutes}"}], minutes, below)


def per_minute(name: str, *, minutes: int) -> Case:
    """A counter that grows by the value each minute."""
    return Case(lambda value: [{"series": name, "values": f"0+{value}x{minutes}"}], minutes)


def increase(name: str, *, window: int) -> Case:
    """A counter that grows by the value in each window of so many minutes."""
    last = 2 * window
    return Case(lambda value: [{"series": name, "values": f"0+{value / window}x{last}"}], last)


def share(part: str, rest: str, *, minutes: int) -> Case:
    """Two counters, of which the first has this share of the sum."""
    return Case(
        lambda value: [
            {"series": part, "values": f"0+{value * 100}x{minutes}"},
            {"series": rest, "values": f"0+{(1 - value) * 100}x{minutes}"},
        ],
        minutes,
    )


def _redis_p95(value: float) -> Series:
    """A histogram whose 95th percentile is the value, by linear interpolation inside its bucket."""
    bounds = [0.005, 0.0075, 0.01, 0.015]
    upper = next(bound for bound in bounds if bound >= value)
    lower = bounds[bounds.index(upper) - 1]
    inside = (value - lower) / (upper - lower)
    below = (95 - 100 * inside) / (1 - inside)
    counts = {bound: 100 if bound >= upper else below for bound in bounds}
    return [
        {"series": f'redis_command_duration_seconds_bucket{{le="{bound}"}}', "values": f"0+{count}x30"}
        for bound, count in (*counts.items(), ("+Inf", 100))
    ]


def _stalled(value: float) -> Series:
    """A queue whose heartbeat is that old all the time, with a free worker, and beat alive."""
    queue = '{queue="docent.quick"}'
    return [
        {"series": f"docent_queue_heartbeat_age_seconds{queue}", "values": f"{value}+0x10"},
        {"series": f"docent_queue_busy{queue}", "values": "0+0x10"},
        {"series": "docent_beat_alive", "values": "1+0x10"},
    ]


def _up(value: float) -> Series:
    return [
        {"series": 'up{job="docent-web"}', "values": f"{value}+0x30"},
        {"series": f"{METRIC}_count", "values": "0+1x30"},
    ]


def _last_run(value: float) -> Series:
    """A region whose last check began so many seconds before the end of the case."""
    at = 30 * 60 - value
    name = 'docent_synthetic_last_run_timestamp_seconds{region="eu-1"}'
    return [{"series": name, "values": f"{at}+0x20 stale"}]


CASES: Mapping[str, Case] = {
    "NoRequestMetrics": Case(_up, 30, below=True),
    "NoWorkerMetrics": gauge('up{job="docent-workers"}', minutes=30, below=True),
    "RedisSlow": Case(_redis_p95, 30),
    "LimiterWithoutRedis": per_minute("limiter_redis_errors_total", minutes=30),
    "DatabasePoolFull": gauge("db_pool_utilization", minutes=30),
    "DatabaseRefusals": per_minute('docent_database_refused_total{reason="breaker"}', minutes=30),
    "BeatMissing": gauge("docent_beat_alive", minutes=10, below=True),
    "QueueWithoutWorkers": gauge('docent_queue_processes{queue="docent.build"}', minutes=10, below=True),
    "QueueStalled": Case(_stalled, 10),
    "QueueDelayed": gauge('docent_queue_oldest_message_seconds{queue="docent.quick"}', minutes=30),
    "QueueBacklog": gauge('docent_queue_messages{queue="docent.build"}', minutes=30),
    "NearlineLag": gauge("docent_nearline_lag_seconds", minutes=30),
    "BuildsFailing": increase('docent_builds_total{outcome="failed"}', window=360),
    "TasksFailing": share('docent_tasks_total{outcome="failure"}', 'docent_tasks_total{outcome="success"}', minutes=60),
    "EnqueueFailures": per_minute('docent_enqueue_failures_total{task="x"}', minutes=30),
    "StaleLists": gauge("docent_list_age_seconds", minutes=30),
    "DegradedLists": share(
        'docent_lists_served_total{degraded="database"}', 'docent_lists_served_total{degraded="none"}', minutes=60
    ),
    "AIFallbacks": gauge('ai_fallback_ratio{window="5m"}', minutes=30),
    "AIBreakerOpen": gauge('ai_breaker_state{model="m"}', minutes=30),
    "AIBudgetWarning": increase('ai_budget_alerts_total{level="soft", cap="tenant_day"}', window=60),
    "AIBudgetExhausted": increase('ai_budget_alerts_total{level="hard", cap="tenant_day"}', window=60),
    "TokenReplays": increase('jwt_replay_prevented_total{kind="refresh"}', window=10),
    "SigningKeyOld": gauge("docent_signing_key_age_seconds", minutes=10),
    "SecretOld": gauge('docent_secret_age_seconds{secret="OPENAI_API_KEY"}', minutes=10),
    "QuotaWarnings": increase('quota_warnings_total{percent="100"}', window=60),
    "WebhooksFailing": share(
        'docent_webhook_attempts_total{outcome="failed"}',
        'docent_webhook_attempts_total{outcome="delivered"}',
        minutes=120,
    ),
    "SyntheticFailures": share(
        'docent_synthetic_checks_total{region="eu-1", check="journey", outcome="failure"}',
        'docent_synthetic_checks_total{region="eu-1", check="journey", outcome="success"}',
        minutes=10,
    ),
    "SyntheticMissing": Case(_last_run, 30),
    "ImpressionsDropped": increase('docent_impressions_dropped_total{reason="stream_full"}', window=15),
}


def requests(objective: Objective, *phases: tuple[float, int], per_minute: float = REQUESTS) -> Series:
    """Requests with these shares of bad ones, each for so many minutes."""
    route = 'route="user-recommendations", method="GET"'
    bad = _phases([(share * per_minute, minutes) for share, minutes in phases])
    good = _phases([((1 - share) * per_minute, minutes) for share, minutes in phases])
    if objective.errors:
        return [
            {"series": f'{METRIC}_count{{{route}, status="500"}}', "values": bad},
            {"series": f'{METRIC}_count{{{route}, status="200"}}', "values": good},
        ]
    every = _phases([(per_minute, minutes) for _, minutes in phases])
    labels = f'{route}, status="200"'
    return [
        {"series": f"{METRIC}_count{{{labels}}}", "values": every},
        {"series": f'{METRIC}_bucket{{{labels}, le="{objective.seconds:g}"}}', "values": good},
    ]


def steadily(objective: Objective, burn: Burn) -> Case:
    """A steady share of bad requests for longer than the long window."""
    minutes = seconds_of(burn.long) // 60 + 20
    return Case(lambda value: requests(objective, (min(value, 1.0), minutes)), minutes)


def _phases(phases: list[tuple[float, int]]) -> str:
    """The values of a counter with these slopes a minute."""
    written, total = [], 0.0
    for slope, minutes in phases:
        written.append(f"{total}+{slope}x{minutes}")
        total += slope * (minutes + 1)
    return " ".join(written)


def promtool_file(
    rules: list[str], series: Series, *, alert: str, fires: bool, minutes: int, step: str
) -> dict[str, Any]:
    """A unit test of promtool: whether the alert is firing after so many minutes."""
    expr = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'
    samples = [{"labels": "{}", "value": 1}] if fires else []
    return {
        "rule_files": rules,
        "evaluation_interval": step,
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [{"expr": expr, "eval_time": f"{minutes}m", "exp_samples": samples}],
            }
        ],
    }
