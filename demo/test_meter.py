import base64
import http.client
import json
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer

from meter import Meter, Traffic, measure, metering_proxy


def request(*records: bytes) -> bytes:
    data = [{"Data": base64.b64encode(record).decode()} for record in records]
    return json.dumps({"DeliveryStreamName": "logs", "Records": data}).encode()


def reply(*accepted: bool) -> bytes:
    answers = [
        {"RecordId": "1"} if taken else {"ErrorCode": "ServiceUnavailableException"}
        for taken in accepted
    ]
    return json.dumps(
        {"FailedPutCount": accepted.count(False), "RequestResponses": answers}
    ).encode()


class Measure(unittest.TestCase):
    def test_counts_records_documents_and_billed_bytes(self) -> None:
        aggregate = b"".join(b'{"n":%d}\n' % n for n in range(1000))
        long = b'{"text":"' + b"x" * 5120 + b'"}\n'
        self.assertEqual(
            measure(request(aggregate, long), reply(True, True)),
            Traffic(
                calls=1,
                records=2,
                documents=1001,
                billed_bytes=10240 + 10240,
                billed_bytes_single=1000 * 5120 + 10240,
            ),
        )

    def test_a_refused_record_counts_for_nothing(self) -> None:
        self.assertEqual(
            measure(request(b"{}\n", b"{}\n{}\n"), reply(False, True)),
            Traffic(
                calls=1,
                records=1,
                documents=2,
                billed_bytes=5120,
                billed_bytes_single=10240,
            ),
        )


class Proxy(unittest.TestCase):
    def setUp(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        self.answer = (200, reply(True))
        test = self

        class Upstream(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                test.seen.append((self.path, self.headers["Authorization"], body))
                status, content = test.answer
                self.send_response(status)
                self.send_header("x-amzn-RequestId", "r1")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.upstream = HTTPServer(("127.0.0.1", 0), Upstream)
        thread = threading.Thread(target=self.upstream.serve_forever, args=(0.1,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.upstream.server_close)
        self.addCleanup(self.upstream.shutdown)

    def post(self, url: str, action: str, body: bytes) -> tuple[int, str | None, bytes]:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        self.addCleanup(connection.close)
        headers = {
            "X-Amz-Target": f"Firehose_20150804.{action}",
            "Authorization": "signed",
        }
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["x-amzn-RequestId"], answer.read()

    def test_passes_on_what_it_measures(self) -> None:
        meter = Meter()
        body = request(b"{}\n")
        with metering_proxy(meter, self.upstream.server_port) as url:
            self.assertEqual(
                self.post(url, "PutRecordBatch", body), (200, "r1", reply(True))
            )
        self.assertEqual(self.seen, [("/", "signed", body)])
        self.assertEqual(meter.traffic, Traffic(1, 1, 1, 5120, 5120))

    def test_measures_accepted_batches_only(self) -> None:
        meter = Meter()
        with metering_proxy(meter, self.upstream.server_port) as url:
            self.post(url, "DescribeDeliveryStream", b"{}")
            self.answer = (503, b'{"__type":"ServiceUnavailableException"}')
            self.assertEqual(self.post(url, "PutRecordBatch", request(b"{}\n"))[0], 503)
        self.assertEqual(meter.traffic, Traffic())
