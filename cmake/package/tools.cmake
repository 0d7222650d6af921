# Read by cpack, before it packs.
foreach(tool dpkg-shlibdeps file)
  find_program(found_${tool} ${tool})
  if(NOT found_${tool})
    message(FATAL_ERROR "${tool} is not there, which a package is made with: apt install dpkg-dev file")
  endif()
endforeach()
