"""The memory limit, as the container's cgroup tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman_sidecar.memory import memory_limit_bytes

MIB = 1 << 20


@pytest.mark.parametrize(
    ("name", "text", "limit"),
    [
        ("memory.max", "268435456\n", 256 * MIB),
        ("memory.max", "max\n", None),
        ("memory/memory.limit_in_bytes", "67108864\n", 64 * MIB),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", None),
        ("unknown", "1\n", None),
    ],
)
def test_a_containers_limit_is_read_in_either_version(
    tmp_path: Path, name: str, text: str, limit: int | None
) -> None:
    """`max`, the largest number of pages and no file at all mean that there is none."""
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    assert memory_limit_bytes(tmp_path) == limit
