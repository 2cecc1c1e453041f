"""What logs cost on CloudWatch Logs and on Firehose, from measured bytes."""

from dataclasses import dataclass

# Firehose counts every record, for ingestion and for conversion, in steps of 5 KB:
# https://aws.amazon.com/firehose/pricing/
BILLING_STEP = 5 * 1024

# US dollars a GB: Firehose's first tier, CloudWatch's standard log class.
FIREHOSE_INGESTION = 0.036
FIREHOSE_CONVERSION = 0.022
CLOUDWATCH_INGESTION = 0.76
PRICES_REGION = "ap-northeast-2"
PRICES_DATE = "2026-11-23"
PRICES_SOURCES = (
    "https://aws.amazon.com/firehose/pricing/",
    "https://aws.amazon.com/cloudwatch/pricing/",
)

MONTHLY_GB = 100


@dataclass(frozen=True)
class Cost:
    """A way to store lines: how often their bytes are billed, and a month's price."""

    name: str
    billed_ratio: float
    usd_a_month: float


def billed_bytes(record_bytes: int) -> int:
    """What a record of this size counts for."""
    return -(-record_bytes // BILLING_STEP) * BILLING_STEP


def costs(line_bytes: int, billed_single: int, billed_run: int) -> list[Cost]:
    """The month's bill of `MONTHLY_GB` of lines like the measured ones.

    They had `line_bytes`; Firehose billed `billed_run` for them, and would have billed
    `billed_single` had each been a record of its own.
    """
    firehose = FIREHOSE_INGESTION + FIREHOSE_CONVERSION
    return [
        _cost("CloudWatch Logs", 1.0, CLOUDWATCH_INGESTION),
        _cost("Firehose, one record a line", billed_single / line_bytes, firehose),
        _cost("Firehose, this run", billed_run / line_bytes, firehose),
    ]


def _cost(name: str, ratio: float, usd_a_gb: float) -> Cost:
    return Cost(name, ratio, ratio * usd_a_gb * MONTHLY_GB)
