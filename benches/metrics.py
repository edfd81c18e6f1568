#!/usr/bin/env python3
"""The metrics engine beside a real Prometheus, in one run, as a table.

    benches/metrics.py [--sizes 10000,100000] [--scrapes 36] [--engine PATH] [--opsroom PATH]

What is measured, all on this machine and at the same time:

* opsroom's engine: `cargo bench --bench exposition -- --tell SERIES` (or the
  executable that --engine names), a process of its own without a network. CPU
  of the first and of a warm scrape (mean of 179), CPU of the question (mean of
  50; its first asking finds the series), resident memory grown by 15 minutes of
  scrapes at 5 s.
* Prometheus, where it is installed: a whole process that scrapes a page server
  of the same pages every 5 s. CPU is the process' user and system time: for the
  first scrape that from the opening of the page to two seconds later, for a
  warm one the mean of all later ones, HTTP and write-ahead log included; for the
  question the mean of 10 by its API. Memory is the resident memory after
  --scrapes scrapes, less than 15 minutes' worth unless that is 180.
* `opsroom watch`, where --opsroom names the program: the same as Prometheus, with
  HTTP, keeping its history in a file included.

The pages: histograms of 12 buckets, with sum and count, 40 services; every
counter moves from scrape to scrape. Budgets are those of the project.
"""

import argparse
import gzip
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

STEP_S = 5
BOUNDS = "0.005 0.01 0.025 0.05 0.1 0.25 0.5 1.0 2.5 5.0 10.0 +Inf".split()
NAME = "http_request_duration_seconds"
QUESTION = f"histogram_quantile(0.95, sum by (le, service) (rate({NAME}_bucket[5m])))"
BUDGET = {
    10_000: {"query": 1, "memory": 30},
    100_000: {"first": 60, "warm": 30, "query": 10, "memory": 150},
}


def template(series):
    """The text of a page without its numbers, and how fast each number grows."""
    lines, rates = [f"# TYPE {NAME} histogram\n"], []
    for i in range(-(-series // 14)):
        labels = (
            f'service="service-{i % 40}",method="GET",route="/api/v1/orders/{{id}}/{i % 23}",'
            f'code="200",pod="web-{i:05}"'
        )
        total = 0
        for bound in BOUNDS:
            total += (i * 7 + len(bound) * 3) % 12
            lines.append(f'{NAME}_bucket{{{labels},le="{bound}"}} %d\n')
            rates.append(total + 1)
        lines.append(f"{NAME}_sum{{{labels}}} %.3f\n")
        rates.append(total * 0.043217 + 0.001)
        lines.append(f"{NAME}_count{{{labels}}} %d\n")
        rates.append(total + 1)
    return "".join(lines), rates


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    page, packed, opened = b"", b"", threading.Event()

    def do_GET(self):
        if not Pages.opened.is_set():
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        packed = "gzip" in self.headers.get("Accept-Encoding", "")
        body = Pages.packed if packed else Pages.page
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def write_pages(series, ended):
    text, rates = template(series)
    number = 1
    while not ended.is_set():
        page = (text % tuple(rate * number for rate in rates)).encode()
        Pages.page, Pages.packed = page, gzip.compress(page, 1)
        number += 1
        ended.wait(STEP_S)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def cpu_ms(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) // 1024


def prometheus(scratch, port):
    own = free_port()
    config = os.path.join(scratch, "prometheus.yml")
    with open(config, "w", encoding="ascii") as file:
        file.write(
            f"global: {{scrape_interval: {STEP_S}s, scrape_timeout: {STEP_S}s}}\n"
            "scrape_configs:\n- job_name: shop\n  static_configs:\n"
            f"  - targets: ['127.0.0.1:{port}']\n"
        )
    command = [
        "prometheus", f"--config.file={config}", f"--storage.tsdb.path={scratch}/tsdb",
        f"--web.listen-address=127.0.0.1:{own}", "--log.level=error",
    ]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), own


def watch(opsroom, scratch, port):
    config = os.path.join(scratch, "opsroom.toml")
    with open(config, "w", encoding="ascii") as file:
        file.write(
            f'[scrape.shop]\ntargets = ["127.0.0.1:{port}"]\nevery = "{STEP_S}s"\n'
            "[memory]\nbytes = \"1 GiB\"\nseries_per_target = 1000000\n"
        )
    os.chmod(config, 0o600)
    environment = {**os.environ, "HOME": scratch, "XDG_STATE_HOME": os.path.join(scratch, "state")}
    command = [opsroom, "--config", config, "watch"]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=environment, **silent)


