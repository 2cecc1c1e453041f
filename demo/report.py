"""What the demo prints: progress, rows and the bill."""

import time
from collections.abc import Sequence

from bill import MONTHLY_GB, PRICES_REGION, Price, costs, read_prices
from meter import Traffic
from queries import Query, Row

_started = time.monotonic()


def progress(text: str) -> None:
    """Prints a line with the seconds since the start."""
    print(f"[{time.monotonic() - _started:5.1f} s] {text}", flush=True)


def print_rows(query: Query, columns: Sequence[str], rows: Sequence[Row]) -> bool:
    """Prints a query with its rows; whether they are the expected ones."""
    right = list(rows) == query.expected
    print(f"\n{query.title}\n")
    for line in query.sql.splitlines():
        print(f"    {line}")
    print()
    _print_table(columns, rows)
    if right:
        print("\n    as written")
    else:
        print("\n    WRONG. Written was:\n")
        _print_table(columns, query.expected)
    return right


def print_bill(lines: int, line_bytes: int, traffic: Traffic) -> None:
    """Prints what was measured, and what a month of it costs."""
    prices = read_prices()
    print(
        f"\nThe bill\n\n"
        f"    {lines:,} lines of {line_bytes / lines:.0f} bytes on average,"
        f" {line_bytes:,} bytes in all, went out in\n"
        f"    {traffic.records:,} records; PutRecordBatch calls: {traffic.calls:,}."
        f" Firehose bills {traffic.billed_bytes:,} bytes for them\n"
        f"    and would bill {traffic.billed_bytes_single:,}"
        f" for one record a line.\n"
    )
    _print_table(
        ["", "billed / written", f"{MONTHLY_GB} GB of lines a month"],
        [
            (cost.name, f"{cost.billed_ratio:.3f}", f"${cost.usd_a_month:.2f}")
            for cost in costs(
                prices,
                line_bytes,
                traffic.billed_bytes_single,
                traffic.billed_bytes,
            )
        ],
    )
    sources = sorted({_source(price) for price in vars(prices).values()})
    print(
        f"\n    Ingestion and, for Firehose, conversion to Parquet in {PRICES_REGION};"
        f" no storage, no queries.\n"
        "    Prices:"
    )
    for source in sources:
        print(f"      {source}")
    print()


def _source(price: Price) -> str:
    if price.told:
        return f"told by {price.told} ({price.date}); compare {price.source}"
    return f"read in {price.source} ({price.date})"


def _print_table(columns: Sequence[str], rows: Sequence[Row]) -> None:
    table = [list(columns), *([_text(value) for value in row] for row in rows)]
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    numeric = [all(map(_is_number, cells[1:])) for cells in zip(*table, strict=True)]
    table.insert(1, ["-" * width for width in widths])
    for row in table:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        print(("    " + "  ".join(cells)).rstrip())


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.removeprefix("$").replace(".", "", 1).isdigit()
