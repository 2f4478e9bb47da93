# The target s3s4::s3s4: the headers, which lie beside this file wherever that is, and libm.
if(NOT TARGET s3s4::s3s4)
  add_library(s3s4::s3s4 INTERFACE IMPORTED)
  set_target_properties(s3s4::s3s4 PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${CMAKE_CURRENT_LIST_DIR}")
  if(UNIX)
    set_property(TARGET s3s4::s3s4 PROPERTY INTERFACE_LINK_LIBRARIES m)
  endif()
endif()
