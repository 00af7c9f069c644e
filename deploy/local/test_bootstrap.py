"""Tests of bootstrap.py: the real script and the real pip, on wheels of a few bytes in a folder that pip is pointed to.

Run with `python3 -m unittest discover deploy/local`. Each test works in its own copy of a repository.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

SCRIPT = Path(__file__).with_name("bootstrap.py")
WHEEL = "tiny-1.0-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
WHEEL_INFO = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class BootstrapTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.repository = Path(folder.name) / "repository"
        self.index = Path(folder.name) / "index"
        self.index.mkdir()
        local = self.repository / "deploy" / "local"
        local.mkdir(parents=True)
        self.script = Path(shutil.copy(SCRIPT, local))
        self.deps = self.repository / ".deps"
        self.wheel = self.build_wheel()
        self.pin(sha256=hashlib.sha256(self.wheel.read_bytes()).hexdigest())

    def build_wheel(self):
        path = self.index / WHEEL
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr("tiny/lib/a.txt", "a")
            wheel.writestr("tiny/lib/deeper/b.txt", "b")
            wheel.writestr("tiny/left_out.txt", "c")
            wheel.writestr("tiny-1.0.dist-info/METADATA", METADATA)
            wheel.writestr("tiny-1.0.dist-info/WHEEL", WHEEL_INFO)
            wheel.writestr("tiny-1.0.dist-info/RECORD", "")
        return path

    def pin(self, **changes):
        """Writes pins.json with one component, `tiny`, whose GPU variant takes one file more."""
        archive = {
            "from": "pip",
            "spec": "tiny==1.0",
            "tag": "any",
            "file": WHEEL,
            "bytes": self.wheel.stat().st_size,
            "take": {"tiny/lib/*": "lib/"},
            **changes,
        }
        more = dict(archive, take={"tiny/left_out.txt": ""})
        component = {
            "title": "Tiny 1.0",
            "laid_out_bytes": 10,
            "archives": [archive],
            "links": {"lib/link": "a.txt"},
            "write": {"note": "hello\n"},
            "cuda": {"title": "Tiny 1.0 for GPUs", "archives": [more]},
        }
        target = {"glibc": "2.17", "wheel_python": "3.11", "components": {"tiny": component}}
        machine = {"aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
        pins = {"platforms": {f"{os.uname().sysname.lower()}-{machine}": target}}
        self.script.with_name("pins.json").write_text(json.dumps(pins), encoding="utf-8")

    def start(self, *arguments, **variables):
        """Starts the script with a pip that knows only the folder `index`."""
        settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.index), "CUDA": "0", "KEEP_DOWNLOADS": "0"}
        environment = {**os.environ, **settings, **variables}
        command = [sys.executable, str(self.script), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, universal_newlines=True)

    def bootstrap(self, *arguments, **variables):
        process = self.start(*arguments, **variables)
        output, errors = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def laid_out(self):
        root = self.deps / "tiny"
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())

    def test_a_component_is_laid_out_and_its_download_removed(self):
        result = self.bootstrap()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.laid_out(), [".stamp", "lib/a.txt", "lib/deeper/b.txt", "lib/link", "note"])
        self.assertEqual((self.deps / "tiny/lib/link").read_text(), "a")
        self.assertEqual(os.listdir(self.deps / "downloads"), [])
        self.assertFalse((self.deps / ".work").exists())

    def test_a_second_run_changes_nothing_and_needs_no_index(self):
        self.bootstrap()
        before = (self.deps / "tiny").stat()
        self.wheel.unlink()
        result = self.bootstrap()
        self.assertEqual((result.returncode, result.stdout), (0, "tiny: up to date\n"))
        self.assertEqual((self.deps / "tiny").stat(), before)

    def test_two_runs_at_once_lay_out_one_component(self):
        outputs = [run.communicate() for run in [self.start(), self.start()]]
        self.assertEqual([errors for _, errors in outputs], ["", ""])
        self.assertEqual(sum("ready in .deps/tiny" in output for output, _ in outputs), 1)
        self.assertEqual(self.laid_out(), [".stamp", "lib/a.txt", "lib/deeper/b.txt", "lib/link", "note"])

    def test_a_kept_download_is_used_again_when_the_pins_change_what_is_taken(self):
        self.bootstrap(KEEP_DOWNLOADS="1")
        self.wheel.rename(self.index / "elsewhere")
        kept = self.deps / "downloads" / WHEEL
        self.wheel = kept
        self.pin(sha256=hashlib.sha256(kept.read_bytes()).hexdigest(), take={"tiny/lib/a.txt": "lib/"})
        result = self.bootstrap()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.laid_out(), [".stamp", "lib/a.txt", "lib/link", "note"])

    def test_a_truncated_download_is_fetched_again(self):
        (self.deps / "downloads").mkdir(parents=True)
        (self.deps / "downloads" / WHEEL).write_bytes(self.wheel.read_bytes()[:100])
        result = self.bootstrap()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("damaged", result.stdout)

    def test_an_archive_with_another_sum_is_refused_and_nothing_is_laid_out(self):
        self.pin(sha256="0" * 64)
        result = self.bootstrap()
        self.assertEqual(result.returncode, 1)
        self.assertIn("is not the pinned file", result.stderr)
        self.assertEqual(sorted(os.listdir(self.deps)), [".lock", "downloads"])
        self.assertEqual(os.listdir(self.deps / "downloads"), [])

    def test_a_failed_update_leaves_the_old_component_as_it_was(self):
        self.bootstrap()
        before = self.laid_out()
        self.pin(sha256=hashlib.sha256(self.wheel.read_bytes()).hexdigest(), take={"tiny/absent": "lib/"})
        result = self.bootstrap()
        self.assertIn("holds no tiny/absent", result.stderr)
        self.assertEqual(self.laid_out(), before)

    def test_what_pip_says_is_shown_when_it_fails(self):
        self.wheel.unlink()
        result = self.bootstrap()
        self.assertEqual(result.returncode, 1)
        self.assertIn("No matching distribution found for tiny==1.0", result.stderr)

    def test_the_gpu_variant_also_serves_a_plain_run(self):
        self.bootstrap(CUDA="1")
        self.assertIn("left_out.txt", self.laid_out())
        self.assertEqual(self.bootstrap().stdout, "tiny: up to date\n")

    def test_a_plain_component_does_not_serve_a_gpu_run(self):
        self.bootstrap(CUDA="0")
        self.assertNotIn("left_out.txt", self.laid_out())
        self.bootstrap(CUDA="1")
        self.assertIn("left_out.txt", self.laid_out())

    def test_too_little_space_is_refused_before_anything_is_fetched(self):
        pins = json.loads(self.script.with_name("pins.json").read_text())
        for target in pins["platforms"].values():
            target["components"]["tiny"]["laid_out_bytes"] = 10**18
        self.script.with_name("pins.json").write_text(json.dumps(pins))
        result = self.bootstrap()
        self.assertIn("of disk space", result.stderr)
        self.assertEqual(os.listdir(self.deps / "downloads"), [])

    def test_an_unknown_component_is_refused_by_name(self):
        self.assertIn("there is no component nothing: choose from tiny", self.bootstrap("--only", "nothing").stderr)


if __name__ == "__main__":
    unittest.main()
