# One place for what every target of ours is compiled with. GCC 12 sees overlaps in std::string that are not there
# (-Wrestrict, GCC bug 105651); designated initialisers leave out members on purpose. Of debugging information a release has what names
# the functions and lines of a crash: with all of it every fourth second of compiling and 250 of 340 MB of the program would be that.
add_library(mlc_flags INTERFACE)
target_include_directories(mlc_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(mlc_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wno-missing-field-initializers -Wno-restrict>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CONFIG:RelWithDebInfo>>:-g1>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${MLC_WERROR}>>:-Werror>)
if(MLC_SANITIZE)
  target_compile_options(mlc_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${MLC_SANITIZE} -fno-omit-frame-pointer>)
  target_link_options(mlc_flags INTERFACE -fsanitize=${MLC_SANITIZE})
endif()

# mlc_room(NAME [SOURCES file...] [LINKS room...] [PUBLIC library...] [PRIVATE library...]): the one library of this folder.
# LINKS are the rooms that it, and who links it, may include: each must be there already, so that nothing links upwards or in
# a circle, and the order of add_subdirectory is the only order there is. A room without sources is headers alone.
function(mlc_room name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS;PUBLIC;PRIVATE" ${ARGN})
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${name}: '${arg_UNPARSED_ARGUMENTS}' is neither SOURCES, LINKS, PUBLIC nor PRIVATE")
  endif()
  get_property(rooms GLOBAL PROPERTY MLC_ROOMS)
  foreach(room ${arg_LINKS})
    if(NOT room IN_LIST rooms)
      message(FATAL_ERROR "${name} links ${room}, which is no room below it")
    endif()
  endforeach()
  if(arg_SOURCES)
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC mlc_flags ${arg_LINKS} ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE mlc_flags ${arg_LINKS} ${arg_PUBLIC})
  endif()
  set_property(GLOBAL APPEND PROPERTY MLC_ROOMS ${name})
endfunction()

# mlc_twin(ROOM FEATURE FILE ABSENT): FILE where the feature is built in, else ABSENT, which is told why.
function(mlc_twin room feature file absent)
  if(MLC_HAVE_${feature})
    target_sources(${room} PRIVATE ${file})
  else()
    target_sources(${room} PRIVATE ${absent})
    set_property(SOURCE ${absent} APPEND PROPERTY COMPILE_DEFINITIONS "MLC_WHY_NO_${feature}=\"${MLC_WHY_NO_${feature}}\"")
  endif()
endfunction()

# rooms.json: each room's folder and links as the targets have them at last, from the bottom up. `public` is what its headers
# may include, `private` what its sources alone may.
function(mlc_write_rooms)
  get_property(rooms GLOBAL PROPERTY MLC_ROOMS)
  set(entries "")
  foreach(room ${rooms})
    get_target_property(folder ${room} SOURCE_DIR)
    file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${folder})
    get_target_property(public ${room} INTERFACE_LINK_LIBRARIES)
    get_target_property(all ${room} LINK_LIBRARIES)
    set(quoted_public "")
    set(quoted_private "")
    foreach(other ${rooms})
      if(other IN_LIST public)
        list(APPEND quoted_public "\"${other}\"")
      elseif(other IN_LIST all)
        list(APPEND quoted_private "\"${other}\"")
      endif()
    endforeach()
    list(JOIN quoted_public ", " quoted_public)
    list(JOIN quoted_private ", " quoted_private)
    list(APPEND entries "  {\"room\": \"${room}\", \"folder\": \"${folder}\", \"public\": [${quoted_public}], \"private\": [${quoted_private}]}")
  endforeach()
  list(JOIN entries ",\n" entries)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/rooms.json CONTENT "[\n@entries@\n]\n" @ONLY)
endfunction()
