"""What `evaluate` reports is what the API serves: train part imported, built by workers, every list read back."""

import csv
import gzip

import numpy as np
import pytest
from django.core.management import call_command

from accounts import scope
from recommendations.algorithms.evaluation.metrics import summarise
from recommendations.algorithms.evaluation.protocols import split
from recommendations.algorithms.evaluation.runner import evaluate
from recommendations.models import UserList
from tests.benchmarks.quality import EVENTS, read_events
from tests.workers import processes

SEED = 0
TOLERANCE = 0.002
BATCH = 100


@pytest.mark.journey
@pytest.mark.drill  # a minute long: not part of `make test`
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("committed_db")
def test_the_lists_of_the_api_have_the_metrics_that_evaluate_reports(cast, tmp_path):
    rows = read_events(EVENTS)
    parts = split(rows, protocol="last10", seed=SEED)
    train_file = tmp_path / "train.csv"
    _write_train_part(train_file, parts.train)

    with processes.worker():
        call_command("import_data", tenant="acme", events=train_file, no_build=True)
        call_command("build", tenant="acme", wait=True, no_ai=True)
    relevant: dict[str, set[str]] = {}
    for user, item in zip(rows.users[parts.test], rows.items[parts.test], strict=True):
        relevant.setdefault(str(user), set()).add(str(item))
    people = sorted(relevant)
    served = _lists(cast.acme.http, people)

    reported = evaluate(rows, "last10", SEED, with_models=False).served
    measured = summarise([np.array(served[user]) for user in people], [relevant[user] for user in people], item_count=1)
    with scope.tenant(cast.acme.tenant.pk):
        assert UserList.objects.count() == len(set(rows.users[parts.train]))
    assert {len(items) for items in served.values()} == {100}
    for metric in ("ndcg@10", "recall@10", "recall@20", "hit_rate@10", "mrr@10"):
        assert measured[metric] == pytest.approx(reported[metric], abs=TOLERANCE), metric


def _write_train_part(path, chosen):
    with gzip.open(EVENTS, "rt", newline="") as source, path.open("w", newline="") as target:
        reader = csv.reader(source)
        writer = csv.writer(target)
        writer.writerow(next(reader))
        writer.writerows(row for row, wanted in zip(reader, chosen, strict=True) if wanted)


def _lists(http, people):
    served = {}
    for start in range(0, len(people), BATCH):
        body = {"user_ids": people[start : start + BATCH], "limit": 100}
        for answer in http.post("/api/v1/recommendations/batch", body, format="json").json()["data"]:
            assert (answer["source"], answer["degraded"]) == ("model", None)
            served[answer["user_id"]] = [item["item_id"] for item in answer["items"]]
    return served
