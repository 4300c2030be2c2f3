#!/usr/bin/env python3
"""Table and plots of what launch/scaling.sh measured and planned: launch/scaling_plots.py FOLDER

Reads points.txt and points/*.json there; writes table.csv, table.json, time.svg, efficiency.svg, bytes.svg, memory.svg.
Points are measured, lines are the plan's. Nothing but the standard library is used."""
import csv
import html
import json
import math
import pathlib
import sys

COLOURS = ["#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f"]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 400, 70, 150, 34, 44


def read_points(folder):
    rows = []
    for line in (folder / "points.txt").read_text().splitlines():
        mode, kind, length, ranks, batch = line.split()
        name = f"{kind}-{length}-{ranks}-{batch}"
        measured = json.loads((folder / "points" / f"{name}.json").read_text())
        plan = json.loads((folder / "points" / f"{name}.plan.json").read_text())
        counted = plan["memory"]["store"] + plan["memory"]["optimizer"] + plan["memory"]["scratch"] + plan["memory"]["sequences"]
        rows.append({
            "mode": mode, "kind": kind, "length": int(length), "ranks": int(ranks), "batch": int(batch),
            "tokens": measured["tokens"],
            "seconds": measured["step_seconds"], "planned_seconds": plan["step_seconds"],
            "tokens_per_second": measured["tokens_per_second"], "share_of_peak": measured["share_of_peak"],
            "bytes": sum(measured["bytes"].values()), "planned_bytes": sum(plan["bytes"].values()),
            "row_bytes": measured["bytes"]["rows"] + measured["bytes"]["halo"],
            "planned_row_bytes": plan["bytes"]["rows"] + plan["bytes"]["halo"],
            "memory": measured["store_bytes"] + measured["optimizer_bytes"] + measured["scratch_bytes"] + measured["sequences_bytes"],
            "planned_memory": counted, "peak_rss": measured["peak_rss_bytes"],
            "wait_seconds": measured["wait_seconds"], "limit": plan["limit"],
        })
    for row in rows:
        row["efficiency"] = efficiency(rows, row, "seconds")
        row["planned_efficiency"] = efficiency(rows, row, "planned_seconds")
    return rows


def efficiency(rows, row, seconds):
    """Tokens a second and rank, against those of the fewest ranks of the same series."""
    same = [r for r in rows if r["kind"] == row["kind"] and series_of(r) == series_of(row)]
    first = min(same, key=lambda r: r["ranks"])
    rate = lambda r: r["tokens"] / r[seconds] / r["ranks"]
    return rate(row) / rate(first)


def series_of(row):
    if row["mode"] == "lengths":
        return row["ranks"], row["length"]
    return row["mode"], row["length"] // row["ranks"] if row["mode"] == "weak" else row["length"]


def lines_of(rows):
    """One line of a plot: a kind, and what does not vary along x."""
    groups = {}
    for row in rows:
        if row["mode"] == "lengths":
            fixed, x = (f", {row['ranks']} ranks" if row["ranks"] > 1 else ""), row["length"]
        elif row["mode"] == "weak":
            fixed, x = f", {row['length'] // row['ranks']} a rank", row["ranks"]
        else:
            fixed, x = f", {row['length']} tokens", row["ranks"]
        groups.setdefault(row["kind"] + fixed, []).append((x, row))
    return {name: sorted(points, key=lambda p: p[0]) for name, points in groups.items()}


