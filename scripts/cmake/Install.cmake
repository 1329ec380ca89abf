# The installed package: headers, a config that finds Eigen and threads again, and the same for
# pkg-config. All of it may be moved, and serves any architecture.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/plait)

if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.23)
  install(TARGETS plait EXPORT plaitTargets FILE_SET HEADERS)
else()
  install(TARGETS plait EXPORT plaitTargets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(DIRECTORY include/plait DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endif()
install(EXPORT plaitTargets NAMESPACE plait:: DESTINATION ${package_dir})
# plait::io apart: it exists only where nlohmann-json is found.
if(TARGET plait_io)
  install(TARGETS plait_io EXPORT plaitIoTargets)
  install(EXPORT plaitIoTargets NAMESPACE plait:: DESTINATION ${package_dir})
endif()

configure_package_config_file(scripts/cmake/plaitConfig.cmake.in plaitConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(plaitConfigVersion.cmake COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/plaitConfig.cmake ${PROJECT_BINARY_DIR}/plaitConfigVersion.cmake
        DESTINATION ${package_dir})

# plait.pc finds its prefix from where it lies.
set(pc_dir ${CMAKE_INSTALL_DATADIR}/pkgconfig)
file(RELATIVE_PATH pc_to_prefix /prefix/${pc_dir} /prefix)
set(pc_includedir "\${prefix}")
cmake_path(APPEND pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")  # which may be absolute
foreach(file plait.pc plait-io.pc)
  configure_file(scripts/cmake/${file}.in ${file} @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${file} DESTINATION ${pc_dir})
endforeach()

# The sources of plait::compiled, which is built in the user's tree with the user's flags.
install(DIRECTORY src DESTINATION ${package_dir})
install(FILES scripts/cmake/Compiled.cmake DESTINATION ${package_dir})

install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
