import unittest

from bill import Price, Prices, billed_bytes, costs, read_prices


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
        prices = read_prices()
        self.assertGreater(
            prices.cloudwatch_ingestion.usd_per_gb,
            prices.firehose_ingestion.usd_per_gb,
        )
        for price in vars(prices).values():
            with self.subTest(price=price):
                self.assertGreater(price.usd_per_gb, 0)
                self.assertTrue(price.source.startswith("https://"))
                self.assertRegex(price.date, "^20[0-9]{2}-[0-9]{2}(-[0-9]{2})?$")
