"""What a result depends on: processor, threads, and the versions of everything that took part."""

import os
import platform
import re
from pathlib import Path
from typing import Any

import s3s4
import threads
from contenders import CONTENDERS


def processor() -> str:
    """Return the name of the processor as the kernel has it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def slug(text: str) -> str:
    """Return a text as a file name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower().replace("(r)", "")).strip("-")


def free_bytes() -> int:
    """Return the memory that new arrays may use."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        found = re.search(r"MemAvailable:\s+(\d+) kB", meminfo.read_text())
        if found:
            return int(found[1]) * 1024
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def describe() -> dict[str, Any]:
    """Collect what a reader must know of the machine and its software."""
    build = s3s4.build_config()
    return {
        "processor": processor(),
        "processors": os.cpu_count(),
        "threads": threads.limit(),
        "system": " ".join([platform.system(), platform.machine(), *platform.libc_ver()]),
        "python": platform.python_version(),
        "versions": {c.library: c.version for c in CONTENDERS.values()},
        "s3s4": {key: build[key] for key in ("variant", "compiler", "flags", "openmp")},
        "load": os.getloadavg()[0],
    }


def title(description: dict[str, Any], what: str) -> str:
    """Say in a line what a picture shows."""
    return (
        f"{what}, every contender on {description['threads']} threads of {description['processor']}"
    )


def lines(description: dict[str, Any]) -> list[str]:
    """Say it for people."""
    build = description["s3s4"]
    versions = ", ".join(f"{k} {v}" for k, v in sorted(description["versions"].items()))
    return [
        f"{description['processor']}, {description['processors']} processors, "
        f"{description['threads']} threads for every contender",
        f"{description['system']}, Python {description['python']}",
        f"s3s4: variant {build['variant']}, {build['compiler']}, OpenMP {build['openmp']}",
        versions,
    ]
