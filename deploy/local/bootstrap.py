"""Lays out libtorch, OpenVINO, PostgreSQL and ONNX Runtime under <repository>/.deps, from the packages that pins.json names.

Called by the script `bootstrap` beside it, which checks the prerequisites first. Downloads go through `pip` and `npm`
and nothing else, so that their configuration (mirrors, proxies, certificates) holds here too. What this promises:

- Nothing is used whose SHA-256 differs from pins.json.
- A component appears under its name only when it is whole, and has been loaded or started once.
- A second run finds the stamps and returns at once; an interrupted run repeats only the archive it was fetching.
- Two runs at once wait for each other. No root, and nothing outside .deps is written.
"""

import argparse
import contextlib
import errno
import fcntl
import fnmatch
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEPS = HERE.parents[1] / ".deps"
DOWNLOADS = DEPS / "downloads"
# Everything unfinished lives here; it is on the same file system as the result, so that a rename puts it in place.
WORK = DEPS / ".work"

# Raise it when the way archives are laid out changes: every stamp becomes stale.
LAYOUT = 1
PROGRESS_SECONDS = 5
# pip writes an archive to its temporary folder and then copies it.
PIP_COPIES = 2


class Refusal(Exception):
    """Something the user has to put right; its text is all that is shown."""


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Other accounts (PostgreSQL never runs as root) must be able to read the result, whatever the caller's umask.
    os.umask(0o022)
    try:
        target = this_platform()
        if not arguments.check:
            bootstrap(chosen_components(target, arguments.only), target["wheel_python"])
    except Refusal as refusal:
        sys.exit(f"bootstrap: {refusal}")
    except PermissionError as error:
        sys.exit(f"bootstrap: cannot write {error.filename}: run it as the owner of {DEPS}, or remove that folder")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.exit(f"bootstrap: no space left for {DEPS}: make room and run it again, it goes on where it stopped")
    except KeyboardInterrupt:
        sys.exit("\nbootstrap: interrupted; run it again, it goes on where it stopped")


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="bootstrap",
        description="Fetch libtorch, OpenVINO, PostgreSQL and ONNX Runtime into .deps, without root and outside the system.",
        epilog="Environment: CUDA=1 adds the libraries that libtorch needs on NVIDIA GPUs; "
        "KEEP_DOWNLOADS=1 keeps the fetched archives in .deps/downloads.",
    )
    parser.add_argument("--check", action="store_true", help="only check the prerequisites")
    parser.add_argument("--only", metavar="NAME", help="lay out this component alone: libtorch, openvino, postgres or onnxruntime")
    return parser.parse_args()


# What to lay out