def ticks_of(low, high):
    """Powers of two, or of ten where those are too many."""
    first, last = math.floor(math.log2(low) + 1e-9), math.ceil(math.log2(high) - 1e-9)
    if last - first <= 9:
        return [2.0 ** i for i in range(first, last + 1)]
    return [10.0 ** i for i in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def number(value):
    return f"{value:.6g}" if value < 1e6 else f"{value:.3g}"


def plot(path, title, x_name, y_name, lines, measured, planned):
    values = [row[key] for points in lines.values() for _, row in points for key in (measured, planned) if row[key] > 0]
    if not values:
        return
    xs = ticks_of(min(x for p in lines.values() for x, _ in p), max(x for p in lines.values() for x, _ in p))
    ys = ticks_of(min(values), max(values))
    if len(xs) == 1:
        xs.append(2 * xs[0])
    if len(ys) == 1:
        ys.append(2 * ys[0])
    at_x = lambda v: LEFT + math.log(v / xs[0]) / math.log(xs[-1] / xs[0]) * (WIDTH - LEFT - RIGHT)
    at_y = lambda v: HEIGHT - BOTTOM - math.log(v / ys[0]) / math.log(ys[-1] / ys[0]) * (HEIGHT - TOP - BOTTOM)
    out = [f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}' "
           "font-family='sans-serif' font-size='11'>", f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>",
           f"<text x='{LEFT}' y='18' font-size='13' font-weight='bold'>{html.escape(title)}</text>"]
    for v in ys:
        out.append(f"<line x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{at_y(v):.1f}' y2='{at_y(v):.1f}' stroke='#ddd'/>"
                   f"<text x='{LEFT - 6}' y='{at_y(v) + 4:.1f}' text-anchor='end'>{number(v)}</text>")
    for v in xs:
        out.append(f"<line x1='{at_x(v):.1f}' x2='{at_x(v):.1f}' y1='{TOP}' y2='{HEIGHT - BOTTOM}' stroke='#eee'/>"
                   f"<text x='{at_x(v):.1f}' y='{HEIGHT - BOTTOM + 16}' text-anchor='middle'>{number(v)}</text>")
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f"<text x='{middle}' y='{HEIGHT - 8}' text-anchor='middle'>{html.escape(x_name)}</text>")
    out.append(f"<text x='14' y='{HEIGHT / 2}' text-anchor='middle' transform='rotate(-90 14 {HEIGHT / 2})'>{html.escape(y_name)}</text>")
    for i, (name, points) in enumerate(lines.items()):
        colour = COLOURS[i % len(COLOURS)]
        line = " ".join(f"{at_x(x):.1f},{at_y(row[planned]):.1f}" for x, row in points if row[planned] > 0)
        out.append(f"<polyline points='{line}' fill='none' stroke='{colour}' stroke-width='1.5'/>")
        out += [f"<circle cx='{at_x(x):.1f}' cy='{at_y(row[measured]):.1f}' r='4' fill='{colour}'/>"
                for x, row in points if row[measured] > 0]
        y = TOP + 14 + 16 * i
        out.append(f"<circle cx='{WIDTH - RIGHT + 14}' cy='{y - 4}' r='4' fill='{colour}'/>"
                   f"<text x='{WIDTH - RIGHT + 24}' y='{y}'>{html.escape(name)}</text>")
    out.append(f"<text x='{WIDTH - RIGHT + 8}' y='{HEIGHT - BOTTOM}' fill='#666'>points: measured</text>"
               f"<text x='{WIDTH - RIGHT + 8}' y='{HEIGHT - BOTTOM + 14}' fill='#666'>lines: planned</text></svg>")
    path.write_text("\n".join(out) + "\n")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: launch/scaling_plots.py FOLDER")
    folder = pathlib.Path(sys.argv[1])
    rows = read_points(folder)
    if not rows:
        sys.exit(f"{folder}/points.txt: no point in it")
    with open(folder / "table.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    (folder / "table.json").write_text(json.dumps(rows, indent=2) + "\n")
    lines = lines_of(rows)
    x_name = "tokens of a sequence" if rows[0]["mode"] == "lengths" else "ranks that share a sequence"
    plot(folder / "time.svg", "Time of a step", x_name, "seconds", lines, "seconds", "planned_seconds")
    plot(folder / "memory.svg", "Memory of the rank with most, without program and MPI", x_name, "bytes", lines, "memory",
         "planned_memory")
    plot(folder / "bytes.svg", "Bytes sent in a step by all ranks", x_name, "bytes", lines, "bytes", "planned_bytes")
    if rows[0]["mode"] != "lengths":
        plot(folder / "efficiency.svg", "Efficiency: tokens a second and rank, against the fewest ranks", x_name,
             "efficiency", lines, "efficiency", "planned_efficiency")


if __name__ == "__main__":
    main()
