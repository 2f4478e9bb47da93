"""The speed targets of the project, each measured and judged.

Usage: python benchmarks/targets.py [--threads N]

Ratios within one process, contenders in turns, best of several. A target that this machine cannot
be asked about (a missing variant, a missing peer, one processor) says so and counts as not met.
The result is kept in benchmarks/results/<processor>.json.
"""

import argparse
from dataclasses import asdict

import threads


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--threads", type=int, default=min(2, threads.limit()))
    threads.hold(parser.parse_args().threads)
    # The libraries size their thread pools when they are imported.
    import results
    import tables
    import verdicts

    rows = []
    for verdict in verdicts.all_of_them():
        rows.append(asdict(verdict))
        word = "met    " if verdict.met else "NOT MET"
        print(f"{word} {verdict.target}: {verdict.measured}, {verdict.bound}", flush=True)
    print()
    print(tables.targets(rows))
    print(f"written: {results.store('targets', rows)}")


if __name__ == "__main__":
    main()
