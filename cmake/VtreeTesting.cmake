# SPDX-License-Identifier: LGPL-2.1-or-later
# How tests are declared. Labels: unit (no root, no FUSE, no network), mount, campaign,
# fuzz, lint, install, guest, debian13. Exit status 77 means "cannot run here", and says
# why.

# Whether the guest's tests are there: not beside a sanitizer, since what they test is
# built in the guest's own root.
set(VTREE_GUEST ON)
if(VTREE_SANITIZE OR VTREE_FUZZ)
  set(VTREE_GUEST OFF)
endif()

# vtree_test_properties(TEST LABEL SECONDS): what all our tests have in common.
function(vtree_test_properties test label seconds)
  set_tests_properties(
    ${test}
    PROPERTIES
      LABELS "${label}"
      TIMEOUT ${seconds}
      SKIP_RETURN_CODE 77)
  # Slices would hide use after free from the sanitizers (GLib before 2.76).
  set_property(
    TEST ${test}
    APPEND
    PROPERTY
      ENVIRONMENT
      "G_SLICE=always-malloc"
      "VTREE_BINDIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}"
      "VTREE_BUILD_DIR=${CMAKE_BINARY_DIR}"
      "VTREE_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
      "TSAN_OPTIONS=die_after_fork=0")
endfunction()

