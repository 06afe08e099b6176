"""Compares the report of `evaluate` with the API: train part imported, built by workers, every list read back."""

import pytest
from django.core.management import call_command

from accounts.models import Tenant
from accounts.tenancy import scope
from recommendations.models import UserList
from tests.benchmarks.served import SETTING, TOLERANCE, Division, evaluated, read_lists
from tests.workers import processes

METRICS = ("ndcg@10", "recall@10", "recall@20", "hit_rate@10", "mrr@10")


@pytest.mark.journey
@pytest.mark.drill  # a minute long: not part of `make test`
@pytest.mark.untimed
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("committed_db")
@pytest.mark.parametrize("protocol", SETTING)
def test_the_lists_of_the_api_have_the_metrics_that_evaluate_reports(cast, tmp_path, protocol):
    division = Division.from_protocol(protocol, seed=0)
    train_file = tmp_path / "train.csv"
    division.write_train(train_file)
    with scope.all_tenants("test: its setting"):
        Tenant.objects.filter(pk=cast.acme.tenant.pk).update(validation=SETTING[protocol])

    with processes.worker():
        call_command("import_data", tenant="acme", events=train_file, no_build=True)
        call_command("build", tenant="acme", wait=True, no_ai=True)

    def post(body):
        return cast.acme.http.post("/api/v1/recommendations/batch", body, format="json").json()

    served = read_lists(post, sorted(division.relevant))
    measured, reported = division.metrics(served), evaluated(division, tmp_path)
    with scope.tenant(cast.acme.tenant.pk):
        assert UserList.objects.count() == len(set(division.rows.users[division.parts.train]))
    assert {len(items) for items in served.values()} == {100}
    for metric in METRICS:
        assert measured[metric] == pytest.approx(reported[metric], abs=TOLERANCE), metric
