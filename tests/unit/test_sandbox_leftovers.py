"""What a leftover channel is said to carry."""

import pytest

from sandbox.doctor.leftovers import Leftover


@pytest.mark.parametrize(
    ("wrong", "capacity"), [(0, 1000), (100, 0), (200, 1000), (22, 500.1), (10, 713.6)]
)
def test_the_figure_is_the_capacity_of_the_channel(wrong: int, capacity: float) -> None:
    """Bits a second less what errors cost: half of them wrong is nothing, all of them is all."""
    leftover = Leftover("pages", bits=200, wrong=wrong, seconds=0.2)
    assert leftover.bits_per_second == pytest.approx(capacity, abs=0.1)


def test_where_nothing_was_sent_nothing_is_carried() -> None:
    """A machine that has all of the image in memory has no note to show, and divides nothing."""
    assert Leftover("pages", bits=0, wrong=0, seconds=0.0).bits_per_second == 0


@pytest.mark.parametrize(
    ("bits", "wrong", "carries"), [(200, 0, True), (200, 60, True), (200, 100, False),
                                   (200, 85, False), (200, 190, True), (0, 0, False),
                                   (9, 0, False), (20, 0, True)]
)  # fmt: skip
def test_chance_is_no_channel(bits: int, wrong: int, carries: bool) -> None:
    """About half of the bits are right by chance; all of them wrong is a note turned round."""
    assert Leftover("names", bits=bits, wrong=wrong, seconds=1.0).carries is carries
