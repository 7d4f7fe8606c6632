# SPDX-License-Identifier: LGPL-2.1-or-later
# What `cmake --install` lays down. DESTDIR is respected for the absolute paths too.

install(TARGETS vtree RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")

# mount(8) looks for helpers in /sbin alone, whatever the prefix.
install(TARGETS vtree_helper RUNTIME DESTINATION "${VTREE_MOUNT_HELPER_DIR}")
install(
  CODE "
  set(link \"\$ENV{DESTDIR}${VTREE_MOUNT_HELPER_DIR}/mount.vtree\")
  message(STATUS \"Installing: \${link} -> mount.fuse.vtree\")
  file(REMOVE \"\${link}\")
  file(CREATE_LINK mount.fuse.vtree \"\${link}\" SYMBOLIC)")

foreach(page vtree.1 vtree-formats.5 mount.fuse.vtree.8)
  if(EXISTS "${PROJECT_SOURCE_DIR}/doc/man/${page}")
    cmake_path(GET page EXTENSION LAST_ONLY section)
    string(SUBSTRING "${section}" 1 -1 section)
    install(FILES "${PROJECT_SOURCE_DIR}/doc/man/${page}"
            DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}")
  endif()
endforeach()

configure_file("${PROJECT_SOURCE_DIR}/tmpfiles.d/vtree.conf.in"
               "${CMAKE_BINARY_DIR}/tmpfiles.d/vtree.conf" @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/tmpfiles.d/vtree.conf"
        DESTINATION "${CMAKE_INSTALL_PREFIX}/lib/tmpfiles.d")

install(
  FILES "${PROJECT_SOURCE_DIR}/completions/vtree.bash"
  DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions"
  RENAME vtree)
install(FILES "${PROJECT_SOURCE_DIR}/completions/_vtree"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
install(FILES "${PROJECT_SOURCE_DIR}/completions/vtree.fish"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")

foreach(manager system user)
  configure_file("${PROJECT_SOURCE_DIR}/systemd/${manager}/vtree@.service.in"
                 "${CMAKE_BINARY_DIR}/systemd/${manager}/vtree@.service" @ONLY)
  install(FILES "${CMAKE_BINARY_DIR}/systemd/${manager}/vtree@.service"
          DESTINATION "${CMAKE_INSTALL_PREFIX}/lib/systemd/${manager}")
endforeach()

foreach(list keys.d certs.d revoked.d)
  install(DIRECTORY DESTINATION "${VTREE_VENDOR_DIR}/${list}")
  install(DIRECTORY DESTINATION "${VTREE_SYSCONF_DIR}/${list}")
endforeach()

# What deployments export, for the sessions that systemd starts and for the others.
configure_file("${PROJECT_SOURCE_DIR}/systemd/exports.sh.in"
               "${CMAKE_BINARY_DIR}/systemd/exports.sh" @ONLY)
file(READ "${CMAKE_BINARY_DIR}/systemd/exports.sh" VTREE_EXPORTS_SH)
string(REGEX REPLACE "^#[^\n]*\n" "" VTREE_EXPORTS_SH "${VTREE_EXPORTS_SH}")
configure_file("${PROJECT_SOURCE_DIR}/systemd/generator.sh.in"
               "${CMAKE_BINARY_DIR}/systemd/60-vtree" @ONLY)
configure_file("${PROJECT_SOURCE_DIR}/systemd/profile.sh.in"
               "${CMAKE_BINARY_DIR}/systemd/vtree.sh" @ONLY)
foreach(manager system user)
  install(PROGRAMS "${CMAKE_BINARY_DIR}/systemd/60-vtree"
          DESTINATION "${CMAKE_INSTALL_PREFIX}/lib/systemd/${manager}-environment-generators")
endforeach()
install(FILES "${CMAKE_BINARY_DIR}/systemd/vtree.sh"
        DESTINATION "${CMAKE_INSTALL_FULL_SYSCONFDIR}/profile.d")
