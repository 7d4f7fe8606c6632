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

foreach(list keys.d certs.d revoked.d)
  install(DIRECTORY DESTINATION "${VTREE_VENDOR_DIR}/${list}")
  install(DIRECTORY DESTINATION "${VTREE_SYSCONF_DIR}/${list}")
endforeach()
