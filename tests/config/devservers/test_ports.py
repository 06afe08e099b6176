"""Ports of the loopback address."""

import socket

from config.devservers.ports import free_port, is_taken


class TestPorts:
    def test_tell_taken_from_free(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]

            assert is_taken(host="127.0.0.1", port=port)
        assert not is_taken(host="127.0.0.1", port=free_port())
