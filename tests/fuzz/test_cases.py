"""Five hundred cases of bad input, and the proof that a case can be both accepted and refused."""

from random import Random

import pytest

from . import cases
from .__main__ import command, numbered
from .cases import KINDS, make_case
from .pool import Worker

CASES = 500


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_gives_sound_data_or_one_line(worker: Worker, kind: str) -> None:
    results = [worker.run(*case) for case in numbered([kind], CASES // len(KINDS) + 1, seed=1)]
    found = [f"{result.outcome}\n{command(result)}" for result in results if result.failed]
    assert not found, "\n".join(found)
    assert any(result.outcome != "accepted" for result in results)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"folder"}))
def test_the_same_files_undamaged_are_accepted(
    worker: Worker, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("damage", "damage_gzip", "damage_png", "damage_tar", "changed_note"):
        monkeypatch.setattr(cases, name, lambda random, content, other=b"": content)
    results = [worker.run_files(kind, make_case(kind, seed)) for seed in range(12)]
    accepted = [result for result in results if result.outcome == "accepted"]
    assert len(accepted) >= 3, results


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_always_makes_the_same_case(kind: str) -> None:
    assert make_case(kind, 7) == make_case(kind, 7)
    assert len({str(KINDS[kind](Random(seed))) for seed in range(20)}) > 10
