"""Pairs of uids: no two running containers share one."""

import threading

from sandbox.containers.uids import HIGHEST, LOWEST, UidPairs

PAIRS = (HIGHEST - LOWEST) // 2


def test_pairs_are_distinct_and_unprivileged() -> None:
    """As many leases as there are pairs are all different, none of them root's or out of range."""
    uids = UidPairs()
    leased = [uids.lease() for _ in range(PAIRS)]
    each = [uid for pair in leased for uid in pair]
    assert len(set(each)) == 2 * PAIRS
    assert min(each) == LOWEST > 0
    assert max(each) == HIGHEST - 1
    assert all(timer + 1 == program for timer, program in leased)
    assert uids.leased == PAIRS


def test_a_released_pair_comes_back_last() -> None:
    """A pair is used again only after all others: who held it is long gone by then."""
    uids = UidPairs()
    first = uids.lease()[0]
    uids.release(first)
    assert uids.leased == 0
    seen = []
    for _ in range(PAIRS):
        timer, _ = uids.lease()
        uids.release(timer)
        seen.append(timer)
    assert seen.index(first) == PAIRS - 1
    assert len(set(seen)) == PAIRS


def test_what_is_out_is_stepped_over() -> None:
    """After wrapping around, a pair that is still leased is not given out twice."""
    uids = UidPairs()
    kept = {uids.lease()[0] for _ in range(10)}
    for _ in range(2 * PAIRS):
        timer, _ = uids.lease()
        assert timer not in kept
        uids.release(timer)
    assert uids.leased == 10


def test_releasing_twice_is_fine() -> None:
    """Death may be confirmed twice; the second time changes nothing."""
    uids = UidPairs()
    timer, _ = uids.lease()
    other, _ = uids.lease()
    uids.release(timer)
    uids.release(timer)
    assert uids.leased == 1
    uids.release(other)
    assert uids.leased == 0


def test_sandboxes_do_not_begin_alike() -> None:
    """Two sandboxes on one engine begin at random places: almost surely their pairs differ."""
    assert len({UidPairs().lease()[0] for _ in range(20)}) > 10


def test_threads_get_different_pairs() -> None:
    """Containers are started by several threads at once."""
    uids = UidPairs()
    leased: list[int] = []

    def lease() -> None:
        leased.extend(uids.lease()[0] for _ in range(200))

    threads = [threading.Thread(target=lease) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(leased)) == len(leased) == 1600 == uids.leased
