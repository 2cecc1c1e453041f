"""Structured HTTP logs as a NestJS service emits them: one document for a request, one for its response."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Document = dict[str, Any]

SERVICE = "shop-api"

# In UTC. For whom any day will do, as long as the lines are the same each time.
SOME_DAY = datetime(2026, 1, 15)

USER_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "okhttp/4.12.0",
)
# Text that a careless encoder breaks: other scripts, quotes, a line break, a backslash.
NOTES = (
    "문 앞에 놓아 주세요",
    'Ring the bell marked "2B"',
    "Second floor,\nleft door",
    "Use the C:\\side entrance ☂",
)
ERRORS = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    409: "Conflict",
    500: "Internal Server Error",
}
STACK = (
    "TimeoutError: no database connection within 5000 ms\n"
    "    at Pool.acquire (/app/dist/database/pool.js:88:17)\n"
    "    at async OrdersService.create (/app/dist/orders/orders.service.js:41:22)"
)


@dataclass(frozen=True)
class Route:
    """An endpoint of the service, how often it is called and what it answers."""

    method: str
    pattern: str
    weight: int
    typical_ms: float
    statuses: tuple[tuple[int, int], ...]
    url: Callable[[random.Random], str]
    body: Callable[[random.Random], Document] | None = None


def documents(count: int, seed: int, start: datetime) -> list[Document]:
    """The first `count` documents of the log that belongs to `seed`, in the order of their time.

    `start` is in UTC.
    """
    rng = random.Random(seed)
    log: list[Document] = []
    now = start
    # An exchange makes two documents, and those of the last ones may be cut off as they would be in a real log.
    for _ in range(count):
        now += timedelta(milliseconds=rng.randint(1, 40))
        log.extend(_exchange(rng, now))
    log.sort(key=lambda document: document["timestamp"])
    return log[:count]


def _exchange(rng: random.Random, received: datetime) -> Iterator[Document]:
    route = rng.choices(ROUTES, weights=[route.weight for route in ROUTES])[0]
    statuses, weights = zip(*route.statuses, strict=True)
    status = rng.choices(statuses, weights=weights)[0]
    duration_ms = round(max(1.0, route.typical_ms * rng.lognormvariate(0, 0.6)), 3)
    url = route.url(rng)

    common: Document = {
        "service": SERVICE,
        "context": "HttpInterceptor",
        "traceId": f"{rng.getrandbits(128):032x}",
        "method": route.method,
        "originalUrl": url,
        "route": route.pattern,
        "ip": f"203.0.113.{rng.randint(1, 254)}",
        "userAgent": rng.choice(USER_AGENTS),
    }
    if rng.random() < 0.7:
        common["userId"] = rng.randint(1, 2**53 - 1)

    request = {
        "timestamp": iso(received),
        "level": "info",
        **common,
        "message": f"{route.method} {url}",
    }
    if route.body:
        request["requestBody"] = route.body(rng)
    yield request

    response_data: Document = {
        "statusCode": status,
        "contentLength": rng.randint(40, 20_000),
    }
    if status in ERRORS:
        response_data["error"] = ERRORS[status]
    response = {
        "timestamp": iso(received + timedelta(milliseconds=duration_ms)),
        "level": "error" if status >= 500 else "warn" if status >= 400 else "info",
        **common,
        "message": f"{route.method} {url} {status}",
        "responseData": response_data,
        "durationMs": duration_ms,
    }
    if status >= 500:
        response["stack"] = STACK
    yield response


def iso(time: datetime) -> str:
    """As JavaScript's Date.toISOString writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def _order(rng: random.Random) -> Document:
    items = [
        {"sku": f"SKU-{rng.randint(100, 999)}", "quantity": rng.randint(1, 5)}
        for _ in range(rng.randint(1, 4))
    ]
    order: Document = {"items": items, "note": rng.choice(NOTES)}
    if rng.random() < 0.3:
        order["couponCode"] = "WELCOME10"
    return order


def _login(rng: random.Random) -> Document:
    return {
        "email": f"user{rng.randint(1, 9999)}@example.com",
        "clientId": "storefront",
    }


ROUTES = (
    Route(
        "GET",
        "/products",
        40,
        12,
        ((200, 1),),
        lambda rng: f"/products?page={rng.randint(1, 30)}&sort=-price",
    ),
    Route(
        "GET",
        "/products/:id",
        30,
        8,
        ((200, 19), (404, 1)),
        lambda rng: f"/products/{rng.randint(1, 5000)}",
    ),
    Route(
        "POST",
        "/auth/login",
        8,
        90,
        ((200, 9), (401, 1)),
        lambda rng: "/auth/login",
        _login,
    ),
    Route(
        "POST",
        "/orders",
        12,
        140,
        ((201, 42), (400, 2), (409, 2), (500, 4)),
        lambda rng: "/orders",
        _order,
    ),
    Route(
        "GET",
        "/orders/:id",
        9,
        20,
        ((200, 29), (404, 1)),
        lambda rng: f"/orders/{rng.randint(1, 90_000)}",
    ),
    Route(
        "GET",
        "/reports/sales",
        1,
        1500,
        ((200, 1),),
        lambda rng: "/reports/sales?period=month",
    ),
)
