from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
import pytest

import vecbt
from tests.modules import importable
from tests.names import name_of

ROOT = Path(vecbt.__file__).parents[1]
EXACT: dict[str, set[str]] = {
    "vecbt": {
        "make_vec",
        "TradingVectorEnv",
        "TradingEnv",
        "Strategy",
        "SharedMemoryVectorEnv",
        "EnvConfig",
        "Commission",
        "Slippage",
        "Row",
        "Asset",
        "data",
        "read_bars",
        "Domain",
        "RandomDomain",
        "SequentialDomain",
        "WalkForward",
        "CausalDomain",
        "SampleRules",
        "DataFeedServer",
        "BacktraderServer",
        "check_vector_env",
        "errors",
        "spaces",
        "__version__",
    },
    "vecbt.data": {
        "AlignedBars",
        "BarGenerator",
        "Bars",
        "BlockBootstrap",
        "CausalDomain",
        "Domain",
        "FeatureTable",
        "GeneratedDomain",
        "GeometricBrownianMotion",
        "GlobalTime",
        "LogUniform",
        "OrnsteinUhlenbeck",
        "RandomDomain",
        "Regime",
        "RegimeSwitching",
        "Sample",
        "SampleRules",
        "Sine",
        "Uniform",
        "align_bars",
        "SequentialDomain",
        "WalkForward",
        "compile_features",
        "read_bars",
        "synthetic_market",
    },
    "vecbt.testing": {"Figure", "PlainRun", "interleave", "run_plain"},
    "vecbt.config": {"ACCOUNT_FEATURES", "ACTIONS", "ENGINES", "REWARDS", "Commission", "EnvConfig", "Slippage"},
    "vecbt.env": {"TradingEnv"},
    "vecbt.vector": {"TradingVectorEnv", "make_vec"},
    "vecbt.strategy": {"Strategy"},
    "vecbt.dataserver": {"DataFeedServer"},
    "vecbt.server": {"BacktraderServer"},
    "vecbt.spaces": {"ActionDictSpace", "DictSpace"},
}
HEAVY = (
    "numba",
    "llvmlite",
    "backtrader",
    "pandas",
    "torch",
    "stable_baselines3",
    "matplotlib",
    "tyro",
    "tqdm",
    "pyarrow",
)
MODULES = importable()


def python(*arguments: str) -> str:
    """What a fresh interpreter prints, warnings being errors."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def source_of(module: str) -> ast.Module:
    path = importlib.import_module(module).__file__
    assert path is not None
    return ast.parse(Path(path).read_text(encoding="utf-8"))


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", EXACT)
def test_exact_names(module: str) -> None:
    names = importlib.import_module(module).__all__
    assert set(names) == EXACT[module]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("module", ["vecbt", "vecbt.data"])
def test_every_name_can_be_imported_first(module: str) -> None:
    names = sorted(EXACT[module])
    code = f"""
import importlib, sys
for name in {names}:
    for loaded in [x for x in sys.modules if x.split(".")[0] == "vecbt"]:
        del sys.modules[loaded]
    value = getattr(importlib.import_module({module!r}), name)
    assert value is getattr(importlib.import_module({module!r}), name), name
    assert name in dir(importlib.import_module("vecbt")) or {module!r} != "vecbt", name
exec(f"from {module} import *")
print(sorted(set({names}) - set(globals())))
"""
    # Registering an environment again warns.
    assert python("-W", "ignore", "-c", code).strip() == "[]"


@pytest.mark.parametrize("module", ["vecbt", "vecbt.data"])
def test_a_lazy_name_is_what_its_home_defines(module: str) -> None:
    package = importlib.import_module(module)
    for name in package._HOMES:
        value = getattr(package, name)
        assert value.__name__ == name
        assert value is getattr(importlib.import_module(value.__module__), name)
    declared = [node for node in ast.walk(source_of(module)) if isinstance(node, ast.If)]
    typed = {
        alias.name: node.module
        for branch in declared
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {name: home if home.startswith("vecbt") else f"{module}.{home}" for name, home in package._HOMES.items()}
    assert {name: home for name, home in typed.items() if home != "vecbt"} == homes  # checkers see the same


@pytest.mark.parametrize("module", ["vecbt", "vecbt.data"])
def test_an_unknown_name_is_no_attribute(module: str) -> None:
    package = importlib.import_module(module)
    with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'make_vex'"):
        package.make_vex  # noqa: B018
    assert not hasattr(package, "make_vex")


def test_dir_lists_what_has_not_been_loaded_yet() -> None:
    names = python("-c", "import vecbt; print(*dir(vecbt))").split()
    assert set(names) >= EXACT["vecbt"]
    assert names == sorted(set(names))


# -- what an import loads ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "import vecbt",
        "import vecbt; vecbt.__version__; vecbt.errors.VecbtError; dir(vecbt)",
        "import vecbt.data",
        "import vecbt; vecbt.spaces.ActionDictSpace(['EUR'])",
        "import vecbt; vecbt.EnvConfig(window=3, commission=vecbt.Commission(rate=0.1)); vecbt.Slippage()",
        "import vecbt, gymnasium; gymnasium.spec('vecbt/Trading-v0')",
        "import vecbt.__main__",
    ],
)
def test_an_import_pulls_in_nothing_heavy(code: str) -> None:
    loaded = python("-c", f"{code}\nimport sys; print(*sys.modules)").split()
    assert not set(loaded) & set(HEAVY)


def test_the_engine_needs_no_optional_dependency() -> None:
    code = """
