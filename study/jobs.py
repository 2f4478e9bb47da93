"""Jobs in processes of their own, each result kept in a file: a run that was stopped goes on."""

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from plan import Job


def place(folder: Path, job: Job) -> Path:
    """Where a job's result is kept."""
    return folder / f"{job.key.replace(' ', '_')}.json"


def load(folder: Path, jobs: Sequence[Job]) -> dict[str, dict[str, Any]]:
    """The results that are there, by section and candidate."""
    found: dict[str, dict[str, Any]] = {}
    for job in jobs:
        file = place(folder, job)
        if file.exists():
            found.setdefault(job.section, {})[str(job.candidate)] = json.loads(file.read_text())
    return found


def run(folder: Path, jobs: Sequence[Job], workers: int, budget: float) -> None:
    """Run what is missing, in order; begin nothing after the budget's seconds."""
    import click

    end = time.monotonic() + budget
    missing = [job for job in jobs if not place(folder, job).exists()]
    for job in missing:
        place(folder, job).parent.mkdir(parents=True, exist_ok=True)
    # A spawned process reads the environment anew: one thread for each.
    with (
        ProcessPoolExecutor(workers, get_context("spawn")) as pool,
        click.progressbar(length=len(jobs), label="jobs", show_pos=True, item_show_func=str) as bar,
    ):
        bar.update(len(jobs) - len(missing), "those of before")
        futures = {pool.submit(_do, folder, job, end): job for job in missing}
        for future in as_completed(futures):
            future.result()
            bar.update(1, futures[future].key)


def _do(folder: Path, job: Job, end: float) -> None:
    if time.monotonic() > end:
        return
    text = json.dumps(job.run(), sort_keys=True)
    file = place(folder, job)
    partial = file.with_suffix(f".{os.getpid()}")
    partial.write_text(text)
    partial.replace(file)
