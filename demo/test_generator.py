import json
import re
import unittest

from generator import SOME_DAY, documents


class Documents(unittest.TestCase):
    def test_a_seed_always_yields_the_same_log(self) -> None:
        self.assertEqual(
            documents(500, seed=7, start=SOME_DAY), documents(500, seed=7, start=SOME_DAY)
        )
        self.assertNotEqual(
            documents(500, seed=7, start=SOME_DAY), documents(500, seed=8, start=SOME_DAY)
        )

    def test_a_shorter_log_is_the_beginning_of_a_longer_one(self) -> None:
        # Slow responses come long after their request, so a cut that does not look far
        # enough ahead would miss them.
        self.assertEqual(
            documents(2000, seed=1, start=SOME_DAY)[:301],
            documents(301, seed=1, start=SOME_DAY),
        )

    def test_a_trace_is_a_request_and_at_most_one_response_after_it(self) -> None:
        log = documents(3000, seed=3, start=SOME_DAY)
        traces: dict[str, list[dict[str, object]]] = {}
        for document in log:
            traces.setdefault(document["traceId"], []).append(document)
        for trace in traces.values():
            self.assertLessEqual(len(trace), 2)
            self.assertNotIn("responseData", trace[0])
            for response in trace[1:]:
                self.assertIn("responseData", response)
                self.assertGreater(
                    str(response["timestamp"]), str(trace[0]["timestamp"])
                )

    def test_times_are_in_order_and_in_the_form_of_date_to_iso_string(self) -> None:
        times = [
            document["timestamp"] for document in documents(1000, seed=5, start=SOME_DAY)
        ]
        self.assertEqual(times, sorted(times))
        for time in times:
            self.assertRegex(
                time, re.compile(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
            )

    def test_the_log_has_what_an_encoder_may_get_wrong(self) -> None:
        text = "".join(
            json.dumps(document, ensure_ascii=False)
            for document in documents(4000, seed=1, start=SOME_DAY)
        )
        for hard in (r"\n", r"\"", r"\\", "문", "☂", '"items": [{'):
            with self.subTest(hard):
                self.assertIn(hard, text)
