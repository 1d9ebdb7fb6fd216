"""The whole catalogue: every attack gains nothing, and gains where its defence is not.

These are the arms that `sealed selftest` runs. Tests of single attacks look closer, and are quick.
"""

from collections.abc import Iterator

import pytest

from controller.selftest import Control, Selftest
from sandbox.service import Service
from tests.support.attacks import ATTACKS
from tests.support.control import control_items

pytestmark = [pytest.mark.docker, pytest.mark.attack]

TRIED = [attack for attack in ATTACKS.values() if attack.header.canaries]
FLIPPED = [attack for attack in TRIED if attack.header.control is Control.flip]


@pytest.fixture(scope="module")
def selftest(service: Service) -> Iterator[Selftest]:
    """On the sandbox that all tests share."""
    selftest = Selftest(service)
    yield selftest
    selftest.close()


@pytest.mark.parametrize("name", ["resumed_checkpoint", "cgroup_paths"])
def test_an_item_has_both_columns(selftest: Selftest, name: str, runtime: str) -> None:
    """Beside what an attack came to stands what it gains elsewhere, measured where that is safe."""
    item = selftest.item(ATTACKS[name].under(runtime))
    assert item.gained is False, item
    if ATTACKS[name].header.control is Control.flip:
        assert item.control_gained is None
        assert "--control flips HostConfig.CgroupnsMode" in item.control
    else:
        assert item.control_gained is True, item


@pytest.mark.slow
@pytest.mark.parametrize("name", [attack.name for attack in TRIED])
def test_every_attack_gains_nothing(selftest: Selftest, name: str, runtime: str) -> None:
    """None of its canaries appears, it was really tried, and in a naive loop it gains."""
    attack = ATTACKS[name].under(runtime)
    if not attack.header.canaries:
        pytest.skip("under this runtime only the doctor can tell")
    item = selftest.item(attack)
    assert item.gained is False, item
    assert item.control_gained is not False, item


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:overflow encountered:RuntimeWarning",  # numpy's, of a mean
    "ignore:unclosed <socket.* family=1,:ResourceWarning",  # of sets that are not removed
)
@pytest.mark.parametrize("name", [attack.name for attack in FLIPPED])
def test_control_without_its_defence_it_gains(service: Service, name: str) -> None:
    """With the settings and rules that it names taken out, its canary appears."""
    (item,) = control_items(service, [ATTACKS[name]])
    assert item.control_gained, item
