# One place for what every target of ours is compiled with. GCC 12 sees overlaps in std::string that are not there
# (-Wrestrict, GCC bug 105651); designated initialisers leave out members on purpose.
add_library(mlc_flags INTERFACE)
target_include_directories(mlc_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(mlc_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wno-missing-field-initializers -Wno-restrict>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${MLC_WERROR}>>:-Werror>)
if(MLC_SANITIZE)
  target_compile_options(mlc_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${MLC_SANITIZE} -fno-omit-frame-pointer>)
  target_link_options(mlc_flags INTERFACE -fsanitize=${MLC_SANITIZE})
endif()

# mlc_library(NAME SOURCES...): a static library of one room.
function(mlc_library name)
  add_library(${name} STATIC ${ARGN})
  target_link_libraries(${name} PUBLIC mlc_flags)
endfunction()
