import subprocess
import sys

FORBIDDEN = ("django", "rest_framework", "celery", "redis", "openai", "core", "accounts")
PROGRAM = f"""
import sys
import recommendations.algorithms.evaluation.runner
loaded = [name for name in {FORBIDDEN!r} if name in sys.modules]
sys.exit(f"loaded {{loaded}}" if loaded else 0)
"""


def test_the_algorithms_load_no_framework():
    """So they run in a notebook, a worker or a command without any of the service around them."""
    finished = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)

    assert finished.returncode == 0, finished.stderr
