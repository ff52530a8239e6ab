"""Turns the runs of bench/compare into medians, a table, JSON and a picture."""

import json
import os
import statistics
import subprocess
import sys

from measure import figures

PLOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "plot.py")


def summarise(runs):
    """runs: {figure: {system: [values]}}. Returns a row for every figure that has values."""
    rows = []
    for figure in figures.FIGURES:
        values = runs.get(figure.name, {})
        if not any(values.values()):
            continue
        medians = {system: statistics.median(found) for system, found in values.items() if found}
        ratio = None
        if medians.get("kafka") and "millrace" in medians:
            ratio = medians["millrace"] / medians["kafka"]
        rows.append({
            "figure": figure.name, "about": figure.about, "unit": figure.unit, "reach": figure.reach,
            "kafka": medians.get("kafka"), "millrace": medians.get("millrace"), "ratio": ratio,
            "reached": figures.reached(figure, ratio, medians.get("millrace")), "values": values,
        })
    return rows


def number(value):
    if value is None:
        return "-"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def table(rows):
    head = ("figure", "unit", "Kafka", "Millrace", "ratio", "to reach", "")
    verdicts = {True: "reached", False: "NOT REACHED", None: ""}
    lines = [head] + [
        (row["figure"], row["unit"], number(row["kafka"]), number(row["millrace"]),
         "-" if row["ratio"] is None else f"{row['ratio']:.3f}", row["reach"] or "",
         verdicts[row["reached"]])
        for row in rows
    ]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = []
    for line in lines:
        cells = [cell.ljust(width) if i in (0, 1, 6) else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)


def write_json(path, about, rows):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"about": about, "figures": rows}, out, indent=1)


def write_picture(json_path, png_path):
    """Draws with whichever Python has matplotlib. Returns what went wrong, or None."""
    why = "no Python with matplotlib: install python3-matplotlib"
    for python in (sys.executable, "/usr/bin/python3"):
        done = subprocess.run([python, PLOT, json_path, png_path], capture_output=True, text=True,
                              timeout=120, check=False)
        if done.returncode == 0:
            return None
        if "matplotlib" not in done.stderr:
            why = done.stderr[-300:]
    return why
