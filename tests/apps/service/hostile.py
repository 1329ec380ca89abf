#!/usr/bin/env python3
"""What hostile, slow and unlucky clients do to a ranking_service, over loopback and bounded.

    hostile.py ranking_service service_model

Every case must be answered or closed within its deadline, leave the health checks quick and the
memory within 100 MB of what it was, and let SIGTERM end the program within --drain and a second.
"""

import contextlib
import gzip
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from program import BODY, Service

MIB = 1 << 20
IDLE, REQUEST, ANSWER, DRAIN = 1.0, 2.0, 2.0, 0.5
OPTIONS = ("--idle", "1000", "--request-time", "2000", "--answer-time", "2000", "--drain", "500",
           "--lame-duck", "100", "--watch", "0", "--threads", "2")
RELOAD = b"POST /reload HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
failures = []


def check(holds, what):
    print(("  ok  " if holds else "FAILED") + " " + what, flush=True)
    if not holds:
        failures.append(what)


def connect(service):
    client = socket.create_connection(("127.0.0.1", service.port), timeout=8)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def until_closed(client, at_most):
    """All that comes until the service closes; whether it did in time."""
    end = time.monotonic() + at_most
    answer = b""
    while True:
        client.settimeout(max(0.01, end - time.monotonic()))
        try:
            piece = client.recv(65536)
        except socket.timeout:
            return answer, False
        except OSError:
            return answer, True
        if not piece:
            return answer, True
        answer += piece


def exchange(service, request, at_most=IDLE + REQUEST + 1.5):
    with contextlib.closing(connect(service)) as client:
        with contextlib.suppress(OSError):
            client.sendall(request)
        return until_closed(client, at_most)


def post(path, headers=b"", body=b"", length=True):
    head = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + headers
    if length:
        head += b"Content-Length: %d\r\n" % len(body)
    return head + b"\r\n" + body


