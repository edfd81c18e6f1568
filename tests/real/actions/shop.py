"""A web service of a shop: answers, counts how long answers took, and can be broken by files in its folder.

usage: shop.py PORT FOLDER
bad: it dies again soon after its start. ill: it answers 503. slow: from then on it is slow, until it is started anew.
"""

import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, FOLDER = int(sys.argv[1]), sys.argv[2]
BOUNDS = (0.1, 0.5, 1.0, 2.5, 5.0)
counts = dict.fromkeys(BOUNDS, 0)
total = 0
took = 0.0


def there(name):
    return os.path.exists(os.path.join(FOLDER, name))


def customers():
    global total, took
    slow = False
    while True:
        slow = slow or there("slow")
        seconds = 3.0 if slow else 0.02
        for bound in BOUNDS:
            counts[bound] += 20 * (seconds <= bound)
        total += 20
        took += 20 * seconds
        time.sleep(0.2)


class Shop(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/metrics":
            name = "http_request_duration_seconds"
            lines = [f"# TYPE {name} histogram"]
            lines += [f'{name}_bucket{{le="{bound}"}} {count}' for bound, count in counts.items()]
            lines += [f'{name}_bucket{{le="+Inf"}} {total}', f"{name}_sum {took}", f"{name}_count {total}"]
            lines += ["# TYPE http_requests_total counter", f'http_requests_total{{code="200"}} {total}']
            status, body = 200, "\n".join(lines) + "\n"
        else:
            status, body = (503, "ill\n") if there("ill") else (200, "ok\n")
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


if there("bad"):
    time.sleep(1.5)
    sys.exit(3)
if there("slow"):
    os.remove(os.path.join(FOLDER, "slow"))
threading.Thread(target=customers, daemon=True).start()
ThreadingHTTPServer(("127.0.0.1", PORT), Shop).serve_forever()
