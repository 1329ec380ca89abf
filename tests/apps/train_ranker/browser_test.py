"""Chromium shows the page of train_ranker --report: no error in its console, no request to a network.

    browser_test.py <train_ranker> [--keep <directory>] [options of train_ranker...]

Ends with 77 where there is no Chromium. --keep leaves the page and screenshots, light and dark.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

OPTIONS = ["--models", "single-task,mmoe,adatt", "--data", "synthetic", "--rows", "400", "--inputs", "8", "--levels", "8,4"]
OPTIONS += ["--towers", "4", "--epochs", "2", "--seeds", "1,2"]


def requests(net_log):
    """What the page asked a network for. What no page asked for is the browser's own affair."""
    log = json.loads(net_log.read_text())
    start = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    asked = [event["params"] for event in log["events"]
             if event["type"] == start and "url" in event.get("params", {})]
    return {params["url"] for params in asked if params["initiator"] != "not an origin"
            and not params["url"].startswith(("file:", "data:"))}


def show(chromium, page, picture, *more):
    """Loads the page in a browser of its own; returns what it says and the addresses it asks for."""
    with tempfile.TemporaryDirectory() as directory:
        net_log = pathlib.Path(directory, "net.json")
        done = subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={directory}/profile",
             "--enable-logging=stderr", f"--log-net-log={net_log}", "--hide-scrollbars",
             f"--screenshot={picture}", *more, page.as_uri()],
            check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
        return done.stdout, requests(net_log)


def main():
    program, *options = sys.argv[1:]
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("no chromium")
        sys.exit(77)
    keep = None
    if options[:1] == ["--keep"]:
        keep = pathlib.Path(options[1]).resolve()
        options = options[2:]
    with tempfile.TemporaryDirectory() as directory:
        place = keep or pathlib.Path(directory)
        page = place / "report.html"
        subprocess.run([program, *(options or OPTIONS), "--report", page], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # The test would see both: a page that errs and asks for something does.
        bad = place / "bad.html"
        bad.write_text("<script>console.error('seen')</script><img src='http://127.0.0.1:9/seen'>")
        said, asked = show(chromium, bad, place / "bad.png")
        assert "CONSOLE" in said and any("127.0.0.1" in url for url in asked), (said, asked)
        for name, flags in (("light", []), ("dark", ["--force-dark-mode"])):
            picture = place / f"{name}.png"
            said, asked = show(chromium, page, picture, "--window-size=1080,4200", *flags)
            assert "CONSOLE" not in said, said
            assert not asked, asked
            assert picture.stat().st_size > 20000, picture.stat().st_size
        assert (place / "light.png").read_bytes() != (place / "dark.png").read_bytes()


main()
