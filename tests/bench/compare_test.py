"""Tests of bench/compare.py."""
import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import compare  # noqa: E402


def rounds(name, microseconds, peak_share=0.5, bandwidth_share=0.25):
    full_name = f"{name}/iterations:1/repeats:{len(microseconds)}/manual_time"
    return [{"name": full_name, "run_name": full_name, "run_type": "iteration", "real_time": time,
             "peak_share": peak_share, "bandwidth_share": bandwidth_share}
            for time in microseconds]


def median_of(name):
    return {"run_name": name, "run_type": "aggregate", "aggregate_name": "median", "real_time": 99}


class RankTest(unittest.TestCase):
    def test_separated_samples(self):
        # U = 0 of 25: z = (12.5 - 0.5) / sqrt(275 / 12), p = erfc(z / sqrt 2)
        p = compare.rank_test([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])
        self.assertAlmostEqual(p, 0.0121858, places=6)

    def test_ties_shrink_the_variance(self):
        # Ranks 1.5 1.5 4 against 4 4 6: U = 1 of 9, variance 0.75 (7 - 30/30)
        p = compare.rank_test([1, 1, 2], [2, 2, 3])
        self.assertAlmostEqual(p, 0.1572992, places=6)

    def test_is_symmetric(self):
        a, b = [1.0, 5.0, 2.5, 7.0], [3.0, 8.0, 6.0]
        self.assertEqual(compare.rank_test(a, b), compare.rank_test(b, a))

    def test_equal_samples(self):
        self.assertEqual(compare.rank_test([1, 1, 1], [1, 1, 1]), 1.0)
        self.assertEqual(compare.rank_test([1, 2, 3], [1, 2, 3]), 1.0)


class CommandTest(unittest.TestCase):
    def run_on(self, arguments, *files):
        with tempfile.TemporaryDirectory() as directory:
            paths = []
            for i, runs in enumerate(files):
                paths.append(f"{directory}/{i}.json")
                pathlib.Path(paths[-1]).write_text(json.dumps({"benchmarks": runs}))
            with (mock.patch.object(sys, "argv", ["compare.py", *arguments, *paths]),
                  contextlib.redirect_stdout(io.StringIO()) as out):
                compare.main()
            return out.getvalue()

    def test_two_runs(self):
        before = rounds("a/1/plait", [9, 40, 10]) + [median_of("a/1/plait")]
        after = rounds("a/1/plait", [5, 4, 50]) + rounds("a/2/plait", [1, 1, 1])
        out = self.run_on([], before, after)
        self.assertIn("| a/1/plait | before | 10 | 5 | 2.00 |", out)
        self.assertNotIn("a/2", out)

    def test_two_runs_without_a_common_name(self):
        with self.assertRaisesRegex(SystemExit, "no benchmark in common"):
            self.run_on([], rounds("a/1/plait", [1]), rounds("b/1/plait", [1]))

    def test_peers(self):
        run = (rounds("a/1/plait", [2, 2]) + rounds("a/1/eager", [4, 4])
               + rounds("a/1/frozen", [1, 1]))
        out = self.run_on(["--peers"], run)
        self.assertIn("| a/1 | eager | 4 | 2 | 2.00 |", out)
        self.assertIn("| a/1 | frozen | 1 | 2 | 0.50 |", out)
        self.assertIn("Geometric mean 1.00, smallest 0.50.", out)

    def test_another_contestant(self):
        run = rounds("s/1024/1", [30]) + rounds("s/1024/2", [20])
        self.assertIn("| s/1024 | 1 | 30 | 20 | 1.50 |",
                      self.run_on(["--peers", "--ours", "2"], run))

    def test_peers_without_peers(self):
        with self.assertRaisesRegex(SystemExit, "no peers"):
            self.run_on(["--peers"], rounds("a/1/plait", [1]))

    def test_tables(self):
        run = (rounds("serving/X/16/plait", [2], peak_share=0.9)
               + rounds("serving/X/16/eager", [8]) + rounds("serving/X/16/frozen", [4])
               + rounds("serving/X/1/plait", [2], 0.1, 0.8) + rounds("serving/X/1/eager", [1])
               + rounds("serving/Y/16/plait", [2]) + rounds("load/file/plait", [1]))
        out = self.run_on(["--tables"], run)
        self.assertIn("| serving | 1 | 16 |\n| --- | ---: | ---: |\n"
                      "| X | 0.80 b; 0.50x | 0.90; 2.00x |\n| Y |  | 0.50 |\n", out)
        self.assertIn("Geometric mean 1.00x, smallest 0.50x (X at 1).", out)
        self.assertNotIn("load", out)

    def test_tables_without_batches(self):
        with self.assertRaisesRegex(SystemExit, "no cells per batch"):
            self.run_on(["--tables"], rounds("load/file/plait", [1]))


if __name__ == "__main__":
    unittest.main()
