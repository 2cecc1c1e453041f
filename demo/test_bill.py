import json
import unittest

from bill import (
    PRICES_FILE,
    PRICES_REGION,
    Price,
    Prices,
    billed_bytes,
    costs,
    read_prices,
)


class BilledBytes(unittest.TestCase):
    def test_rounds_up_to_the_step(self) -> None:
        cases = [
            (1, 5120),
            (5119, 5120),
            (5120, 5120),
            (5121, 10240),
            (261_120, 261_120),
            (1_024_000, 1_024_000),
        ]
        for size, billed in cases:
            with self.subTest(size=size):
                self.assertEqual(billed_bytes(size), billed)


class Costs(unittest.TestCase):
    def test_a_month_of_200_byte_lines(self) -> None:
        lines = 128
        line_bytes = 200 * lines
        # All of them fill five steps to the last byte.
        aggregated = billed_bytes(line_bytes)
        self.assertEqual(aggregated, line_bytes)

        prices = Prices(
            firehose_ingestion=Price(0.036, "", ""),
            firehose_conversion=Price(0.022, "", ""),
            cloudwatch_ingestion=Price(0.76, "", ""),
        )
        rows = costs(prices, line_bytes, lines * billed_bytes(200), aggregated)

        month = [
            (row.name, round(row.billed_ratio, 2), round(row.usd_a_month, 2))
            for row in rows
        ]
        self.assertEqual(
            month,
            [
                ("CloudWatch Logs", 1.0, 76.0),
                ("Firehose, one record a line", 25.6, 148.48),
                ("Firehose, this run", 1.0, 5.8),
            ],
        )


class ReadPrices(unittest.TestCase):
    def test_each_has_its_source_and_date(self) -> None:
        regions = json.loads(PRICES_FILE.read_text())["regions"]
        date = "^20[0-9]{2}-(0[1-9]|1[0-2])(-[0-9]{2})?$"
        self.assertIn(PRICES_REGION, regions)
        for region in regions:
            for price in vars(read_prices(region)).values():
                with self.subTest(region=region, price=price):
                    self.assertTrue(0.001 <= price.usd_per_gb < 2)
                    self.assertTrue(price.source.startswith("https://"))
                    self.assertRegex(price.date, date)
            for name in regions[region].keys() & {"nat_gateway", "vpc_endpoint"}:
                way = regions[region][name]
                with self.subTest(region=region, way=name):
                    self.assertTrue(0.001 <= way["usd_per_hour"] < 1)
                    self.assertTrue(0.001 <= way["usd_per_gb"] < 1)
                    self.assertTrue(way["source"].startswith("https://"))
                    self.assertRegex(way["date"], date)