import sys
for name in ("matplotlib", "tyro", "pyarrow", "stable_baselines3", "torch"):
    sys.modules[name] = None  # importing it fails
import vecbt
envs = vecbt.make_vec(vecbt.data.synthetic_market(100), num_envs=2, num_workers=0, episode_steps=5)
envs.reset(seed=0)
print(envs.step([0, 1])[1].shape)
envs.close()
"""
    assert python("-c", code) == "(2,)\n"


# -- version, registration, command ------------------------------------------------------------------------------------


def test_version() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["version"]
    text = (ROOT / settings["path"]).read_text(encoding="utf-8")
    assert re.findall(r'^__version__ = "(.*)"$', text, re.MULTILINE) == [vecbt.__version__]
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+|\.dev\d+)?", vecbt.__version__)
    try:
        installed = importlib.metadata.version("vecbt")
    except importlib.metadata.PackageNotFoundError:
        return  # run from a checkout that has not been installed
    assert vecbt.__version__ == installed


def test_registration() -> None:
    spec = gymnasium.spec("vecbt/Trading-v0")
    assert gymnasium.registry["vecbt/Trading-v0"] is spec
    assert gymnasium.envs.registration.load_env_creator(spec.entry_point) is vecbt.TradingEnv
    assert gymnasium.envs.registration.load_env_creator(spec.vector_entry_point) is vecbt.make_vec
    assert spec.kwargs == {}
    assert spec.max_episode_steps is None  # episodes end by their own rules
    assert not spec.nondeterministic


def test_command_line() -> None:
    text = python("-m", "vecbt", "--help")
    assert text.startswith("usage: vecbt")
    for command in ("demo", "bench", "check"):
        assert command in text


def test_the_package_is_typed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "Typing :: Typed" in settings["project"]["classifiers"]
    assert (ROOT / "vecbt" / "py.typed").is_file()


# -- every module ------------------------------------------------------------------------------------------------------


def _defined(module: str) -> set[str]:
    """Public names that a module defines at its top level; imports are not its own."""
    names: set[str] = set()
    for node in source_of(module).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("name", ["vecbt", *MODULES])
def test_modules(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    assert module.__doc__.strip()
    if not hasattr(module, "__all__"):
        assert not _defined(name), "a module that defines names says which of them are public"
        return
    assert module.__all__
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        assert hasattr(module, public), public


def _public_objects() -> list[tuple[str, Any]]:
    found = {}
    for name in ["vecbt", *MODULES]:
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            value = getattr(module, public)
            if not isinstance(value, ModuleType):
                found[f"{name}.{public}"] = value
    return sorted(found.items())


def _documented(value: Any) -> bool:
    return bool((getattr(value, "__doc__", None) or "").strip())


def test_every_public_object_has_a_docstring() -> None:
    objects = _public_objects()
    assert len(objects) > 100
    missing = [name for name, value in objects if callable(value) and not _is_alias(value) and not _documented(value)]
    assert missing == []


def _is_alias(value: Any) -> bool:
    """Whether it stands for a type rather than being one of ours; a string below it documents it."""
    return not getattr(value, "__module__", "").startswith("vecbt") or not hasattr(value, "__qualname__")


def test_every_public_method_has_a_docstring() -> None:
    missing = []
    for name, cls in _public_objects():
        if not inspect.isclass(cls) or not cls.__module__.startswith("vecbt"):
            continue
        if ".brokers.cerebro" in cls.__module__:
            continue  # most methods there are Backtrader's, which documents them
        for method, value in vars(cls).items():
            plain = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            if method.startswith("_") or not inspect.isfunction(plain):
                continue
            if plain.__name__ != "<lambda>" and not _documented(plain):
                missing.append(f"{name}.{method}")
    assert missing == []


@pytest.mark.parametrize("cls", [vecbt.EnvConfig, vecbt.Commission, vecbt.Slippage], ids=lambda cls: cls.__name__)
def test_every_setting_is_documented(cls: Any) -> None:
    for name in cls.__dataclass_fields__:
        assert re.search(rf"^ +{name}: \S", cls.__doc__, re.MULTILINE), name


@pytest.mark.parametrize(
    "function",
    [vecbt.make_vec, vecbt.TradingEnv, vecbt.DataFeedServer, vecbt.BacktraderServer, vecbt.check_vector_env],
    ids=name_of,
)
def test_every_argument_is_documented(function: Any) -> None:
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            assert re.search(rf"^ +{name}: \S", function.__doc__, re.MULTILINE), name
