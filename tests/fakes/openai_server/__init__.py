"""An OpenAI-compatible server for demos, tests and drills; says of itself that it simulates.

Run it with ``python -m tests.fakes.openai_server --port 9100``. It needs nothing but Python's standard library.
"""

from tests.fakes.openai_server.server import Simulator

__all__ = ["Simulator"]
