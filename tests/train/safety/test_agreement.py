"""Processes agree on the point at which they stop, none waits for another's step, and none goes beyond."""

from __future__ import annotations

import random
import threading
import time

from vitcli.train.safety.agreement import Agreement

RANKS = 4


def test_all_stop_at_the_same_point_whenever_they_are_asked():
    for seed in range(20):
        drawn = random.Random(seed)
        agreements = [Agreement() for _ in range(RANKS)]
        # a step is a collective: nobody ends it before all have begun it
        collective = threading.Barrier(RANKS)
        stopped: dict[int, int] = {}

        def train(rank: int, agreement: Agreement, pauses: list[float], step: threading.Barrier, ends: dict[int, int]):
            for point, pause in enumerate(pauses):
                step.wait(10)
                time.sleep(pause)
                if agreement.arrives():
                    ends[rank] = point
                    return

        threads = []
        for rank, agreement in enumerate(agreements):
            pauses = [drawn.random() * 0.003 for _ in range(50)]
            threads.append(threading.Thread(target=train, args=(rank, agreement, pauses, collective, stopped)))
            threads[-1].start()
        time.sleep(drawn.random() * 0.05)
        promises = []
        for agreement in agreements:
            promises.append(agreement.promise())
            time.sleep(drawn.random() * 0.005)
        for agreement in agreements:
            agreement.settle(max(promises))
            time.sleep(drawn.random() * 0.005)
        for thread in threads:
            thread.join(10)
        assert len(stopped) == RANKS, seed
        assert len(set(stopped.values())) == 1, seed
        # and soon: numbers of points are from 1, those of the loop from 0
        assert stopped[0] + 1 == max(promises)


def test_nobody_who_was_not_asked_waits():
    agreement = Agreement()
    start = time.monotonic()
    assert not any(agreement.arrives() for _ in range(10_000))
    assert time.monotonic() - start < 1
