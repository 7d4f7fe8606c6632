# SPDX-License-Identifier: LGPL-2.1-or-later

# vtree_layer(NAME core SOURCES fd.c ... LIBS ...)
#
# Declares vtree_<NAME>, the static library of one layer. LIBS are public: who
# links a layer may use what the layer's own headers mention.
function(vtree_layer)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;LIBS")
  if(arg_SOURCES)
    add_library(vtree_${arg_NAME} STATIC ${arg_SOURCES})
    target_link_libraries(vtree_${arg_NAME} PUBLIC vtree_compile ${arg_LIBS})
  else()
    add_library(vtree_${arg_NAME} INTERFACE)
    target_link_libraries(vtree_${arg_NAME} INTERFACE vtree_compile ${arg_LIBS})
  endif()
endfunction()
