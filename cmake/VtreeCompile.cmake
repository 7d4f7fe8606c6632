# SPDX-License-Identifier: LGPL-2.1-or-later
# vtree_compile: the language, the warnings, the hardening and the sanitizers that
# every target of ours is built with. It is linked by every layer and every test.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

add_library(vtree_compile INTERFACE)
target_include_directories(vtree_compile INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_definitions(
  vtree_compile
  INTERFACE _GNU_SOURCE
            _FILE_OFFSET_BITS=64
            GLIB_VERSION_MIN_REQUIRED=GLIB_VERSION_2_74
            GLIB_VERSION_MAX_ALLOWED=GLIB_VERSION_2_74
            G_LOG_USE_STRUCTURED=1)
target_compile_options(
  vtree_compile
  INTERFACE -Wall
            -Wextra
            -Wshadow
            -Wvla
            -Wconversion
            -Wformat=2
            -Wundef
            -Wmissing-prototypes
            -Wstrict-prototypes
            -Wnull-dereference
            $<$<BOOL:${VTREE_WERROR}>:-Werror>)

target_compile_options(vtree_compile INTERFACE -fstack-protector-strong)
target_link_options(vtree_compile INTERFACE -Wl,-z,relro -Wl,-z,now)

if(VTREE_SANITIZE)
  # A sanitizer's checks make gcc see null paths that the program does not have.
  target_compile_options(
    vtree_compile
    INTERFACE -fsanitize=${VTREE_SANITIZE} -fno-sanitize-recover=all
              -fno-omit-frame-pointer -Wno-null-dereference
              $<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(vtree_compile INTERFACE -fsanitize=${VTREE_SANITIZE})
else()
  # Not beside a sanitizer, which intercepts the plain functions better. The
  # distribution may have its own idea of the level, hence the -U.
  set(optimised $<CONFIG:Release,RelWithDebInfo,MinSizeRel>)
  target_compile_options(
    vtree_compile
    INTERFACE "$<${optimised}:SHELL:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>")
endif()

if(VTREE_FUZZ)
  target_compile_options(vtree_compile INTERFACE -fsanitize=fuzzer-no-link)
endif()
