#!/usr/bin/env python3
"""Restarts two ranking_services one after the other, behind a proxy, and counts lost requests.

    rolling_restart.py ranking_service service_model [requests, default 20000]

The proxy is a simple one: it asks /healthz every 50 ms, keeps connections to those that are well,
and tries no request twice.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import threading

from program import BODY, Service

CLIENTS = 8
REQUEST = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


async def read_answer(reader):
    """Status, whether the connection ends, and the body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.split("content-length: ")[1].split("\r\n")[0])
    return int(head.split(" ")[1]), "connection: close" in head, await reader.readexactly(length)


class Backend:
    def __init__(self, port):
        self.port = port
        self.pool = []
        self.well = True

    async def ask(self):
        reader, writer = self.pool.pop() if self.pool else await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(REQUEST)
        status, close, _ = await read_answer(reader)
        if close:
            writer.close()
        else:
            self.pool.append((reader, writer))
        return status

    async def check(self):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.well = (await read_answer(reader))[0] == 200
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            self.well = False


class Proxy:
    def __init__(self, services):
        self.backends = [Backend(service.port) for service in services]
        self.next = 0
        self.statuses = {}
        self.left = 0

    async def watch(self):
        while True:
            await asyncio.gather(*(backend.check() for backend in self.backends))
            await asyncio.sleep(0.05)

    async def client(self):
        while self.left > 0:
            self.left -= 1
            self.next += 1
            well = [backend for backend in self.backends if backend.well]
            try:
                status = await well[self.next % len(well)].ask() if well else "no backend"
            except (OSError, asyncio.IncompleteReadError) as error:
                status = type(error).__name__
            self.statuses[status] = self.statuses.get(status, 0) + 1
            await asyncio.sleep(0.003)  # some seconds in all, for some restarts

    async def run(self, requests):
        self.left = requests
        watch = asyncio.create_task(self.watch())
        await asyncio.gather(*(self.client() for _ in range(CLIENTS)))
        watch.cancel()


def main():
    program, write_model = sys.argv[1:3]
    requests = int(sys.argv[3]) if len(sys.argv) > 3 else 20000
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        model = os.path.join(directory, "model")
        subprocess.run([write_model, model, "1"], check=True)
        start = lambda: stack.enter_context(Service(program, model, "--lame-duck", "300", "--drain", "3000"))
        services = [start(), start()]
        proxy = Proxy(services)
        restarts = 0
        over = threading.Event()
        problems = []

        def restart():
            nonlocal restarts
            while not over.is_set():
                which = restarts % 2
                seconds, code = services[which].end()
                if code != 0 or seconds > 4:
                    problems.append(f"ended with {code} after {seconds:.1f} s")
                services[which] = start()
                proxy.backends[which].well = False
                proxy.backends[which].port = services[which].port
                proxy.backends[which].pool = []
                restarts += 1
                over.wait(0.3)

        thread = threading.Thread(target=restart)
        thread.start()
        asyncio.run(proxy.run(requests))
        over.set()
        thread.join()
    print(f"{restarts} restarts, answers by status: {proxy.statuses} {problems}")
    return 0 if proxy.statuses == {200: requests} and restarts >= 4 and not problems else 1


if __name__ == "__main__":
    sys.exit(main())
