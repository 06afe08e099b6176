"""Command line of the simulator."""

import argparse
import signal
import threading

from tests.fakes.openai_server.server import DEFAULT_LATENCY_SECONDS, Simulator


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.openai_server", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--latency-ms", type=float, default=DEFAULT_LATENCY_SECONDS * 1000, help="of every healthy answer"
    )
    options = parser.parse_args()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    simulator = Simulator(host=options.host, port=options.port, latency_seconds=options.latency_ms / 1000)
    with simulator:
        print(f"OpenAI simulator at {simulator.base_url} (faults: {simulator.admin_url})", flush=True)
        stopping.wait()


if __name__ == "__main__":
    main()
