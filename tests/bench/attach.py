"""The measure for the relay: one container that runs `cat`, attached to directly."""

import select
import socket
import struct
import time
from dataclasses import dataclass
from statistics import median

from sandbox.containers.host import Host
from sandbox.containers.probe import probe_order
from sandbox.policy import role_spec

ROUNDS, TRANSFERS = 300, 24
SMALL, LARGE = 64, 8 << 20


@dataclass(frozen=True)
class Bare:
    """Seconds of an echo of 64 bytes; MB/s echoed, a byte there and back counted once."""

    round_trip: float
    megabytes_per_second: float


def bare_attach(host: Host) -> Bare:
    """Measure it."""
    order = probe_order(host, host.engine.image(host.config.agent_image).id)
    spec = role_spec(order) | {"Cmd": ["/bin/cat"]}
    container = host.engine.create(spec, f"sealed-bench-{order.timer_uid}")
    try:
        connection = host.engine.attach(container, output=True)
        host.engine.start(container)
        stream = connection.socket
        _echo(stream, SMALL)
        trips = [_echo(stream, SMALL) for _ in range(ROUNDS)]
        began = time.perf_counter()
        for _ in range(TRANSFERS):
            _echo(stream, LARGE)
        seconds = (time.perf_counter() - began) / TRANSFERS
        return Bare(median(trips), LARGE / 1e6 / seconds)
    finally:
        host.engine.remove(container)
        host.uids.release(order.timer_uid)


def _echo(stream: socket.socket, size: int) -> float:
    """Send `size` bytes, read them back out of the engine's pieces; seconds."""
    began = time.perf_counter()
    out = memoryview(b"\0" * size)
    received, buffer = 0, b""
    while received < size:
        readable, writable, _ = select.select([stream], [stream] if out else [], [])
        if writable:
            out = out[stream.send(out) :]
        if readable:
            buffer += stream.recv(1 << 18)
            while len(buffer) >= 8:
                (length,) = struct.unpack(">4xI", buffer[:8])
                if len(buffer) < 8 + length:
                    break
                buffer = buffer[8 + length :]
                received += length
    return time.perf_counter() - began
