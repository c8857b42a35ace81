"""How much memory the private cluster takes for its buffers."""

from __future__ import annotations

import pytest

from rig.postgres import memory_octets, shared_buffers

GIB = 2**30


@pytest.mark.parametrize(
    ("memory", "wanted"),
    [(GIB // 2, "128MB"), (4 * GIB, "512MB"), (16 * GIB, "2048MB"), (512 * GIB, "2048MB")],
)
def test_an_eighth_of_the_memory(memory: int, wanted: str) -> None:
    assert shared_buffers(memory) == wanted


def test_this_machine_has_memory() -> None:
    assert memory_octets() > GIB // 4
