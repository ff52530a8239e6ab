"""plot.py IN.json OUT.png: one bar for each figure, Millrace divided by Apache Kafka, and its goal."""

import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as pyplot  # noqa: E402


def main():
    with open(sys.argv[1], encoding="utf-8") as text:
        run = json.load(text)
    rows = [row for row in run["figures"] if row["ratio"]]
    both = bool(rows)
    rows = rows or run["figures"]
    picture, axes = pyplot.subplots(figsize=(10, 0.42 * len(rows) + 1.6))
    colours = {True: "#2a7f62", False: "#b5482e", None: "#7d8597"}
    for place, row in enumerate(rows):
        value = row["ratio"] if both else (row["kafka"] or row["millrace"] or 0)
        axes.barh(place, value, color=colours[row["reached"]], height=0.62)
        note = f" {value:.3g}" if both else f" {value:,.4g} {row['unit']}"
        axes.text(value, place, note, va="center", fontsize=8)
        if both and row["reach"] and "alone" not in row["reach"]:
            goal = float(row["reach"].split()[1])
            axes.plot([goal, goal], [place - 0.38, place + 0.38], color="black", linewidth=1.6)
    axes.set_yticks(range(len(rows)), [f"{row['figure']} ({row['unit']})" for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.15)
    if both:
        axes.axvline(1, color="black", linewidth=0.8, linestyle=":")
        axes.set_xlabel("Millrace ÷ Apache Kafka (log scale; the black mark is the goal)")
    about = run["about"]
    axes.set_title(f"Millrace and Apache Kafka {about['kafka']}, {about['cores']} cores, "
                   f"medians of {about['pairs']} interleaved pairs", fontsize=10)
    picture.tight_layout()
    picture.savefig(sys.argv[2], dpi=130)


if __name__ == "__main__":
    main()
