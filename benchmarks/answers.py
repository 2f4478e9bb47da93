"""The kept results as the tables of the documentation: one for each question that a reader has."""

from collections.abc import Mapping, Sequence
from typing import Any

from contenders import CONTENDERS, OURS
from tables import duration, markdown, power, question, significant

DECADES = range(9)
PEERS_OF_FUNCTIONS = [name for name, c in CONTENDERS.items() if name != OURS and not c.is_limit]

Table = Mapping[str, Any]


def strongest(table: Table, column: str) -> str:
    """Return the fastest peer of a column."""
    found = {
        name: cells[column]["median"]
        for name, cells in table["cells"].items()
        if column in cells and name in PEERS_OF_FUNCTIONS and not name.startswith(OURS)
    }
    return min(found, key=lambda name: found[name])


def cell(table: Table, name: str, column: str) -> str:
    """Return nanoseconds an element with their spread, and the error."""
    found = table["cells"].get(name, {}).get(column)
    if found is None:
        return "-"
    ns = found["median"] / table["elements"][column] * 1e9
    percent = 100 * found["spread"] / found["median"]
    error = f", {found['error']}" if found["error"] else ""
    return f"{significant(ns)} ± {percent:.0f}%{error}"


def functions(table: Table) -> str:
    """Return a line a function: s3s4, the fastest peer and PyTorch, with their errors."""
    copy = next(name for name in table["cells"] if name.startswith("copy"))
    head = [table["caption"], "s3s4", "fastest peer", "who that is", "times s3s4", "torch", copy]
    body = []
    for column in table["elements"]:
        peer = strongest(table, column)
        cells = table["cells"]
        ratio = cells[peer][column]["median"] / cells[OURS][column]["median"]
        body.append(
            [
                column,
                cell(table, OURS, column),
                cell(table, peer, column),
                peer.removesuffix(", out="),
                f"{ratio:.2f}x",
                cell(table, "torch, out=", column),
                cell(table, copy, column),
            ]
        )
    return markdown(head, body)


def busy(content: Mapping[str, Any]) -> str:
    """Return what threads cost at each power of ten, and where they cost the most."""
    columns = list(content)
    rows = {column: {row["n"]: row for row in content[column]["rows"]} for column in columns}
    head = ["S4 of n elements: as it comes / one thread", *columns]
    body = []
    for n in (10**e for e in DECADES):
        if all(n in rows[column] for column in columns):
            body.append([power(n), *(ratio(rows[column][n]) for column in columns)])
    worst = [max(rows[c].values(), key=lambda row: row["ratio"]["median"]) for c in columns]
    sizes = min(len(found) for found in rows.values())
    body.append([f"the worst of {sizes} sizes", *(ratio(w) for w in worst)])
    body.append(["which is n", *(str(w["n"]) for w in worst)])
    taken = (f"{content[column].get('others', 0.0):.2f}" for column in columns)
    body.append(["processors that others took", *taken])
    serial = (duration(rows[columns[0]][n]["serial"]) for n in (1, 10**4, 10**8)
              if n in rows[columns[0]])  # fmt: skip
    return (
        markdown(head, body)
        + f"\nOne thread takes {', '.join(serial)} at the first, the middle and the last size"
        f" ({columns[0]}).\n"
    )


def ratio(row: Mapping[str, Any]) -> str:
    """Return a ratio with its quartiles."""
    r = row["ratio"]
    return f"{r['median']:.2f}x ({r['low']:.2f} to {r['high']:.2f})"


def targets(content: Mapping[str, Any]) -> str:
    """Return how many targets of each point are met, and those that are not with their figures."""
    rows: Sequence[Mapping[str, Any]] = content["rows"]
    counts = []
    for point in dict.fromkeys(row["point"] for row in rows):
        of_point = [row["verdict"] for row in rows if row["point"] == point]
        known = ("met", "MISSED", "not measurable")
        counts.append([point, *(str(of_point.count(word) or "") for word in known)])
    missed = [
        [f"{row['point']}: {row['target']}", row["asked"], row["measured"], row["note"]]
        for row in rows
        if row["verdict"] == "MISSED"
    ]
    head = ["missed", "asked", "measured (quartiles)", "remark"]
    return (
        markdown(["point", "met", "missed", "not measurable here"], counts)
        + "\n"
        + (markdown(head, missed) if missed else "None is missed.\n")
        + f"\nBefore the run: {content['before']}; during it: {content['during']}.\n"
    )


def speed(content: Mapping[str, Any]) -> str:
    """Return the tables of the README: S4, and functions of the family, with the fastest peers."""
    large = content["tables"]["large"]
    columns = list(large["elements"])

    def shown(name: str, column: str) -> str:
        found = large["cells"].get(name, {}).get(column)
        if found is None:
            return "-"
        ns = significant(found["median"] / large["elements"][column] * 1e9)
        if name == OURS or name == "copy":
            return ns
        return f"{ns} ({found['median'] / large['cells'][OURS][column]['median']:.1f}x)"

    first = columns[0]
    order = sorted(
        (name for name in large["cells"] if name not in (OURS, "s3s4, new output", "copy")),
        key=lambda name: large["cells"][name][first]["median"],
    )
    names = [OURS, "s3s4, new output", *order, "copy"]
    body = [[name, *(shown(name, column) for column in columns)] for name in names]
    return (
        markdown(["ns an element", *columns], body)
        + "\nThe family in float32, each function beside the fastest of seven libraries:\n\n"
        + functions(content["tables"]["functions"])
    )


def answer(content: Mapping[str, Any], name: str) -> str:
    """Return the table of a question."""
    table = content["tables"][name]
    if name.startswith("functions"):
        return functions(table)
    return question(table, turned=name == "rows")
