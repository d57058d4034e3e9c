"""What the boots gave, as rows: each system's median, their ratio, the spread over the boots. Parsed, printed and written here; used by run, check and plot."""
import csv
import json
import pathlib
import statistics

SYSTEMS = ("coppice", "linux")

# For a row whose operation clears or copies one page: the row page_... that does the same in user mode, with the instruction that the kernel does it with
# (docs/benchmarks.md says how that is known). NAME.bare is the row without it.
PAGE_WORK = {
    "anonymous_write": {"coppice": "page_stosq", "linux": "page_stosb"},
    "anonymous_read_write": {"coppice": "page_stosq", "linux": "page_stosb"},
    "cow_child_alive": {"coppice": "page_movsq", "linux": "page_movsb"},
    "cow_sparse": {"coppice": "page_movsq", "linux": "page_movsb"},
    "file_private_write": {"coppice": "page_movsq", "linux": "page_movsq"},
}


def parse(output):
    """{(row, argument): (unit, median)} of what the program printed."""
    rows = {}
    for line in output.decode(errors="replace").splitlines():
        word = line.rstrip("\r").split("\t")
        if word[0] == "RESULT" and len(word) == 8:
            rows[word[1], int(word[2])] = word[3], float(word[4])
    return rows


def bare(figures):
    """The rows without the page's own work, boot by boot: {row: {system: [figure of each boot]}}."""
    found = {}
    for (name, argument), both in figures.items():
        work = PAGE_WORK.get(name)
        if work and all((work[s], 0) in figures for s in SYSTEMS):
            found[name + ".bare", argument] = {s: [a - b for a, b in zip(both[s], figures[work[s], 0][s])] for s in SYSTEMS}
    return found


def make_rows(figures, units, listed):
    """A list of rows, one dictionary each. LISTED: what `bench -l` says of each benchmark."""
    rows = []
    for (name, argument), both in sorted({**figures, **bare(figures)}.items()):
        bench = listed.get(name.split(".")[0], {})
        row = {"name": name, "argument": argument, "argument_unit": bench.get("argument_unit", ""), "unit": units.get((name, argument)) or "ns",
               "better": bench.get("better", "smaller")}
        for system in SYSTEMS:
            values = both[system]
            row[system] = statistics.median(values) if values else None
            row[system + "_least"], row[system + "_most"] = (min(values), max(values)) if values else (None, None)
            row[system + "_boots"] = len(values)
        row["ratio"] = row["coppice"] / row["linux"] if row["coppice"] is not None and row["linux"] else None
        rows.append(row)
    return rows


def argument_text(row):
    if not row["argument"]:
        return ""
    return "0.4" if row["argument_unit"] == "MiB" and row["argument"] == 1 else f"{row['argument']:,}"


def label(row):
    argument = argument_text(row)
    return row["name"] + (f" ({argument} {row['argument_unit']})" if argument else "")


def number(value):
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def ratio_text(ratio):
    return "-" if ratio is None else f"{ratio:.5f}" if abs(ratio) < 0.01 else f"{ratio:.3f}"


def spread(row, system):
    value = row[system]
    return (row[system + "_most"] - row[system + "_least"]) / abs(value) if value else 0.0


def unit_text(row, mode):
    return "instr" if mode == "instructions" and row["unit"] == "ns" else row["unit"]


def print_table(rows, mode):
    width = max(len(label(r)) for r in rows)
    print(f"{mode:{width}} {'unit':>6} {'Coppice':>15} {'Linux':>15} {'ratio':>9} {'spread':>13} boots")
    for r in rows:
        print(f"{label(r):{width}} {unit_text(r, mode):>6} {number(r['coppice']):>15} {number(r['linux']):>15} {ratio_text(r['ratio']):>9} "
              f"{spread(r, 'coppice'):>6.1%} {spread(r, 'linux'):>6.1%} {r['coppice_boots']}")


def markdown(rows, mode, listed):
    lines = ["| row | what | unit | Coppice | Linux | ratio | spread |", "|---|---|---|--:|--:|--:|--:|"]
    for r in rows:
        what = listed.get(r["name"], {}).get("what", "")
        lines.append(f"| `{r['name']}`{' ' + argument_text(r) + ' ' + r['argument_unit'] if r['argument'] else ''} | {what} | {unit_text(r, mode)} | {number(r['coppice'])} | "
                     f"{number(r['linux'])} | {ratio_text(r['ratio'])} | {spread(r, 'coppice'):.1%}, {spread(r, 'linux'):.1%} |")
    return "\n".join(lines) + "\n"


def write(rows, directory, mode, circumstances):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{mode}.json").write_text(json.dumps({"mode": mode, **circumstances, "rows": rows}, indent=1) + "\n")
    with open(directory / f"{mode}.csv", "w", newline="") as f:
        writer = csv.DictWriter(f, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
