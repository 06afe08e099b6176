"""HOST and PORT are judged before anything starts."""

import socket

import pytest

from config.devservers.ports import free_port
from config.local.options import Unusable, read_options
from tests.config.devservers.outside import bare_environment, start


class TestReadOptions:
    def test_serves_the_loopback_address_on_the_port_that_is_asked_for(self, tmp_path):
        port = free_port()

        options = read_options(demo=False, var=tmp_path, environment={"PORT": str(port)})

        assert (options.host, options.port, options.base_url) == ("127.0.0.1", port, f"http://127.0.0.1:{port}")

    def test_names_an_address_that_can_be_reached_when_it_serves_all(self, tmp_path):
        port = free_port()

        options = read_options(demo=False, var=tmp_path, environment={"PORT": str(port), "HOST": "0.0.0.0"})

        assert options.base_url == f"http://127.0.0.1:{port}"

    @pytest.mark.parametrize(
        ("demo", "key", "simulated"), [(True, "", True), (True, "sk-real", False), (False, "", False)]
    )
    def test_simulates_ai_in_a_demo_without_a_key_only(self, tmp_path, demo, key, simulated):
        environment = {"PORT": str(free_port()), "OPENAI_API_KEY": key}

        options = read_options(demo=demo, var=tmp_path, environment=environment)

        assert options.simulate_ai is simulated

    @pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "80.0", "²"])
    def test_refuses_what_is_no_port(self, tmp_path, port):
        with pytest.raises(Unusable, match="PORT must be a whole number from 1 to 65535, not"):
            read_options(demo=False, var=tmp_path, environment={"PORT": port})

    def test_refuses_an_address_that_this_machine_does_not_have(self, tmp_path):
        environment = {"PORT": str(free_port()), "HOST": "203.0.113.1"}

        with pytest.raises(Unusable, match=r"HOST 203\.0\.113\.1 with PORT \d+ cannot be used"):
            read_options(demo=False, var=tmp_path, environment=environment)

    def test_refuses_a_taken_port_before_anything_starts(self, tmp_path):
        with socket.socket() as rival:
            rival.bind(("127.0.0.1", 0))
            rival.listen()
            port = rival.getsockname()[1]
            up = start(
                *("config.local", "demo", "--var", tmp_path / "var"), environment=bare_environment(PORT=str(port))
            )
            output, errors = up.communicate(timeout=20)

        assert up.returncode == 1
        assert f"Port {port} of 127.0.0.1 is taken" in errors
        assert f"make demo PORT={port + 1}" in errors
        assert output == ""
        assert not (tmp_path / "var").exists()
