"""What the project promises of the figures: limits.txt, held against rows. Used by run."""
import pathlib

LIMITS = pathlib.Path(__file__).resolve().parent / "limits.txt"


def figure(rows, against, name, argument):
    """The figure that a limit speaks of; None: it was not measured."""
    row = rows.get((name, argument))
    if row is None:
        return None
    if against == "linux":
        return row["ratio"]
    if against == "alone":
        return row["coppice"]
    other = rows.get((name, int(against)))
    return row["coppice"] / other["coppice"] if other and other["coppice"] else None


def check(rows):
    """A list of (what, figure or None, sense, limit, aim, held) for every line of limits.txt."""
    rows = {(r["name"], r["argument"]): r for r in rows}
    found = []
    for line in LIMITS.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, argument, against, sense, limit, aim, what = line.split(None, 6)
        value = figure(rows, against, name, int(argument))
        limit, aim = float(limit), float(aim)
        held = None if value is None else value <= limit if sense == "<=" else value >= limit
        found.append((what, value, sense, limit, aim, held))
    return found


def text(value):
    return "not measured" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def report(rows):
    """Lines of text: each limit, and whether it holds; the ones that were not measured are left out."""
    measured = [c for c in check(rows) if c[5] is not None]
    lines = [f"{'limit':66} {'is':>12}    {'at most/least':>13} {'aim':>12}"]
    for what, value, sense, limit, aim, held in measured:
        reached = "" if not held else "aim reached" if (value <= aim if sense == "<=" else value >= aim) else "holds"
        lines.append(f"{what:66} {text(value):>12} {sense} {text(limit):>13} {text(aim):>12} {reached or 'DOES NOT HOLD'}")
    lines.append(f"{sum(c[5] for c in measured)} of {len(measured)} limits hold")
    return lines


def markdown(rows):
    lines = ["| what | is | limit | aim | |", "|---|--:|--:|--:|---|"]
    for what, value, sense, limit, aim, held in check(rows):
        if held is not None:
            reached = value <= aim if sense == "<=" else value >= aim
            lines.append(f"| {what} | {text(value)} | {'≤' if sense == '<=' else '≥'} {text(limit)} | {text(aim)} | {'does not hold' if not held else 'aim reached' if reached else 'holds'} |")
    return "\n".join(lines) + "\n"
