"""Free TCP ports on loopback."""

import random
import socket

# Both a port and its twin lie below the ranges from which Linux (32768) and macOS (49152) take the
# ports of outgoing connections: none can seize one between our look and the server's bind.
TWIN = 10_000
_RANGE = range(10_000, 22_000)


def free_ports(count: int) -> list[int]:
    """`count` different ports that nobody listens on just now, nor on `TWIN` above them."""
    drawn = random.sample(_RANGE, count * 20)
    return [port for port in drawn if _is_free(port) and _is_free(port + TWIN)][:count]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers bind: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
