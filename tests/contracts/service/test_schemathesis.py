"""schemathesis reads the OpenAPI document and calls the running service: every check, with links between operations.

What is told apart from a failure, and why, stands in schemathesis.toml and hooks.py beside this. The tenant's plan has
no limits, else most calls would be 429.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts import document
from tests.contracts.conftest import Service
from tests.size import LONG, sized

ROOT = Path(__file__).resolve().parents[3]
CONFIG = Path(__file__).with_name("schemathesis.toml")


def run(service: Service, *, phases: str, examples: int, seed: int) -> tuple[int, str]:
    """Returns the number of requests and schemathesis's output. Fails if it found something."""
    command = [
        *(str(Path(sys.executable).with_name("st")), "--config-file", str(CONFIG)),
        *(
            "run",
            f"{service.url}/api/schema.json",
            "--header",
            f"Authorization: Bearer {service.cast.acme.admin.token}",
        ),
        *("--phases", phases, "--max-examples", str(examples), "--seed", str(seed), "--output-truncate", "false"),
        *("--workers", "2"),
    ]
    admin = service.cast.acme.admin
    known = {"CONTRACT_CLIENT_ID": admin.client.client_id, "CONTRACT_CLIENT_SECRET": admin.secret}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | known, capture_output=True, text=True, check=False)
    told = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, (
        f"{told}\nEither the service is wrong, or its document is (then mend the serializer or the parameter). What no "
        "schema can say goes, with its reason, into tests/contracts/service/hooks.py or schemathesis.toml."
    )
    count = len(list(document.operations()))
    assert f"Tested: {count}" in told, told
    made = re.search(r"(\d+) generated", told)
    assert made, told
    return int(made[1]), told


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_few_examples_of_every_operation_keep_the_contract(service):
    made, _ = run(service, phases="examples,fuzzing,stateful", examples=5, seed=1)

    assert made >= 5 * len(list(document.operations()))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 20261125] if LONG else [1])
def test_thousands_of_examples_keep_the_contract(service, seed):
    wanted = sized(short=1000, long=20_000)

    made, told = run(
        service,
        phases="examples,coverage,fuzzing,stateful",
        # The cases at the bounds of every field come on top: about as many again in the short form.
        examples=-(-wanted // sized(short=2, long=1) // len(list(document.operations()))),
        seed=seed,
    )

    print(f"\nschemathesis: {made} requests, seed {seed}\n{told[-600:]}")
    assert made >= wanted
