"""The trial of Bluetooth drivers in a virtual machine, for a computer whose kernel has no `/dev/vhci`.

A kernel of Debian on an emulated processor, bluetoothd of this Debian; its root is this computer's own files, read-only
over 9p with a file system in memory above. Its time goes by what its processor has done, not by the clock on the wall:
so a time limit in it means what it means on a real computer, however slow or busy this one is.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.virtual_machine import ROOT_MODULES, download, find_kernel, in_order, initrd, need_programs

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "radio"
CANNOT_RUN = 77  # as automake has it: neither right nor wrong
MEMORY_MB = 1024
NS_AN_INSTRUCTION = 0  # as a power of two: 1 ns, a processor of a thousand million instructions a second
MODULES = (
    *ROOT_MODULES, "overlay",
    "ansi_cprng",  # random numbers, for the keys of a pairing: "drbg" takes none from a clock that does not jitter
    "cmac", "ecb", "algif_hash", "algif_skcipher", "bluetooth", "uhid", "hci_vhci",
)  # fmt: skip
ENDED = "ENDED "
"""What the machine's last line begins with; its exit code follows."""

INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
for m in {modules}; do /bin/busybox insmod /modules/$m; done
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /host || echo NOROOT
/bin/busybox mount -t tmpfs memory /memory
/bin/busybox mkdir /memory/changes /memory/work
/bin/busybox mount -t overlay -o lowerdir=/host,upperdir=/memory/changes,workdir=/memory/work over /new || echo NOROOT
/bin/busybox mount -t proc proc /new/proc
/bin/busybox mount -t sysfs sysfs /new/sys
/bin/busybox mount -t devtmpfs dev /new/dev
/bin/busybox mount -t tmpfs run /new/run
/bin/busybox ifconfig lo 127.0.0.1 up
/bin/busybox chroot /new /bin/sh "{script}"
echo "{ended}$?"
/bin/busybox poweroff -f
"""

SCRIPT = """# What runs in the machine.
export PATH={bluez}/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LANG=C.UTF-8 HOME=/root NO_COLOR=1 PYTHONDONTWRITEBYTECODE=1
cp -r {bluez}/etc/. /etc/
grep -q '^bluetooth:' /etc/group || echo bluetooth:x:112: >> /etc/group  # whom the D-Bus rules of BlueZ name
mkdir -p /run/dbus /var/lib/bluetooth
dbus-daemon --system --fork
# as systemd does with Restart=on-failure
while sleep 1; do {bluez}/usr/libexec/bluetooth/bluetoothd --nodetach >> /run/bluetoothd.log 2>&1; done &
cd {root}
echo "Linux $(uname -r), BlueZ $({bluez}/usr/libexec/bluetooth/bluetoothd --version), bleak {bleak}"
{python} -m tests.radio {arguments}
code=$?
[ $code = 0 ] || tail -20 /run/bluetoothd.log
exit $code
"""


def run_in_machine(arguments: Sequence[str]) -> int:
    """Try drivers in the machine, and return the exit code."""
    try:
        need_programs("qemu-system-x86_64", "busybox", "dbus-daemon")
        FOLDER.mkdir(parents=True, exist_ok=True)
        kernel = find_kernel(FOLDER)
    except pytest.skip.Exception as why:
        print(f"cannot run here: {why}")
        return CANNOT_RUN
    bluez = download("bluez", FOLDER)
    if bluez is None:
        print("cannot run here: apt-get download bluez does not work")
        return CANNOT_RUN
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        script, first = Path(folder, "script"), Path(folder, "initrd")
        script.write_text(
            SCRIPT.format(
                bluez=bluez, root=ROOT, python=sys.executable, bleak=version("bleak"), arguments=shlex.join(arguments)
            ),
            encoding="utf-8",
        )
        modules = in_order(kernel, MODULES)
        init = INIT.format(modules=" ".join(path.name for path in modules), script=script, ended=ENDED)
        first.write_bytes(initrd(init, modules, ["host", "memory", "new"]))
        print("a virtual machine boots; that takes a minute or two", flush=True)
        return _boot(kernel, first)


def _boot(kernel: Path, first: Path) -> int:
    """Boot the machine, and print what it says until it is switched off."""
    (vmlinuz,) = (kernel / "boot").glob("vmlinuz-*")
    code = 1
    with subprocess.Popen(
        ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", str(MEMORY_MB), "-no-reboot",
         "-display", "none", "-monitor", "none", "-serial", "stdio", "-nic", "none",
         "-icount", f"shift={NS_AN_INSTRUCTION},sleep=on", "-device", "virtio-rng-pci",
         "-kernel", str(vmlinuz), "-initrd", str(first), "-append", "console=ttyS0 quiet panic=-1",
         "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    ) as machine:  # fmt: skip
        assert machine.stdout
        for raw in machine.stdout:
            line = raw.decode(errors="replace").rstrip()
            if line.startswith(ENDED):
                code = int(line.removeprefix(ENDED))
            else:
                print(line, flush=True)
    return code
