"""A load client for benchmarks: one thread, kept-alive connections, each with one request at a time.

Requests are sent as bytes that were made before, and of an answer only its status and length are read, so that the
client takes little of the processors that it shares with the server. `compare` asks several servers in turn, so that
whatever else the machine does disturbs all of them alike.
"""

import os
import selectors
import socket
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import cast

_RECEIVE = 1 << 18


@dataclass(frozen=True)
class Target:
    """A server, and the requests that are sent to it in turn, made before each round; `pid` is its first process."""

    port: int
    pid: int
    requests: Callable[[], Sequence[bytes]]
    expected: tuple[int, ...] = (200,)


@dataclass
class Round:
    """The milliseconds of each answered request, the seconds that all took, and the server's processor time."""

    times: list[float] = field(default_factory=list)
    seconds: float = 0.0
    processor_seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.times) / self.seconds

    @property
    def microseconds(self) -> float:
        """Processor time of one request."""
        return self.processor_seconds / len(self.times) * 1e6

    def percentile(self, percent: int) -> float:
        """Milliseconds within which so many percent of the requests were answered."""
        return statistics.quantiles(self.times, n=100)[percent - 1]


def request(method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer(port: int, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """The status, headers and body of one answer, on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(sent)
        found = b""
        while (whole := _length(found)) is None or len(found) < whole:
            found += connection.recv(_RECEIVE)
    head, _, body = found.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, body


def _length(found: bytes) -> int | None:
    """Bytes of the answer that begins here; None until its head is complete."""
    end = found.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = found[:end].lower()
    if head[9:12] in (b"204", b"304"):
        return end + 4
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        raise SystemExit(f"An answer without Content-Length: {found[:200]!r}")
    return end + 4 + int(head[at + 17 :].split(b"\r\n", 1)[0])


def run(target: Target, *, seconds: float, connections: int) -> Round:
    """Sends the requests over so many connections for this time.

    Raises: SystemExit when an answer has another status than expected.
    """
    found, wanted, numbers = Round(), [b"%d" % status for status in target.expected], count()
    requests = target.requests()
    many = len(requests)
    with selectors.EpollSelector() as poller:
        begun: dict[socket.socket, float] = {}
        rest: dict[socket.socket, bytes] = {}

        def ask(connection: socket.socket) -> None:
            begun[connection], rest[connection] = time.perf_counter(), b""
            connection.sendall(requests[next(numbers) % many])

        spent, started = processor_seconds(target.pid), time.perf_counter()
        for _ in range(connections):
            connection = socket.create_connection(("127.0.0.1", target.port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            poller.register(connection, selectors.EVENT_READ)
            ask(connection)
        ends = started + seconds
        while begun:
            for key, _ in poller.select(30):
                connection = cast(socket.socket, key.fileobj)
                got = connection.recv(_RECEIVE)
                if not got:
                    raise SystemExit("The server has closed a connection.")
                rest[connection] += got
                whole = _length(rest[connection])
                if whole is None or len(rest[connection]) < whole:
                    continue
                now = time.perf_counter()
                if rest[connection][9:12] not in wanted:
                    raise SystemExit(f"Not {target.expected}: {rest[connection][:400]!r}")
                found.times.append((now - begun[connection]) * 1000)
                if now < ends:
                    ask(connection)
                else:
                    del begun[connection]
                    poller.unregister(connection)
                    connection.close()
        found.seconds = time.perf_counter() - started
    found.processor_seconds = processor_seconds(target.pid) - spent
    return found


def processor_seconds(pid: int) -> float:
    """CPU time that a process and its descendants have used so far."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return 0.0
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor_seconds(int(child)) for child in children)


def compare(
    targets: Mapping[str, Target], *, rounds: int, seconds: float, connections: int, say: Callable[[str], None] = print
) -> dict[str, list[Round]]:
    """Prints medians for each server, and the ratio of each to the last one; returns all rounds.

    The ratio is the median of those within one round, with the least and the greatest of them.
    """
    found: dict[str, list[Round]] = {name: [] for name in targets}
    for target in targets.values():
        run(target, seconds=min(1.0, seconds), connections=connections)  # warm-up
    for number in range(rounds):
        for name in list(targets)[:: -1 if number % 2 else 1]:
            found[name].append(run(targets[name], seconds=seconds, connections=connections))
    base = list(found.values())[-1]
    for name, own in found.items():
        each = [one.rate / other.rate for one, other in zip(own, base, strict=True)]
        p50, p99 = (statistics.median(one.percentile(percent) for one in own) for percent in (50, 99))
        say(
            f"    {name:<24} {statistics.median(one.rate for one in own):>7,.0f}/s  p50 {p50:>6.2f}  p99 {p99:>6.2f} ms"
            f"  {statistics.median(one.microseconds for one in own):>6,.0f} us CPU"
            f"  x{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"
        )
    return found