# vtree_unit_test(NAME core/fd SOURCES fd-test.c [...] LIBS vtree_core [...]
#                 [TIMEOUT SECONDS])
#
# A test binary on tests/lib/test.h: build/tests/unit/core/core-fd-test, ctest core/fd.
function(vtree_unit_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;TIMEOUT" "SOURCES;LIBS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  string(REPLACE "/" "-" target "${arg_NAME}-test")
  add_executable(${target} ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY
                                             "${CMAKE_CURRENT_BINARY_DIR}")
  target_link_libraries(${target} PRIVATE vtree_test ${arg_LIBS})
  add_test(NAME ${arg_NAME} COMMAND ${target})
  vtree_test_properties(${arg_NAME} unit ${arg_TIMEOUT})
endfunction()

# vtree_script_test(NAME mount/read SCRIPT read.sh LABEL mount [ARGS ...]
#                   [TIMEOUT SECONDS] [PROCESSORS N] [SERIAL])
#
# A script that exits 0, 77 or with a failure. Bash scripts source tests/lib/lib.sh;
# Python ones need nothing but the standard library.
function(vtree_script_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "SERIAL" "NAME;SCRIPT;LABEL;TIMEOUT;PROCESSORS"
                        "ARGS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  if(NOT arg_PROCESSORS)
    set(arg_PROCESSORS 1)
  endif()
  if(arg_SCRIPT MATCHES "\\.py$")
    set(interpreter ${Python3_EXECUTABLE})
  else()
    set(interpreter bash)
  endif()
  add_test(NAME ${arg_NAME} COMMAND ${interpreter}
                                    "${CMAKE_CURRENT_SOURCE_DIR}/${arg_SCRIPT}" ${arg_ARGS})
  vtree_test_properties(${arg_NAME} ${arg_LABEL} ${arg_TIMEOUT})
  set_tests_properties(${arg_NAME} PROPERTIES PROCESSORS ${arg_PROCESSORS} RUN_SERIAL
                                              ${arg_SERIAL})
  # What a campaign says of trust does not depend on the libraries.
  if(arg_LABEL STREQUAL mount AND NOT arg_NAME MATCHES "^campaign/")
    vtree_debian13_test(${arg_NAME} ${arg_SCRIPT} ${arg_TIMEOUT} ${arg_ARGS})
  endif()
endfunction()

# vtree_debian13_test(NAME SCRIPT SECONDS [ARG...]): the script once more, as
# debian13/NAME, in the Debian 13 root with what is built there.
function(vtree_debian13_test name script seconds)
  if(NOT VTREE_GUEST)
    return()
  endif()
  file(RELATIVE_PATH path "${PROJECT_SOURCE_DIR}"
       "${CMAKE_CURRENT_SOURCE_DIR}/${script}")
  add_test(NAME debian13/${name} COMMAND "${PROJECT_SOURCE_DIR}/tests/guest/debian13.sh"
                                         ${path} ${ARGN})
  vtree_test_properties(debian13/${name} debian13 ${seconds})
  set_tests_properties(debian13/${name} PROPERTIES FIXTURES_REQUIRED guest-build)
endfunction()

# vtree_guest_test(NAME plain [TIMEOUT SECONDS])
#
# tests/guest/inside/NAME.sh in a boot of its own, as guest/NAME: a bash script that
# sources tests/lib/guest.sh.
function(vtree_guest_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;TIMEOUT" "")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_test(NAME guest/${arg_NAME} COMMAND "${PROJECT_SOURCE_DIR}/tests/guest/boot.sh"
                                          ${arg_NAME})
  math(EXPR seconds "${arg_TIMEOUT} + 30")
  vtree_test_properties(guest/${arg_NAME} guest ${seconds})
  set_tests_properties(guest/${arg_NAME} PROPERTIES FIXTURES_REQUIRED guest-build)
  set_property(
    TEST guest/${arg_NAME}
    APPEND
    PROPERTY ENVIRONMENT "VTREE_GUEST_TIMEOUT=${arg_TIMEOUT}")
endfunction()

# vtree_test_program(NAME forging-fs SOURCES forging-fs.c [...] LIBS ... [...])
#
# A program that a script test runs: build/tests/programs/NAME; the script finds it
# below $VTREE_BUILD_DIR.
function(vtree_test_program)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;LIBS")
  add_executable(${arg_NAME} ${arg_SOURCES})
  set_target_properties(
    ${arg_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests/programs")
  target_link_libraries(${arg_NAME} PRIVATE vtree_compile ${arg_LIBS})
endfunction()

# vtree_fuzz_target(NAME manifest-view SOURCES manifest-view.c LIBS vtree_manifest
#                   [SEEDS manifest-seeds.c])
#
# SOURCES define LLVMFuzzerTestOneInput. In every preset a replay driver runs it over
# tests/fuzz/corpus/NAME/ in ctest; the preset 'fuzz' also builds build-fuzz/bin/fuzz-NAME.
# SEEDS are a program that writes a corpus into the directory given, instead of one in
# the source: ctest runs it first, into build/tests/fuzz/seeds/NAME/.
function(vtree_fuzz_target)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;LIBS;SEEDS")
  set(corpus "${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${arg_NAME}")
  if(arg_SEEDS)
    set(corpus "${CMAKE_BINARY_DIR}/tests/fuzz/seeds/${arg_NAME}")
    add_executable(seeds-${arg_NAME} ${arg_SEEDS})
    set_target_properties(seeds-${arg_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY
                                                       "${CMAKE_BINARY_DIR}/tests/fuzz")
    target_link_libraries(seeds-${arg_NAME} PRIVATE vtree_compile ${arg_LIBS})
    add_test(NAME fuzz/${arg_NAME}-seeds COMMAND seeds-${arg_NAME} "${corpus}")
    vtree_test_properties(fuzz/${arg_NAME}-seeds fuzz 120)
    set_tests_properties(fuzz/${arg_NAME}-seeds PROPERTIES FIXTURES_SETUP
                                                           "seeds-${arg_NAME}")
  endif()
  add_executable(replay-${arg_NAME} ${arg_SOURCES}
                                    "${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c")
  set_target_properties(replay-${arg_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY
                                                      "${CMAKE_BINARY_DIR}/tests/fuzz")
  target_link_libraries(replay-${arg_NAME} PRIVATE vtree_compile ${arg_LIBS})
  add_test(NAME fuzz/${arg_NAME} COMMAND replay-${arg_NAME} "${corpus}")
  vtree_test_properties(fuzz/${arg_NAME} fuzz 120)
  if(arg_SEEDS)
    set_tests_properties(fuzz/${arg_NAME} PROPERTIES FIXTURES_REQUIRED
                                                     "seeds-${arg_NAME}")
  endif()
  if(VTREE_FUZZ)
    add_executable(fuzz-${arg_NAME} ${arg_SOURCES})
    target_link_libraries(fuzz-${arg_NAME} PRIVATE vtree_compile ${arg_LIBS})
    target_link_options(fuzz-${arg_NAME} PRIVATE -fsanitize=fuzzer)
  endif()
endfunction()
