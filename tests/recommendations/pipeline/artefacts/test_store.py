"""Artefacts in the storage, on a host's disk, and in S3."""

import os
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import default_storage, storages

from recommendations.algorithms.data.history import histories_of
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.pipeline.artefacts import store
from tests.fakes.s3 import s3_server
from tests.recommendations.algorithms.generated import interactions, tastes

DATA = interactions(tastes(people=80))


@pytest.fixture(scope="module")
def fitted():
    return train(DATA, TrainingOptions(threads=1))


@pytest.fixture
def home(settings, tmp_path):
    """This host's copies."""
    settings.ARTEFACT_CACHE_DIR = str(tmp_path / "copies")
    return tmp_path / "copies"


@pytest.fixture(autouse=True)
def _forget():
    """Each test is a process that has loaded nothing."""
    store._loaded.clear()


def load(file):
    """As a process does that has not loaded it."""
    store._loaded.clear()
    return store.load(artefact_id=1, file=file)


class TestLoad:
    @pytest.mark.slow
    def test_processes_map_one_copy_read_only(self, fitted, home):
        file, _ = store.save(fitted, tenant_id=1)
        load(file)
        default_storage.delete(file)  # the copy is enough

        loaded = load(file)

        parts = loaded.recommender.artefact.fitted
        with pytest.raises(ValueError, match="read-only"):
            parts["item_item"].values.data[0] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            parts["ease"].vectors[0, 0] = 1.0
        mapped = Path("/proc/self/maps").read_text()
        assert mapped.count(str(home)) >= 3
        assert not any(str(home) in line and " rw" in line for line in mapped.splitlines())

    def test_scores_as_what_was_trained(self, fitted, home):
        file, _ = store.save(fitted, tenant_id=1)

        before = Recommender(fitted).recommend(histories_of(DATA))
        after = load(file).recommender.recommend(histories_of(DATA))

        for one, other in zip(before, after, strict=True):
            assert np.array_equal(one.items, other.items)
            assert np.array_equal(one.scores, other.scores)

    def test_a_spoilt_copy_is_made_again(self, fitted, home):
        file, _ = store.save(fitted, tenant_id=1)
        load(file)
        (copy,) = home.iterdir()
        (copy / "places.json").write_text("{")

        assert load(file).recommender.artefact.item_ids == fitted.item_ids

    def test_without_room_for_copies_it_is_read_all_the_same(self, fitted, settings, tmp_path):
        (tmp_path / "file").write_text("")
        settings.ARTEFACT_CACHE_DIR = str(tmp_path / "file")
        file, _ = store.save(fitted, tenant_id=1)

        assert load(file).recommender.artefact.item_ids == fitted.item_ids

    def test_keeps_the_copies_used_last(self, fitted, home, settings):
        settings.ARTEFACT_CACHE_KEEP = 2
        files = [store.save(fitted, tenant_id=1)[0] for _ in range(3)]
        load(files[0])
        load(files[1])
        for place, copy in enumerate(sorted(home.iterdir(), key=lambda path: path.stat().st_mtime_ns)):
            os.utime(copy, (place, place))

        load(files[2])

        assert {copy.name for copy in home.iterdir()} == {file.replace("/", "-") for file in files[1:]}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_artefacts_lie_in_a_bucket_where_a_setting_says_so(fitted, home, settings, monkeypatch):
    with s3_server() as (url, objects):
        options = {"bucket_name": "docent", "endpoint_url": url, "access_key": "a", "secret_key": "b"}
        backend = {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {**options, "addressing_style": "path", "region_name": "eu-1", "file_overwrite": False},
        }
        settings.STORAGES = {**settings.STORAGES, "default": backend}
        monkeypatch.setattr(store, "default_storage", storages["default"])

        file, size = store.save(fitted, tenant_id=7)
        loaded = load(file)

        assert file.startswith("artefacts/7/")
        assert len(objects[file]) == size
        assert loaded.recommender.artefact.item_ids == fitted.item_ids
        store._loaded.clear()
        with pytest.raises(FileNotFoundError):
            store.load(artefact_id=2, file="artefacts/7/none.npz")
