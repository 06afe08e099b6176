"""The typed readers of the environment."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env


@pytest.fixture
def variable(monkeypatch):
    """`variable(value)` sets NAME."""

    def set_to(value, name="NAME"):
        monkeypatch.setenv(name, value)

    monkeypatch.delenv("NAME", raising=False)
    monkeypatch.delenv("NAME_FILE", raising=False)
    return set_to


READERS = {
    "text": lambda: env.text("NAME", "default"),
    "flag": lambda: env.flag("NAME", default=True),
    "integer": lambda: env.integer("NAME", 7, minimum=1, maximum=9),
    "seconds": lambda: env.seconds("NAME", 0.5, minimum=0.1, maximum=2),
    "words": lambda: env.csv("NAME", ("a",)),
    "choice": lambda: env.choice("NAME", "INFO", ("INFO", "DEBUG")),
    "secret": lambda: env.secret("NAME", "s"),
    "rate": lambda: env.rate("NAME", "60/m"),
    "url": lambda: env.url("NAME", "https://a.example"),
}
DEFAULTS = ["default", True, 7, 0.5, ["a"], "INFO", "s", "60/m", "https://a.example"]


class TestUnset:
    @pytest.mark.parametrize(("reader", "default"), list(zip(READERS, DEFAULTS, strict=True)))
    @pytest.mark.parametrize("value", [None, "", "  "])
    def test_means_the_default(self, variable, reader, default, value):
        if value is not None:
            variable(value)

        assert READERS[reader]() == default


class TestValues:
    @pytest.mark.parametrize(
        ("reader", "value", "expected"),
        [
            ("text", " a b ", "a b"),
            ("flag", "FALSE", False),
            ("flag", "0", False),
            ("flag", "Yes", True),
            ("integer", "9", 9),
            ("seconds", "1.5", 1.5),
            ("words", "a, b,,c ,", ["a", "b", "c"]),
            ("choice", "DEBUG", "DEBUG"),
            ("secret", "x=y", "x=y"),
            ("rate", "100/10s", "100/10s"),
            ("url", "http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1"),
        ],
    )
    def test_are_read(self, variable, reader, value, expected):
        variable(value)

        assert READERS[reader]() == expected

    @pytest.mark.parametrize(
        ("reader", "value"),
        [
            ("flag", "on"),
            ("flag", "2"),
            ("integer", "1.0"),
            ("integer", "ten"),
            ("integer", "0"),
            ("integer", "10"),
            ("seconds", "1s"),
            ("seconds", "nan"),
            ("seconds", "inf"),
            ("seconds", "-1"),
            ("seconds", "2.1"),
            ("choice", "debug"),
            ("rate", "60"),
            ("rate", "0/m"),
            ("rate", "60/y"),
            ("rate", "many/m"),
            ("url", "a.example"),
            ("url", "ftp://a.example"),
            ("url", "https://"),
            ("url", "https://a.example:port"),
        ],
    )
    def test_nonsense_stops_the_start_and_names_the_variable(self, variable, reader, value):
        variable(value)

        with pytest.raises(ImproperlyConfigured, match="NAME"):
            READERS[reader]()


class TestSecretFiles:
    def test_are_read(self, variable, tmp_path):
        file = tmp_path / "secret"
        file.write_text("hush\n")
        variable(str(file), name="NAME_FILE")

        assert env.secret("NAME") == "hush"

    def test_that_are_missing_stop_the_start(self, variable, tmp_path):
        variable(str(tmp_path / "none"), name="NAME_FILE")

        with pytest.raises(ImproperlyConfigured, match=r"NAME_FILE: .*none cannot be read"):
            env.secret("NAME")

    def test_that_are_empty_stop_the_start(self, variable, tmp_path):
        (tmp_path / "empty").write_text("\n")
        variable(str(tmp_path / "empty"), name="NAME_FILE")

        with pytest.raises(ImproperlyConfigured, match="is empty"):
            env.secret("NAME")

    def test_beside_the_variable_itself_stop_the_start(self, variable, tmp_path):
        variable("a")
        variable(str(tmp_path), name="NAME_FILE")

        with pytest.raises(ImproperlyConfigured, match="both set"):
            env.secret("NAME")


class TestDatabase:
    def test_reads_every_part(self):
        assert env.database("X", "postgresql://us%40er:p%23%2F@db.example:6432/na%20me?sslmode=verify-full") == {
            "NAME": "na me",
            "USER": "us@er",
            "PASSWORD": "p#/",
            "HOST": "db.example",
            "PORT": 6432,
            "OPTIONS": {"sslmode": "verify-full"},
        }

    def test_a_unix_socket(self):
        found = env.database("X", "postgresql:///docent?host=/run/postgresql")

        assert (found["HOST"], found["NAME"], found["PORT"]) == ("/run/postgresql", "docent", 5432)

    @pytest.mark.parametrize(
        ("url", "says"),
        [
            ("mysql://a/b", "must start with postgresql://"),
            ("a", "must start with postgresql://"),
            ("postgresql:///b", "a host and a database"),
            ("postgresql://a", "a host and a database"),
            ("postgresql://a:x/b", "a port that is not a number"),
            ("postgresql://a:0/b", "a port that is not a number"),
            ("postgresql://a:99999/b", "a port that is not a number"),
            ("postgresql://u:p#w@a/b", "percent-encode"),
            ("postgresql://[::1/b", "is not a URL"),
            ("postgresql://a/b?sslmod=require", "unknown option: sslmod"),
        ],
    )
    def test_nonsense_stops_the_start(self, url, says):
        with pytest.raises(ImproperlyConfigured, match=says) as refused:
            env.database("DATABASE_URL", url)

        assert "DATABASE_URL" in str(refused.value)
        assert "p#w" not in str(refused.value)
