import json
import unittest
from itertools import islice

from watch import log_lines


class LogLines(unittest.TestCase):
    def test_they_are_documents_and_come_again(self) -> None:
        lines = list(islice(log_lines(), 4000))
        self.assertEqual(lines[:2000], lines[2000:])
        for line in lines[:2000]:
            self.assertIn("timestamp", json.loads(line))
            self.assertTrue(line.endswith("\n"))
