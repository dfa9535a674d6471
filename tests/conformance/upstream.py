"""The tests of other projects, unmodified, on vecbt's classes in place of theirs.

``python -m tests.conformance.upstream sb3`` takes the tests out of the source distribution of the version that is
installed, which pip downloads once, and runs them with a plugin of `plugins/` that puts vecbt's class where theirs was.
A source distribution without these tests (Gymnasium's) needs ``--source``: a folder with the project's sources.
Further arguments are pytest's.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PLUGINS = Path(__file__).with_name("plugins")


@dataclass(frozen=True)
class Suite:
    """Tests of another project, and what stands in for its class."""

    package: str
    plugin: str
    paths: tuple[str, ...]
    deselected: dict[str, str] = field(default_factory=dict)
    """Beginnings of the node ids of cases that are left out, each with its reason."""


SUITES = {
    "sb3": Suite(
        package="stable-baselines3",
        plugin="rebind_sb3",
        paths=("tests/test_vec_envs.py",),
    ),
    "gymnasium": Suite(
        package="gymnasium",
        plugin="rebind_gymnasium",
        paths=(
            "tests/vector/test_async_vector_env.py",
            "tests/vector/test_autoreset_mode.py",
            "tests/vector/test_observation_mode.py",
            "tests/vector/test_vector_env.py",
            "tests/vector/test_vector_env_info.py",
            "tests/vector/test_vector_wrapper.py",
            "tests/wrappers/vector",
        ),
        deselected={
            "tests/wrappers/vector/test_human_rendering.py": "needs OpenCV and MuJoCo, whatever the class",
            "tests/wrappers/vector/test_record_video.py": "needs MoviePy, whatever the class",
            "tests/wrappers/vector/test_vector_wrappers.py::test_vector_wrapper_equivalence[CarRacing": "needs Box2D",
        },
    ),
}


def sources(package: str) -> Path:
    """The tests of the installed version of a package, in a folder that is kept for the next time.

    Only ``tests/``: the package beside it would be imported in place of the installed one.
    """
    version = importlib.metadata.version(package)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vecbt" / "upstream"
    folder = cache / f"{package}-{version}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary", package, "--dest", scratch, f"{package}=={version}"]
        subprocess.run(command, check=True)
        (archive,) = Path(scratch).glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            tests = [member for member in tar.getmembers() if Path(member.name).parts[1:2] == ("tests",)]
            tar.extractall(scratch, tests, filter="data")
        (unpacked,) = (path for path in Path(scratch).iterdir() if path.is_dir())
        unpacked.rename(folder)
    return folder


def run(name: str, source: Path | None = None, arguments: Sequence[str] = ()) -> int:
    """Run a suite in a process of its own.

    Args:
        name: A key of `SUITES`.
        source: The project's sources; by default those of `sources`.
        arguments: More arguments for pytest.

    Returns:
        Pytest's exit status.
    """
    suite = SUITES[name]
    if source is None:
        return _run(suite, sources(suite.package), arguments)
    with tempfile.TemporaryDirectory() as scratch:  # the tests alone, see sources()
        shutil.copytree(source / "tests", Path(scratch) / "tests")
        return _run(suite, Path(scratch), arguments)


def _run(suite: Suite, folder: Path, arguments: Sequence[str]) -> int:
    missing = [path for path in suite.paths if not (folder / path).exists()]
    if missing:
        sys.exit(f"{folder} has no {', '.join(missing)}: give the sources of {suite.package} with --source")
    for case, reason in suite.deselected.items():
        sys.stderr.write(f"deselected: {case}: {reason}\n")
    command = [sys.executable, "-m", "pytest", "-c", str(PLUGINS / "pytest.ini"), "--rootdir", str(folder)]
    command += ["-p", "no:cacheprovider", "-p", suite.plugin, "--timeout", "300"]
    command += [f"--deselect={case}" for case in suite.deselected]
    environment = {**os.environ, "PYTHONPATH": str(PLUGINS), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([*command, *suite.paths, *arguments], cwd=folder, env=environment, check=False).returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", choices=sorted(SUITES))
    parser.add_argument("--source", type=Path, help="folder with the project's sources")
    options, arguments = parser.parse_known_args()
    sys.exit(run(options.suite, options.source, arguments))


if __name__ == "__main__":
    main()
