"""The control arms of attacks, each with its defences taken out: `sealed selftest --control`.

`python -m tests.support.control NAME…` starts an engine of its own, runs the arms on it, writes the
items as JSON to stdout, and leaves nothing. Root on Linux alone.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import msgspec
import pytest

from controller.selftest import Attack, Item, Selftest, read_attacks
from controller.selftest.arms import gains
from sandbox.config import Config
from sandbox.containers.host import Host
from sandbox.engine import Engine
from sandbox.service import Service
from tests.support.flips import TASK_RULES, changed, flip
from tests.support.own_engine import OwnEngine, own_engine


def flipped(service: Service, selftest: Selftest, attack: Attack) -> Item:
    """One attack with all its defences taken out."""
    began = time.monotonic()
    selftest.honest(attack)
    with pytest.MonkeyPatch.context() as patch:
        flip(attack.header.defences, patch, service)
        seen = selftest.sealed(attack)
    gain = gains(attack, seen)
    return Item(
        attack=attack.name,
        group=attack.header.group,
        expected="gains",
        seen=", ".join(f"{one.outcome} {one.reason}".strip() for one in seen)[:300],
        gained=None,
        control=gain or "gains nothing",
        control_gained=bool(gain),
        defences=attack.header.defences,
        seconds=round(time.monotonic() - began, 1),
    )


def control_items(service: Service, attacks: Sequence[Attack]) -> Iterator[Item]:
    """The control arms of these attacks, one after the other; each is tried twice at most.

    `service` keeps no containers ready: those would have been made by the policy as it is.
    """
    with ExitStack() as stack:
        usual = stack.enter_context(closing(Selftest(service)))
        for attack in attacks:
            selftest = usual
            if any(name in TASK_RULES for name in attack.header.defences):
                change = partial(changed, attack.header.defences)
                selftest = stack.enter_context(closing(Selftest(service, change=change)))
            item = flipped(service, selftest, attack)
            yield item if item.control_gained else flipped(service, selftest, attack)


def give_a_way_out(engine: OwnEngine) -> None:
    """A link and a route in the engine's network namespace, for what reaches out; it leads nowhere.

    The namespace of a host that has a network would be the real one.
    """
    for words in (
        ("link", "set", "lo", "up"),
        ("link", "add", "eth0", "type", "veth", "peer", "name", "nowhere"),
        ("addr", "add", "192.0.2.2/24", "dev", "eth0"),
        ("link", "set", "eth0", "up"),
        ("link", "set", "nowhere", "up"),
    ):
        subprocess.run(["nsenter", f"--net=/proc/{engine.pid}/ns/net", "ip", *words], check=True)


def main(names: Sequence[str]) -> None:
    """Run the arms on an engine of their own."""
    attacks = [attack for attack in read_attacks() if attack.name in names]
    with tempfile.TemporaryDirectory(prefix="sealed-control-") as name:
        folder = Path(name)
        (folder / "engine").mkdir()
        with own_engine(folder / "engine") as engine:
            give_a_way_out(engine)
            config = Config(home=folder / "home", socket=folder / "home" / "sandbox.sock")
            service = Service(Host.of(config, Engine(engine.url)), keep_warm=False)
            items = []
            try:
                for item in control_items(service, attacks):
                    told = "gains: " if item.control_gained else "GAINS NOTHING: "
                    print(f"{item.attack}: {told}{item.control}", file=sys.stderr, flush=True)
                    items.append(item)
            finally:
                service.close()
    sys.stdout.buffer.write(msgspec.json.encode(items))


if __name__ == "__main__":
    main(sys.argv[1:])
