"""What virtual machines of the tests begin with: modules in the order of their needs, and an archive that is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.virtual_machine import in_order, initrd


def module(folder: Path, name: str, *needs: str) -> None:
    (folder / f"{name}.ko").write_bytes(b"ELF\0license=GPL\0depends=" + ",".join(needs).encode() + b"\0name=x\0")


def test_each_module_comes_after_those_that_it_needs_and_what_is_built_in_is_left_out(tmp_path: Path) -> None:
    module(tmp_path, "adapter", "stack", "built_in")
    module(tmp_path, "stack", "curve", "two-words")
    module(tmp_path, "two-words")
    module(tmp_path, "curve")
    names = [path.stem for path in in_order(tmp_path, ["adapter", "two_words", "nowhere"])]
    assert names == ["curve", "two-words", "stack", "adapter"]


@pytest.mark.skipif(shutil.which("busybox") is None, reason="needs busybox: apt install busybox-static")
def test_the_first_file_system_can_be_unpacked(tmp_path: Path) -> None:
    module(tmp_path, "adapter")
    archive = initrd("#!/bin/busybox sh\n", [tmp_path / "adapter.ko"], ["new"])
    listed = subprocess.run(["busybox", "cpio", "-t"], input=archive, capture_output=True, check=True)
    assert {"init", "new", "bin/busybox", "modules/adapter.ko"} <= set(listed.stdout.decode().split())
