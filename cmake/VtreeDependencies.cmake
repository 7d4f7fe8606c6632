# SPDX-License-Identifier: LGPL-2.1-or-later
# The libraries we stand on; each layer links only those that it names.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(GLIB REQUIRED IMPORTED_TARGET glib-2.0>=2.74)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto>=3.0)
# 1.4 is the first that hands out the Merkle tree while it computes a digest.
pkg_check_modules(FSVERITY REQUIRED IMPORTED_TARGET libfsverity>=1.4)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd>=1.5)
pkg_check_modules(CAP REQUIRED IMPORTED_TARGET libcap)
pkg_check_modules(FUSE REQUIRED IMPORTED_TARGET fuse3>=3.14)

# Each release can make built-in signatures, but only OpenSSL makes them for it: a build
# that was cut down says so here, not at the last link.
include(CheckSymbolExists)
set(CMAKE_REQUIRED_LIBRARIES PkgConfig::FSVERITY)
check_symbol_exists(libfsverity_sign_digest libfsverity.h VTREE_FSVERITY_SIGNS)
unset(CMAKE_REQUIRED_LIBRARIES)
if(NOT VTREE_FSVERITY_SIGNS)
  message(
    FATAL_ERROR "libfsverity ${FSVERITY_VERSION} has no libfsverity_sign_digest(): it was "
                "built without OpenSSL. Install fsverity-utils' library as it is released "
                "(Debian: libfsverity-dev, which scripts/deps installs).")
endif()
