"""plait for Conan 2: conan create packaging/conan"""

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load
from conan.tools.layout import basic_layout

ROOT = os.path.join(os.pardir, os.pardir)  # from the recipe to the sources


class PlaitConan(ConanFile):
    name = "plait"
    description = "Multi-task layers for ranking, with hand-written backward passes, on Eigen"
    license = "MIT"
    topics = ("machine-learning", "multi-task-learning", "ranking", "eigen", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"io": [True, False]}
    default_options = {"io": True}
    no_copy_source = True

    def set_version(self):
        header = load(self, os.path.join(self.recipe_folder, ROOT, "include/plait/version.hpp"))
        self.version = re.search(r'version = "([^"]+)"', header)[1]

    def export_sources(self):
        root = os.path.join(self.recipe_folder, ROOT)
        copy(self, "include/*", root, self.export_sources_folder)
        copy(self, "LICENSE", root, self.export_sources_folder)

    def layout(self):
        basic_layout(self, src_folder=".")

    def requirements(self):
        self.requires("eigen/3.4.0", transitive_headers=True)
        if self.options.io:
            self.requires("nlohmann_json/3.11.3", transitive_headers=True)

    def validate(self):
        check_min_cppstd(self, 20)

    def package_id(self):
        self.info.clear()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "*", os.path.join(self.source_folder, "include"),
             os.path.join(self.package_folder, "include"))

    def package_info(self):
        core = self.cpp_info.components["core"]
        core.set_property("cmake_target_name", "plait::plait")
        core.set_property("pkg_config_name", "plait")
        core.requires = ["eigen::eigen"]
        core.bindirs = core.libdirs = []
        if self.settings.get_safe("os") in ("Linux", "FreeBSD"):
            core.system_libs = ["pthread"]
        if self.options.io:
            io = self.cpp_info.components["io"]
            io.set_property("cmake_target_name", "plait::io")
            io.set_property("pkg_config_name", "plait-io")
            io.requires = ["core", "nlohmann_json::nlohmann_json"]
            io.bindirs = io.libdirs = []
