"""The generic cell rate algorithm (ITU-T I.371). A limit's whole state is one moment, its theoretical arrival time."""


def next_arrival(arrival: float, *, now: float, cost_seconds: float, burst_seconds: float) -> tuple[float, float]:
    """Charge a cost to a limit.

    A cost above the burst waits until nothing else counts, and is charged in full.

    Args:
        arrival: the limit's theoretical arrival time, or any moment before `now` for an unused one.
        now: the present, on the same clock.
        cost_seconds: the time that the limit needs to refill the cost.
        burst_seconds: the time that it needs to refill its burst.

    Returns:
        The new theoretical arrival time, to be stored where the charge is accepted, and the seconds until it fits (0
        where it fits now).
    """
    start = max(arrival, now)
    return start + cost_seconds, max(0.0, start - now - max(0.0, burst_seconds - cost_seconds))
