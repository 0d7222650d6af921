# Read by cpack, before it packs.
foreach(tool dpkg-shlibdeps file)
  find_program(found_${tool} ${tool} NO_CMAKE_SYSTEM_PATH)  # by PATH, as it will be called
  if(CPACK_GENERATOR STREQUAL DEB AND NOT found_${tool})
    message(FATAL_ERROR "${tool} is not there, which a package is made with: apt install dpkg-dev file")
  endif()
endforeach()
