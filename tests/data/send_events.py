# Sends what goes wrong in a small program to an error tracker, as programs do.
# send_events.py DSN RELEASE KIND...: one event of each kind.
import sys

import sentry_sdk

dsn, release, kinds = sys.argv[1], sys.argv[2], sys.argv[3:]
sentry_sdk.init(
    dsn=dsn,
    release=release,
    environment="production",
    server_name="web-1",
    send_default_pii=True,
    default_integrations=False,
)


def pay(order, password):
    return order["total"] / 0


def wait():
    raise TimeoutError("upstream timed out after 3000 ms")


for kind in kinds:
    with sentry_sdk.new_scope() as scope:
        scope.set_tag("region", "eu-1")
        scope.set_tag("customer", "li@shop.example")
        scope.set_user({"id": "7", "email": "li@shop.example", "ip_address": "203.0.113.7"})
        try:
            pay({}, "sword" + "fish") if kind == "pay" else wait()
        except Exception:
            sentry_sdk.capture_exception()
sentry_sdk.flush(10)
