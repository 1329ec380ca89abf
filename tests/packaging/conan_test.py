"""The Conan recipe with stand-ins for Conan's modules: version, sources, package and components."""

import importlib.util
import shutil
import sys
import tempfile
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "packaging/conan/conanfile.py"


def copy(_recipe, pattern, src, dst):
    """conan.tools.files.copy: the files below src that match, under their paths, * across folders."""
    for path in Path(src).rglob("*"):
        relative = path.relative_to(src)
        if path.is_file() and relative.match(pattern.split("/")[-1]) \
                and relative.as_posix().startswith(pattern.split("*")[0]):
            target = Path(dst) / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


class Component:
    def __init__(self):
        self.properties, self.requires, self.system_libs = {}, [], []

    def set_property(self, name, value):
        self.properties[name] = value


class Components(dict):
    def __missing__(self, name):
        return self.setdefault(name, Component())


def modules():
    files = {"copy": copy, "load": lambda _recipe, path: Path(path).read_text(encoding="utf-8")}
    nothing = lambda *_arguments, **_options: None
    contents = {"conan": {"ConanFile": object}, "conan.tools": {}, "conan.tools.files": files,
                "conan.tools.build": {"check_min_cppstd": nothing, "can_run": nothing},
                "conan.tools.layout": {"basic_layout": nothing},
                "conan.tools.cmake": {"CMake": object, "cmake_layout": nothing}}
    for name, names in contents.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(names)


def load(path, name):
    spec = importlib.util.spec_from_file_location(path.parent.name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def check(recipe_class, with_io, folder):
    recipe = recipe_class()
    recipe.recipe_folder = str(RECIPE.parent)
    recipe.set_version()
    version = (ROOT / "include/plait/version.hpp").read_text(encoding="utf-8")
    assert f'version = "{recipe.version}"' in version, recipe.version

    recipe.options = types.SimpleNamespace(io=with_io)
    recipe.settings = types.SimpleNamespace(get_safe=lambda _name: "Linux")
    required = []
    recipe.requires = lambda reference, **_options: required.append(reference.split("/")[0])
    recipe.requirements()
    assert required == ["eigen"] + ["nlohmann_json"] * with_io, required

    recipe.export_sources_folder = recipe.source_folder = str(folder / "sources")
    recipe.package_folder = str(folder / "package")
    recipe.export_sources()
    recipe.package()
    headers = {path.relative_to(ROOT) for path in (ROOT / "include").rglob("*.*")}
    packaged = {path.relative_to(folder / "package") for path in (folder / "package").rglob("*.*")}
    assert packaged == headers, packaged ^ headers
    assert (folder / "package/licenses/LICENSE").is_file()

    recipe.cpp_info = types.SimpleNamespace(components=Components())
    recipe.package_info()
    targets = {part.properties["cmake_target_name"] for part in recipe.cpp_info.components.values()}
    assert targets == {"plait::plait"} | ({"plait::io"} if with_io else set()), targets
    assert recipe.cpp_info.components["core"].requires == ["eigen::eigen"]


def main():
    modules()
    recipe_class = load(RECIPE, "PlaitConan")
    load(RECIPE.parent / "test_package/conanfile.py", "PlaitTestConan")
    for with_io in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            check(recipe_class, with_io, Path(folder))


if __name__ == "__main__":
    main()
