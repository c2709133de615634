"""The power of a virtual machine is cut while it fills its outbox: what it had called durable must be there.

A kernel of Debian on an emulated processor (QEMU, TCG); its root is this machine's own, read-only over 9p, its disk an
ext4 file system in a file. Killing QEMU takes all that the guest had not flushed, as a power cut does; a disk that lies
about flushes is not covered. Needs ``qemu-system-x86_64``, a static ``busybox`` and ``mke2fs``; the kernel comes from
``apt-get download`` unless ``FAULTS_KERNEL`` names a folder with ``boot/vmlinuz-*`` and ``lib/modules``.
"""

from __future__ import annotations

import queue
import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.faults.outcome import Outcome, Progress
from tests.virtual_machine import ROOT_MODULES, find_kernel, in_order, initrd, need_programs, with_sbin

ROOT = Path(__file__).parents[2]
DISK_MB = 64
MEMORY_MB = 640
BOOT_S = 300.0
"""An emulated processor, on a machine that has other work."""
CUT_S = (1.5, 3.5)
"""After the first word of something durable."""
WORDS = frozenset({"OPENED", "DURABLE", "VERSION", "BEGAN", "KEPT"})
"""What lines of a guest begin with that mean something."""

INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
for m in {modules}; do /bin/busybox insmod /modules/$m; done
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /new || echo NOROOT
/bin/busybox mount -t proc proc /new/proc
/bin/busybox mount -t devtmpfs dev /new/dev
/bin/busybox mount -t tmpfs run /new/run
/bin/busybox mount -t ext4 /dev/vda /new/mnt || echo NODISK
export TMPDIR=/run
/bin/busybox chroot /new /bin/sh -c 'cd "{root}" && exec "{python}" -B -m tests.faults.{guest} /mnt {run} {how}'
echo ENDED
/bin/busybox umount /new/mnt
/bin/busybox poweroff -f
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a start of the machine found in its outbox."""

    epoch: str
    last: int
    rows: int
    wrong: int
    set_aside: int


class Machine:
    """One life of the virtual machine, from boot to power cut."""

    def __init__(self, folder: Path, kernel: Path, run: int, how: str, guest: str = "power_guest") -> None:
        modules = in_order(kernel, ROOT_MODULES)
        names = " ".join(path.name for path in modules)
        init = INIT.format(modules=names, root=ROOT, python=sys.executable, run=run, how=how, guest=guest)
        first = folder / "initrd"
        first.write_bytes(initrd(init, modules, ["new"]))
        (vmlinuz,) = (kernel / "boot").glob("vmlinuz-*")
        with (folder / "qemu.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", str(MEMORY_MB), "-nographic", "-no-reboot",
                 "-kernel", str(vmlinuz), "-initrd", str(first), "-append", "console=ttyS0 quiet panic=-1",
                 "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
                 "-drive", f"file={folder / 'disk.img'},format=raw,if=virtio,cache=writeback"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self.run = run
        self.console = folder / "console.log"
        self.words: queue.Queue[list[str]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, name="console", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        with self.console.open("ab") as console:
            for raw in self.process.stdout:
                console.write(raw)
                words = raw.decode(errors="replace").split()
                if words and words[0] in WORDS and raw.endswith(b"\n"):
                    self.words.put(words)

    def wait_for(self, word: str) -> list[str]:
        """Return the next line that begins with a word."""
        deadline = time.monotonic() + BOOT_S
        while True:
            try:
                words = self.words.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                tail = self.console.read_text(errors="replace")[-600:]
                raise RuntimeError(f"the virtual machine did not say {word}: {tail}") from None
            if words[0] == word:
                return words

    def opened(self) -> Opened:
        """Return what it found."""
        _, epoch, *numbers = self.wait_for("OPENED")
        return Opened(epoch, *map(int, numbers))

    def cut(self) -> None:
        """Take the power away."""
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def durable(self) -> int:
        """Return the last number that it called durable; after the cut."""
        last = 0
        while not self.words.empty():
            words = self.words.get()
            if words[0] == "DURABLE" and len(words) == 3:
                last = int(words[2])
        return last


def power_cuts(folder: Path, *, cuts: int, seed: int, progress: Progress) -> Outcome:
    """Cut the power so many times, and compare after each what is there with what was called durable."""
    outcome = Outcome("power cut of a virtual machine")
    need_programs()
    folder.mkdir(parents=True)
    kernel = find_kernel(folder)
    make_disk(folder, DISK_MB)
    rng = random.Random(seed)
    durable, epoch = 0, ""
    for run in range(1, cuts + 2):
        last = run > cuts
        machine = Machine(folder, kernel, run, "look" if last else "fill")
        try:
            opened = machine.opened()
            if epoch and opened.epoch != epoch:
                outcome.notes.append(f"a new epoch after cut {run - 1}: {opened.set_aside} files set aside")
            outcome.lost += max(0, durable - opened.rows)
            outcome.silent = outcome.lost
            if opened.wrong or opened.rows != opened.last:
                outcome.notes.append(f"{opened.wrong} wrong rows, {opened.rows} rows up to {opened.last}")
            outcome.made, outcome.stored, epoch = durable, opened.rows, opened.epoch
            if last:
                break
            durable = int(machine.wait_for("DURABLE")[2])
            time.sleep(rng.uniform(*CUT_S))
        finally:
            machine.cut()
        durable = max(durable, machine.durable())
        outcome.times += 1
        progress(outcome.times / (cuts + 1))
    outcome.remark = f"{outcome.stored - outcome.made} rows more than were called durable"
    return outcome


def make_disk(folder: Path, megabytes: int) -> None:
    """Make the disk of a machine, empty."""
    with (folder / "disk.img").open("wb") as disk:
        disk.truncate(megabytes << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-F", str(folder / "disk.img")], check=True, env=with_sbin())
