"""A ranking_service as a program, for scripts that try it: started, asked over loopback, ended."""

import http.client
import json
import re
import resource
import signal
import subprocess
import tempfile
import time

BODY = json.dumps({"user": [1, 2, 3], "candidates": [[1, 2, 3, 4, 5], [0, 0, 0, 0, 1]]}).encode()


class Service:
    """Listens when the constructor returns. Ends with the `with` block, by SIGKILL if need be."""

    def __init__(self, program, model, *options, limits=(), errors=None):
        def limit():
            for what, value in limits:
                resource.setrlimit(what, (value, value))

        self.errors = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(
            [program, model, "--user-columns", "0-2", "--port", "0", "--host", "127.0.0.1", *options],
            stdout=subprocess.PIPE, stderr=errors or self.errors, text=True, preexec_fn=limit)
        self.port = None
        line = self.process.stdout.readline()
        listening = re.search(r"listening on .*:(\d+)$", line)
        if listening:
            self.port = int(listening.group(1))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def error_text(self):
        self.errors.seek(0)
        return self.errors.read()

    def ask(self, method, path, body=None, timeout=10):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def metric(self, name):
        text = self.ask("GET", "/metrics")[1].decode()
        return float(re.search("^" + re.escape(name) + r" (\S+)$", text, re.MULTILINE).group(1))

    def peak_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", status.read()).group(1))

    def end(self, sign=signal.SIGTERM, at_most=30):
        """Seconds from the signal to the end, and the exit code."""
        start = time.monotonic()
        self.process.send_signal(sign)
        code = self.process.wait(timeout=at_most)
        return time.monotonic() - start, code