def ask(port):
    query = urllib.parse.urlencode({"query": QUESTION})
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{query}") as answer:
        return json.load(answer)["data"]["result"]


def processes(series, scrapes, opsroom):
    """Figures of Prometheus and `opsroom watch`, each as far as it is there."""
    scratch = tempfile.mkdtemp(prefix="opsroom-bench-")
    os.chmod(scratch, 0o700)
    ended, started, figures = threading.Event(), {}, {}
    Pages.opened.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    writer = threading.Thread(target=write_pages, args=(series, ended), daemon=True)
    writer.start()
    try:
        api = None
        if shutil.which("prometheus"):
            started["prometheus"], api = prometheus(scratch, port)
        if opsroom:
            started["watch"] = watch(opsroom, scratch, port)
        time.sleep(3 * STEP_S)
        before = {name: cpu_ms(one.pid) for name, one in started.items()}
        Pages.opened.set()
        time.sleep(STEP_S + 2)
        after = {name: cpu_ms(one.pid) for name, one in started.items()}
        time.sleep((scrapes - 2) * STEP_S)
        for name, one in started.items():
            now = cpu_ms(one.pid)
            figures[name] = {
                "first": after[name] - before[name],
                "warm": (now - after[name]) / (scrapes - 2),
                "memory": resident_mib(one.pid),
            }
        if api:
            pid, found = started["prometheus"].pid, ask(api)
            if not found:
                sys.exit("Prometheus has no answer to the question: were its scrapes too slow?")
            from_ms = cpu_ms(pid)
            for _ in range(10):
                ask(api)
            figures["prometheus"]["query"] = (cpu_ms(pid) - from_ms) / 10
    finally:
        ended.set()
        for one in started.values():
            one.send_signal(signal.SIGTERM)
            try:
                one.wait(20)
            except subprocess.TimeoutExpired:
                one.kill()
        server.shutdown()
        writer.join()
        shutil.rmtree(scratch, ignore_errors=True)
    return figures


def engine(path, series):
    command = [path, "--tell", str(series)]
    if not path:
        command = "cargo bench --quiet --bench exposition -- --tell".split() + [str(series)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures = json.loads(told.strip().splitlines()[-1])
    names = {"first": "first_ms", "warm": "warm_ms", "query": "query_ms", "memory": "memory_mib"}
    return {name: figures[key] for name, key in names.items()} | {"all": figures}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", default="10000,100000", help="numbers of series")
    parser.add_argument("--scrapes", type=int, default=36, help="of Prometheus, every 5 s")
    parser.add_argument("--engine", default="", help="the built benchmark `exposition`")
    parser.add_argument("--opsroom", default="", help="the built program")
    asked = parser.parse_args()
    os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    rows, notes = [], []
    for series in map(int, asked.sizes.split(",")):
        own = engine(asked.engine, series)
        others = processes(series, max(asked.scrapes, 4), asked.opsroom)
        units = {"first": "ms CPU", "warm": "ms CPU", "query": "ms CPU", "memory": "MiB"}
        for name, unit in units.items():
            columns = [BUDGET.get(series, {}), own, others.get("watch", {})]
            columns.append(others.get("prometheus", {}))
            cells = [f"{column[name]:.4g}" if name in column else "-" for column in columns]
            rows.append([f"{series:,} series", f"{name}, {unit}", *cells])
        told = own["all"]
        notes.append(
            f"{series:,} series, engine: page of {told['page_mb']} MB, {told['samples']:,} samples; the "
            f"question's first asking {told['query_first_ms']} ms; kept as {told['file_mb']} MB, "
            f"{told['snapshot_ms']} ms on the engine's thread, read in {told['read_ms']} ms"
        )
    head = ["", "", "budget", "engine", "opsroom watch", "Prometheus"]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print("\n" + "\n".join(notes))
    print(f"Prometheus and watch: {asked.scrapes} scrapes at {STEP_S} s; how: {__file__}")


if __name__ == "__main__":
    main()
