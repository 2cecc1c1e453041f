"""What logs cost on CloudWatch Logs and on Firehose, from measured bytes."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

# Firehose counts every record, for ingestion and for conversion, in steps of 5 KB:
# https://aws.amazon.com/firehose/pricing/
BILLING_STEP = 5 * 1024

# The same file that `make bill` reads.
PRICES_FILE = Path(__file__).resolve().parent.parent / "deploy" / "prices.json"
PRICES_REGION = "ap-northeast-2"

MONTHLY_GB = 100


@dataclass(frozen=True)
class Price:
    """US dollars a GB, where they were read, or by whom they were told, and when."""

    usd_per_gb: float
    source: str
    date: str
    told: str | None = None


@dataclass(frozen=True)
class Prices:
    """Those of a region."""

    firehose_ingestion: Price
    firehose_conversion: Price
    cloudwatch_ingestion: Price


@dataclass(frozen=True)
class Cost:
    """A way to store lines: how often their bytes are billed, and a month's price."""

    name: str
    billed_ratio: float
    usd_a_month: float


def read_prices(region: str = PRICES_REGION) -> Prices:
    """The prices of a region."""
    told = json.loads(PRICES_FILE.read_text())["regions"][region]
    # The ways to Firehose are not part of the demo's bill.
    return Prices(**{field.name: Price(**told[field.name]) for field in fields(Prices)})


def billed_bytes(record_bytes: int) -> int:
    """What a record of this size counts for."""
    return -(-record_bytes // BILLING_STEP) * BILLING_STEP


def costs(
    prices: Prices, line_bytes: int, billed_single: int, billed_run: int
) -> list[Cost]:
    """The month's bill of `MONTHLY_GB` of lines like the measured ones.

    They had `line_bytes`; Firehose billed `billed_run` for them, and would have billed
    `billed_single` had each been a record of its own.
    """
    firehose = (
        prices.firehose_ingestion.usd_per_gb + prices.firehose_conversion.usd_per_gb
    )
    return [
        _cost("CloudWatch Logs", 1.0, prices.cloudwatch_ingestion.usd_per_gb),
        _cost("Firehose, one record a line", billed_single / line_bytes, firehose),
        _cost("Firehose, this run", billed_run / line_bytes, firehose),
    ]


def _cost(name: str, ratio: float, usd_a_gb: float) -> Cost:
    return Cost(name, ratio, ratio * usd_a_gb * MONTHLY_GB)
