"""The note about applied migrations holds for one cluster and one set of migrations."""

import os

from config.local import migration_state


class TestSchemaState:
    def test_is_current_after_it_was_noted(self, tmp_path):
        make_cluster(tmp_path)
        before = migration_state.is_current(tmp_path)

        migration_state.remember(tmp_path)

        assert (before, migration_state.is_current(tmp_path)) == (False, True)

    def test_is_not_current_for_another_cluster_in_the_same_place(self, tmp_path):
        make_cluster(tmp_path)
        migration_state.remember(tmp_path)

        os.utime(tmp_path / "postgres/PG_VERSION", (1, 1))

        assert not migration_state.is_current(tmp_path)

    def test_is_not_current_when_a_migration_has_come(self, tmp_path):
        checkout = tmp_path / "checkout"
        (checkout / "core/migrations").mkdir(parents=True)
        (checkout / "requirements.txt").write_text("django==5.2.19\n")
        make_cluster(tmp_path)
        migration_state.remember(tmp_path, checkout=checkout)
        before = migration_state.is_current(tmp_path, checkout=checkout)

        (checkout / "core/migrations/0002_more.py").write_text("")

        assert (before, migration_state.is_current(tmp_path, checkout=checkout)) == (True, False)

    def test_says_nothing_about_a_foreign_database(self, tmp_path):
        migration_state.remember(tmp_path)

        assert not migration_state.is_current(tmp_path)
        assert list(tmp_path.iterdir()) == []


def make_cluster(var):
    (var / "postgres").mkdir()
    (var / "postgres/PG_VERSION").write_text("18\n")