def this_platform():
    """The entry of pins.json for this machine; refuses a machine that has none or whose C library is too old."""
    platforms = json.loads((HERE / "pins.json").read_text(encoding="utf-8"))["platforms"]
    machine = {"amd64": "x86_64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine().lower())
    name = f"{platform.system().lower()}-{machine}"
    if name not in platforms:
        raise Refusal(f"{name} is not supported: pins.json lists packages for {', '.join(platforms)} only")
    needed = platforms[name].get("glibc")
    library, version = platform.libc_ver()
    if needed and (library != "glibc" or version_key(version) < version_key(needed)):
        raise Refusal(f"glibc {needed} or newer is needed, this system has {library or 'another C library'} {version}")
    return platforms[name]


def version_key(version):
    return [int(part) for part in version.split(".")]


def chosen_components(target, only):
    """Name -> variants of each wanted component; the first variant is the one to lay out, any of them satisfies."""
    names = list(target["components"])
    if only and only not in names:
        raise Refusal(f"there is no component {only}: choose from {', '.join(names)}")
    return {name: variants(target["components"][name]) for name in ([only] if only else names)}


def variants(component):
    """What satisfies a request for a component: with CUDA=1 its GPU variant alone, otherwise the plain one or that."""
    plain = {key: value for key, value in component.items() if key != "cuda"}
    if "cuda" not in component:
        return [plain]
    cuda = dict(plain, **component["cuda"])
    cuda["archives"] = plain["archives"] + component["cuda"]["archives"]
    return [cuda] if os.environ.get("CUDA", "0") not in ("", "0") else [plain, cuda]


def stamp_of(component):
    """A digest of everything that decides what a component's folder holds."""
    content = [LAYOUT, *(component.get(key) for key in ("archives", "links", "write"))]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def is_current(name, component_variants):
    try:
        stamp = (DEPS / name / ".stamp").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return False
    return stamp in map(stamp_of, component_variants)


# The run


def bootstrap(components, wheel_python):
    """Lays out what is not there yet, under the lock; returns at once when nothing is missing."""
    if all(is_current(name, choices) for name, choices in components.items()):
        return say(f"{', '.join(components)}: up to date")
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    with the_lock(), the_work_folder():
        for name, choices in components.items():
            if is_current(name, choices):
                say(f"{name}: up to date")
            else:
                lay_out(name, choices[0], wheel_python)


def lay_out(name, component, wheel_python):
    """Fetches a component's archives and turns them into .deps/<name>."""
    started = time.monotonic()
    archives = component["archives"]
    missing = [archive for archive in unique(archives) if not is_downloaded(archive)]
    require_space(name, component, missing)
    for archive in missing:
        fetch(archive, wheel_python)
    say(f"{name}: laying out {component['title']}")
    folder = WORK / name
    for archive in archives:
        unpack(archive, folder)
    for link, target in component.get("links", {}).items():
        symlink(folder / link, target)
    for path, text in component.get("write", {}).items():
        (folder / path).write_text(text, encoding="utf-8")
    prove(name, component, folder)
    (folder / ".stamp").write_text(stamp_of(component) + "\n", encoding="ascii")
    put_in_place(folder, DEPS / name)
    if os.environ.get("KEEP_DOWNLOADS", "0") in ("", "0"):
        for archive in unique(archives):
            (DOWNLOADS / archive["file"]).unlink()
    say(f"{name}: ready in .deps/{name}, {megabytes(size_of(DEPS / name))}, {time.monotonic() - started:.0f} s")


def unique(archives):
    """One entry per file: a variant may take more from an archive that the plain component uses already."""
    return {archive["file"]: archive for archive in archives}.values()


@contextlib.contextmanager
def the_lock():
    """Held for the whole run; the system releases it when the process ends, however it ends."""
    with open(DEPS / ".lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another bootstrap is at work here: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def the_work_folder():
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(WORK, ignore_errors=True)


def require_space(name, component, missing):
    """Refuses before the first byte when the archives and the result cannot both fit."""
    sizes = [archive["bytes"] for archive in missing]
    needed = sum(sizes) + (PIP_COPIES - 1) * max(sizes, default=0) + component["laid_out_bytes"]
    free = shutil.disk_usage(DEPS).free
    if free < needed:
        raise Refusal(
            f"{name} needs {megabytes(needed)} of disk space while it is being laid out, "
            f"{megabytes(free)} are free in {DEPS}"
        )


# Downloads


def is_downloaded(archive):
    """Whether .deps/downloads holds the archive, whole; a damaged one is removed."""
    path = DOWNLOADS / archive["file"]
    if not path.exists():
        return False
    if path.stat().st_size == archive["bytes"] and sha256(path) == archive["sha256"]:
        say(f"{archive['spec']}: using the kept download")
        return True
    say(f"{archive['spec']}: the kept download is damaged or another file, fetching it again")
    path.unlink()
    return False


def fetch(archive, wheel_python):
    """Downloads one archive with its package manager, and keeps it only if it is the pinned one."""
    say(f"{archive['spec']}: fetching {megabytes(archive['bytes'])} with {archive['from']}")
    folder = WORK / "fetch"
    folder.mkdir()
    download(archive, folder, download_command(archive, folder, wheel_python))
    path = folder / archive["file"]
    if not path.exists():
        raise Refusal(f"{archive['from']} fetched {sorted(os.listdir(folder))} for {archive['spec']}, not {path.name}")
    found = sha256(path)
    if found != archive["sha256"]:
        raise Refusal(
            f"{path.name} is not the pinned file: SHA-256 {found}, {path.stat().st_size} bytes, "
            f"expected {archive['sha256']}, {archive['bytes']} bytes"
        )
    path.rename(DOWNLOADS / path.name)
    shutil.rmtree(folder)


def download_command(archive, folder, wheel_python):
    if archive["from"] == "npm":
        return ["npm", "pack", archive["spec"], "--ignore-scripts", "--silent", "--pack-destination", str(folder)]
    # The wheel is unpacked here and never imported, so the Python that runs this need not be the one it was built for.
    return [
        *(sys.executable, "-m", "pip", "download", archive["spec"]),
        *("--no-deps", "--only-binary", ":all:", "--implementation", "cp"),
        *("--python-version", wheel_python, "--platform", archive["tag"]),
        *("--no-cache-dir", "--disable-pip-version-check", "--dest", str(folder)),
    ]


def download(archive, folder, command):
    """Runs a package manager with its temporary files in `folder`; tells how far it is, shows its log when it fails."""
    environment = dict(os.environ, TMPDIR=str(folder), PIP_REQUIRE_VIRTUALENV="0")
    log_path = WORK / "fetch.log"
    with open(log_path, "wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(process, archive, folder)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode != 0:
        lines = log_path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        print("\n".join(lines[-15:]), file=sys.stderr)
        raise Refusal(f"{archive['from']} could not fetch {archive['spec']}: its last lines are above")


def wait_for(process, archive, folder):
    while process.poll() is None:
        try:
            process.wait(PROGRESS_SECONDS)
        except subprocess.TimeoutExpired:
            done = min(size_of(folder), archive["bytes"])
            say(f"  {megabytes(done)} of {megabytes(archive['bytes'])}")


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


# Laying out


def unpack(archive, folder):
    """Copies what `take` names out of an archive, and makes the symbolic links that the archive lists."""
    path = DOWNLOADS / archive["file"]
    unmatched = set(archive["take"])
    for name, executable, open_member in members(path):
        if name == archive.get("symlinks"):
            with open_member() as listed:
                make_listed_links(archive, folder, json.load(listed))
        pattern = taken_by(archive, name)
        if pattern is None:
            continue
        unmatched.discard(pattern)
        target = destination(archive, pattern, name, folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        with open_member() as source, open(target, "wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
        target.chmod(0o755 if executable else 0o644)
    if unmatched:
        raise Refusal(f"{path.name} holds no {', '.join(sorted(unmatched))}: pins.json does not fit it")


def members(path):
    """Yields (name, whether it is executable, a function that opens it) for each file of a wheel or an npm tarball."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            for info in wheel.infolist():
                if not info.is_dir():
                    yield info.filename, bool(info.external_attr >> 16 & 0o100), lambda info=info: wheel.open(info)
    else:
        with tarfile.open(path) as tarball:
            for info in tarball:
                if info.isfile():
                    yield info.name, bool(info.mode & 0o100), lambda info=info: tarball.extractfile(info)


def taken_by(archive, name):
    """The pattern of `take` that wants this member, None when none does or `skip` excludes it."""
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in archive.get("skip", ())):
        return None
    return next((pattern for pattern in archive["take"] if fnmatch.fnmatchcase(name, pattern)), None)


def destination(archive, pattern, name, folder):
    """Where a member goes: below the pattern's folder, keeping its path from the pattern's first wildcard folder on."""
    fixed = pattern.split("*")[0].rpartition("/")[0]
    return folder / archive["take"][pattern] / name[len(fixed) :].lstrip("/")


def make_listed_links(archive, folder, listed):
    """npm packages cannot hold symbolic links; this one lists them in a file, as {source, target} pairs of paths."""
    package = archive["symlinks"].partition("/")[0] + "/"
    for link in listed:
        name = package + link["target"]
        pattern = taken_by(archive, name)
        if pattern is not None:
            target = os.path.relpath(link["source"], os.path.dirname(link["target"]))
            symlink(destination(archive, pattern, name, folder), target)


def symlink(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def prove(name, component, folder):
    """Starts the programs and loads the libraries once, without LD_LIBRARY_PATH: a system library may be missing."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LD_")}
    commands = [[str(folder / program), *arguments] for program, *arguments in component.get("starts", ())]
    load = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
    commands += [[sys.executable, "-c", load, str(folder / library)] for library in component.get("loads", ())]
    for command in commands:
        result = subprocess.run(command, env=environment, capture_output=True, text=True)
        if result.returncode != 0:
            reason = (result.stderr or result.stdout).strip().splitlines()[-1:] or [f"status {result.returncode}"]
            raise Refusal(f"{name} does not start on this system: {reason[0]}")


def put_in_place(folder, final):
    """Two renames: a reader sees the old folder, for a moment none, then the new one, and never half of one."""
    if os.path.lexists(final):
        final.rename(WORK / f"old-{final.name}")
    folder.rename(final)


# Words and sizes


def say(line):
    print(line, flush=True)


def megabytes(size):
    return f"{size / 1e6:.0f} MB" if size < 10e9 else f"{size / 1e9:.1f} GB"


def size_of(folder):
    """Bytes of the regular files below a folder that another process may be changing."""
    total = 0
    for parent, _, files in os.walk(folder):
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(parent, file)).st_size
    return total


if __name__ == "__main__":
    main()
