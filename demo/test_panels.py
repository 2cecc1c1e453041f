import unittest
import xml.etree.ElementTree as ElementTree

from panels import Panel, ceiling, label, svg

SVG = "{http://www.w3.org/2000/svg}"


class Panels(unittest.TestCase):
    def test_lines_stay_within_their_panel_and_break_where_there_is_no_number(self) -> None:
        points = [(0.0, 0.0), (10.0, 90.0), (20.0, float("nan")), (30.0, 50.0), (60.0, 100.0)]
        drawn = svg([Panel("A <title>", "ops", {"one": points, "none": []})], 60)
        root = ElementTree.fromstring(drawn)
        lines = [
            [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
            for line in root.iter(f"{SVG}polyline")
        ]
        self.assertEqual([len(line) for line in lines], [2, 2])
        self.assertEqual(lines[0][0], (54.0, 148.0))
        self.assertEqual(lines[1][-1], (310.0, 28.0))

    def test_panels_are_three_in_a_row(self) -> None:
        root = ElementTree.fromstring(svg([Panel("", "none", {})] * 4, 60))
        places = [group.attrib["transform"] for group in root.iter(f"{SVG}g")]
        self.assertEqual(places[2:], ["translate(640 0)", "translate(0 200)"])
        self.assertEqual(root.attrib["viewBox"], "0 0 960 400")

    def test_an_axis_ends_just_above_its_greatest_value(self) -> None:
        cases = [(0, 1), (0.07, 0.08), (1, 1), (1.01, 1.2), (17, 20), (100, 100), (650_000, 800_000)]
        for value, end in cases:
            with self.subTest(value=value):
                self.assertAlmostEqual(ceiling(value), end)

    def test_numbers_have_their_units(self) -> None:
        cases = [
            (1_500_000, "Bps", "1.5 MB/s"),
            (2_000, "ops", "2 k/s"),
            (0.5, "percentunit", "50 %"),
            (0.25, "s", "250 ms"),
            (30, "s", "30 s"),
            (12, "none", "12"),
        ]
        for value, unit, text in cases:
            with self.subTest(text=text):
                self.assertEqual(label(value, unit), text)


if __name__ == "__main__":
    unittest.main()
