"""Plain tables, wide enough for a log file."""

from rich import box
from rich.console import Console
from rich.table import Table

console = Console()
if not console.is_terminal:
    console = Console(width=200)


def print_machine(options):
    versions = [f"{name} {about['version']}" for name, about in options.packages.items() if "version" in about]
    quick = "(quick: ratios are rough) " if options.quick else ""
    console.print(f"Sampling benchmark {quick}with {', '.join(versions)}", highlight=False)
    console.print("JAX runs on " + "; ".join(options.packages.get("jax", {}).get("devices", ["nothing"])))
    for name, about in options.packages.items():
        if "missing" in about:
            console.print(f"{name} cannot be imported: {about['missing']}", style="yellow", markup=False)


def print_table(title, rows, columns):
    """`rows` is {label: anything}, `columns` is {header: function of that anything}."""
    table = Table(title=f"\n{title}", box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    table.add_column("", no_wrap=True)
    for header in columns:
        table.add_column(header, justify="right")
    for label, found in rows.items():
        table.add_row(label, *(shown(cell(found)) for cell in columns.values()))
    console.print(table)


def print_goals(goals):
    """`goals` is {what: (measured or None, "<=" or ">=", goal or None)}."""

    def verdict(measured, sense, goal):
        if measured is None:
            return "not measured"
        if goal is None:
            return ""
        return "met" if (measured <= goal if sense == "<=" else measured >= goal) else "MISSED"

    columns = {
        "measured": lambda row: row[0],
        "goal": lambda row: "none" if row[2] is None else f"{row[1]} {shown(row[2])}",
        "": lambda row: verdict(*row),
    }
    print_table("Goals", goals, columns)


def print_trouble(name, report):
    """Why a worker gave no figures."""
    for kind, style in (("skipped", "yellow"), ("failed", "red")):
        if kind in report:
            console.print(f"{name} {kind}: {report[kind]}", style=style, markup=False)


def shown(value):
    """Four digits, and no powers of ten for sizes a person meets."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"
    return str(value)
