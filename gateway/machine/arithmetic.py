"""What the last bit of a number may depend on beside the bytes and the program: which arithmetic this computer has.

Kernels do the same operations in the same order whatever they are compiled for. The C library's sine or exponential is
another one on a processor with fused multiply-add than on one without, and numpy has code for each kind of processor.
"""

from __future__ import annotations

import hashlib
import os
import platform

import llvmlite.binding
import numpy as np


def arithmetic() -> str:
    """Return in a line what computes here: two machines that say the same give the same bits."""
    features = llvmlite.binding.get_host_cpu_features().flatten()
    number = hashlib.sha256(features.encode()).hexdigest()[:6]
    processor = f"{platform.machine()} {llvmlite.binding.get_host_cpu_name()} {number}"
    return f"{processor}, {os.confstr('CS_GNU_LIBC_VERSION')}, numpy {np.__version__}"