def smuggling(service):
    hidden = RELOAD
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden)
    cases = {
        "two equal lengths": post(b"/score", b"Content-Length: %d\r\n" % len(hidden), hidden),
        "two lengths": post(b"/score", b"Content-Length: 2\r\n", b"{}" + hidden),
        "a length and chunks": post(b"/score", CHUNKED, chunk),
        "a length of letters": post(b"/score", b"Content-Length: ten\r\n", hidden, length=False),
        "a signed length": post(b"/score", b"Content-Length: +2\r\n", b"{}" + hidden, length=False),
        "another coding": post(b"/score", b"Transfer-Encoding: gzip, chunked\r\n", chunk, length=False),
        "a form": post(b"/score", b"Content-Type: multipart/form-data; boundary=x\r\n", hidden),
        "a compressed body": post(b"/score", b"Content-Encoding: gzip\r\n", hidden),
        "a body too large": post(b"/score", b"", hidden + b" " * (17 * MIB)),
        "a path that is not": post(b"/nowhere", b"", hidden),
        "a signed chunk": post(b"/score", CHUNKED, b"-1\r\n" + hidden, length=False),
    }
    for method in (b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"):
        cases["a body of " + method.decode()] = (
            method + b" /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(hidden) + hidden)
        cases["chunks of " + method.decode()] = (
            method + b" /healthz HTTP/1.1\r\nHost: x\r\n" + CHUNKED + b"\r\n" + chunk)
    for name, request in cases.items():
        answer, closed = exchange(service, request)
        check(closed and answer.count(b"HTTP/1.1 ") == 1 and b"HTTP/1.1 4" in answer,
              f"{name}: {answer.split(bytes([13]))[0].decode()!r} and closed")
    check(service.metric('ranking_reloads_total{result="loaded"}') == 0, "nothing hidden was executed")


def flood(service, head, piece, megabytes=60):
    """Sends without end, as fast as it is taken."""
    with contextlib.closing(connect(service)) as client:
        start = time.monotonic()
        with contextlib.suppress(OSError):
            client.sendall(head)
            for _ in range(megabytes * MIB // len(piece)):
                client.sendall(piece)
        _, closed = until_closed(client, 4)
        return closed and time.monotonic() - start < 8


def together(functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def memory(service, before):
    bomb = gzip.compress(b" " * (500 * MIB), 9)
    for path in (b"/score", b"/reload"):
        answer, closed = exchange(service, post(path, b"Content-Encoding: gzip\r\n", bomb))
        check(closed and b" 415 " in answer, f"{len(bomb) / MIB:.1f} MB that unpack to 500, {path.decode()}")
    megabyte = b"a" * MIB
    floods = {
        "an endless line": (b"GET /", megabyte),
        "an endless header": (b"POST /score HTTP/1.1\r\nHost: x\r\nX: ", megabyte),
        "endless headers": (b"POST /score HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n" * 10000),
        "an endless extension": (post(b"/score", CHUNKED, length=False) + b"2;", megabyte),
        "endless trailers": (post(b"/score", CHUNKED, length=False) + b"0\r\n", b"X: y\r\n" * 10000),
    }
    for path in (b"/score", b"/reload", b"/nowhere"):
        name = path.decode()
        floods["an endless chunk, " + name] = (post(path, CHUNKED, length=False) + b"ffffffff\r\n", megabyte)
        floods["endless chunks, " + name] = (post(path, CHUNKED, length=False), b"1\r\na\r\n" * 10000)
        floods["a body without a length, " + name] = (post(path, length=False), megabyte)
    for name, (head, piece) in floods.items():
        check(flood(service, head, piece), name)

    def paced():  # each piece ends within the next header's name
        with contextlib.suppress(OSError), contextlib.closing(connect(service)) as client:
            client.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\na")
            for _ in range(300):
                client.sendall(b":\r\na" * 1000)
                time.sleep(0.005)

    together([paced] * 16)
    many = post(b"/score", b"a:\r\n" * 90 + b"Content-Length: 9999\r\n", b" ", length=False)
    with slow_clients(service, 250, many, b" "):
        time.sleep(0.5)
    rows = b",".join([b"[1,2,3,4,5]"] * 1000)
    large = post(b"/score", body=b'{"user":[1,2,3],"candidates":[' + rows + b"]}")
    with slow_clients(service, 250, large * 100, b""):
        time.sleep(0.5)

    def fill():  # 15 MB of a body, and no more
        with contextlib.suppress(OSError), contextlib.closing(connect(service)) as client:
            client.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (15 * MIB))
            for _ in range(14):
                client.sendall(megabyte)
            until_closed(client, REQUEST + 2)

    together([fill] * 60)
    ranges = b"Range: bytes=" + b",".join([b"0-"] * 1000) + b"\r\n"
    answer, _ = exchange(service, post(b"/score", ranges, BODY))
    check(b" 200 " in answer and len(answer) < 10000, "a thousand ranges")
    grown = (service.peak_bytes() - before) / MIB
    check(grown < 100, f"memory: {grown:.1f} MB at most over what it was")


@contextlib.contextmanager
def slow_clients(service, count, sent, byte=b"x"):
    """So many that send something, and then a byte now and then."""
    stop = threading.Event()
    clients = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            clients.append(connect(service))
            clients[-1].sendall(sent)

    def trickle():
        while not stop.wait(0.2):
            for client in clients:
                with contextlib.suppress(OSError):
                    client.sendall(byte)

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        yield clients
    finally:
        stop.set()
        thread.join()
        for client in clients:
            client.close()


SLOW = {
    "silent": (b"", b""),
    "in a line": (b"POST /sc", b"x"),
    "in a header": (b"POST /score HTTP/1.1\r\nX: ", b"x"),
    "in a body": (b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n", b" "),
    "in a chunk": (post(b"/score", CHUNKED, length=False) + b"9999\r\n", b" "),
    "deaf": (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 5000, b""),
}


def slowness(service):
    for name, (sent, byte) in SLOW.items():
        with slow_clients(service, 400, sent, byte) as clients:
            worst = 0
            for _ in range(20):
                start = time.monotonic()
                status, _ = service.ask("GET", "/healthz")
                worst = max(worst, time.monotonic() - start)
                check_status = status == 200
            check(check_status and worst < 1, f"400 clients {name}: /healthz within {1e3 * worst:.0f} ms")
            if name != "deaf":
                _, closed = until_closed(clients[0], IDLE + REQUEST + 1.5)
                check(closed, f"a client {name}: closed in time")
        status = 0
        for _ in range(40):
            status, _ = service.ask("POST", "/score", BODY)
            if status == 200:
                break
            time.sleep(0.1)
        check(status == 200, f"after them: /score {status}")


def endings(program, model):
    for name, (sent, byte) in SLOW.items():
        with Service(program, model, *OPTIONS) as service, slow_clients(service, 64, sent, byte):
            seconds, code = service.end()
            check(seconds < DRAIN + 1 and code == 0, f"SIGTERM, 64 clients {name}: {seconds:.2f} s, code {code}")
    with Service(program, model, *OPTIONS) as service:
        seconds, code = service.end(signal.SIGINT)
        check(seconds < DRAIN + 1 and code == 0, f"SIGINT, no client: {seconds:.2f} s, code {code}")
    patient = ("--drain", "20000", "--lame-duck", "20000")
    with Service(program, model, *patient) as service:
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        check(service.ask("GET", "/healthz")[0] == 503, "while it drains /healthz says 503")
        check(service.ask("POST", "/score", BODY)[0] == 200, "while it drains requests are answered")
        seconds, code = service.end()
        check(seconds < 1 and code == 1, f"a second signal: {seconds:.2f} s, code {code}")
    with Service(program, model, *OPTIONS) as service:  # nobody reads what it says
        service.process.stdout.close()
        seconds, code = service.end()
        check(seconds < DRAIN + 1 and code == 0, f"SIGTERM, output closed: {seconds:.2f} s, code {code}")
    with Service(program, model, "--drain", "5000", "--lame-duck", "1500") as service:
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        service.process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        service.process.send_signal(signal.SIGCONT)
        check(service.ask("GET", "/healthz")[0] == 503, "stopped and continued while it drains, it goes on")
        check(service.process.wait(timeout=8) == 0, "and ends as it would have")
    with Service(program, model, *OPTIONS) as service:  # no memory for anything new
        resource.prlimit(service.process.pid, resource.RLIMIT_AS, (1, 1))
        seconds, code = service.end()
        check(seconds < DRAIN + 1, f"SIGTERM without memory: {seconds:.2f} s, code {code}")
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 1024)
    os.set_blocking(writer, True)
    with Service(program, model, *OPTIONS, errors=writer) as service:  # nobody reads its errors
        service.process.send_signal(signal.SIGHUP)
        time.sleep(0.1)
        seconds, code = service.end()
        check(seconds < DRAIN + 1, f"SIGTERM, errors blocked: {seconds:.2f} s, code {code}")
    os.close(reader)
    os.close(writer)


def files(program, model, directory):
    with tempfile.TemporaryDirectory(dir=directory) as place:
        pipe = os.path.join(place, "pipe")
        os.mkfifo(pipe)
        start = time.monotonic()
        with Service(program, pipe, *OPTIONS) as service:
            code = service.process.wait(timeout=10)
            check(code == 2 and "pipe" in service.error_text() and time.monotonic() - start < 2,
                  "a pipe as the model's file is refused")
        served = os.path.join(place, "model")
        os.link(model, served)
        with Service(program, served, *OPTIONS) as service:
            os.unlink(served)
            os.mkfifo(served)
            status, text = service.ask("POST", "/reload")
            check(status == 422 and b"pipe" in text, "a pipe in the place of the model's file is refused")
            seconds, code = service.end()
            check(seconds < DRAIN + 1 and code == 0, f"SIGTERM after it: {seconds:.2f} s, code {code}")
    with Service(program, model, *OPTIONS) as service:
        service.process.send_signal(signal.SIGHUP)
        for _ in range(100):
            if service.metric("ranking_model_version") == 2:
                break
            time.sleep(0.02)
        check(service.metric("ranking_model_version") == 2, "SIGHUP loads the model again")
        check(exchange(service, RELOAD[:-2] + b"Connection: close\r\n\r\n")[0].startswith(b"HTTP/1.1 200"),
              "POST /reload without a body")


def want(program, model):
    with Service(program, model, *OPTIONS, limits=[(resource.RLIMIT_NOFILE, 40)]) as service:
        with slow_clients(service, 80, b"GET"):
            time.sleep(0.3)
        time.sleep(0.3)
        check(service.ask("POST", "/score", BODY)[0] == 200, "it serves again after a want of descriptors")
    with Service(program, model, "--threads", "1000", limits=[(resource.RLIMIT_AS, 2 << 30)]) as service:
        code = service.process.wait(timeout=20)
        check(service.port is None and code == 2, f"threads that cannot be had: code {code} before it listens")


def scores(service):
    return json.loads(service.ask("POST", "/score", BODY)[1])["scores"]


def main():
    program, write_model = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        model = os.path.join(directory, "model")
        subprocess.run([write_model, model, "1"], check=True)
        with Service(program, model, *OPTIONS) as service:
            for _ in range(200):
                service.ask("POST", "/score", BODY)
            before = service.peak_bytes()
            expected = scores(service)
            smuggling(service)
            memory(service, before)
            slowness(service)
            check(scores(service) == expected, "scores after all of it are as before")
            grown = (service.peak_bytes() - before) / MIB
            check(grown < 100, f"memory at the end: {grown:.1f} MB at most over what it was")
            seconds, code = service.end()
            check(seconds < DRAIN + 1 and code == 0, f"SIGTERM at the end: {seconds:.2f} s, code {code}")
        endings(program, model)
        files(program, model, directory)
        want(program, model)
    print(f"{len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
