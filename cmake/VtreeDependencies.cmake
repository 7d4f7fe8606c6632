# SPDX-License-Identifier: LGPL-2.1-or-later
# The libraries we stand on; each layer links only those that it names.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(GLIB REQUIRED IMPORTED_TARGET glib-2.0>=2.74)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto>=3.0)
pkg_check_modules(FSVERITY REQUIRED IMPORTED_TARGET libfsverity)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(CAP REQUIRED IMPORTED_TARGET libcap)
pkg_check_modules(FUSE REQUIRED IMPORTED_TARGET fuse3>=3.14)
