# vcpkg install libowfat-io --overlay-ports=packaging/vcpkg: builds the tree that this file is in. Programs find the
# library by pkg-config; the tools and the manual are no part of the port.
find_program(CARGO cargo REQUIRED)
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(VCPKG_BUILD_TYPE release)

vcpkg_execute_required_process(
  COMMAND make "CARGO=${CARGO}"
  WORKING_DIRECTORY "${SOURCE_PATH}"
  LOGNAME "build-${TARGET_TRIPLET}")
set(UNUSED "${CURRENT_BUILDTREES_DIR}/unused")
vcpkg_execute_required_process(
  COMMAND make install "prefix=${CURRENT_PACKAGES_DIR}"
    "bindir=${UNUSED}" "cmakedir=${UNUSED}" "datarootdir=${UNUSED}"
  WORKING_DIRECTORY "${SOURCE_PATH}"
  LOGNAME "install-${TARGET_TRIPLET}")

if(VCPKG_LIBRARY_LINKAGE STREQUAL "static")
  file(GLOB SHARED "${CURRENT_PACKAGES_DIR}/lib/libowfat_io.so*")
  file(REMOVE ${SHARED})
else()
  file(REMOVE "${CURRENT_PACKAGES_DIR}/lib/libowfat_io.a")
endif()
vcpkg_fixup_pkgconfig()
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE-MIT" "${SOURCE_PATH}/LICENSE-APACHE")
