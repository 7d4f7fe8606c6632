# SPDX-License-Identifier: LGPL-2.1-or-later
# What a builder may choose, all in one place.

option(VTREE_WERROR "Treat compiler warnings as errors" OFF)
option(VTREE_FUZZ "Build the libFuzzer binaries (clang only)" OFF)
set(VTREE_SANITIZE
    ""
    CACHE STRING "Sanitizers, comma-separated as for -fsanitize=, or empty")
set(VTREE_MOUNT_HELPER_DIR
    "/sbin"
    CACHE STRING "Where mount(8) looks for mount.fuse.vtree (absolute)")

# The places that DESIGN fixes, whatever the prefix: trust must not move with it.
set(VTREE_VENDOR_DIR
    "/usr/lib/vtree"
    CACHE STRING "The distributor's keys.d, certs.d and revoked.d (absolute)")
set(VTREE_SYSCONF_DIR
    "/etc/vtree"
    CACHE STRING "The administrator's configuration and keys (absolute)")
set(VTREE_STATE_DIR
    "/var/lib/vtree"
    CACHE STRING "Root's repository and high-water marks (absolute)")

foreach(dir MOUNT_HELPER VENDOR SYSCONF STATE)
  if(NOT IS_ABSOLUTE "${VTREE_${dir}_DIR}")
    message(FATAL_ERROR "VTREE_${dir}_DIR must be an absolute path, "
                        "not '${VTREE_${dir}_DIR}'")
  endif()
endforeach()

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE
      RelWithDebInfo
      CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

if(VTREE_FUZZ AND NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "VTREE_FUZZ needs clang: use the preset 'fuzz'")
endif()
