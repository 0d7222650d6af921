# What is installed, and the same as a Debian package: `cmake --install BUILD` and `cpack --config BUILD/CPackConfig.cmake`.
# The debugging information of the program goes into a package of its own (-dbgsym); tests and lab stay out.
set(CPACK_PACKAGE_NAME mlc-bench)
if(MLC_HAVE_CUDA)
  set(CPACK_PACKAGE_NAME mlc-bench-cuda)
endif()
set(mlc_share share/mlc-bench)
set(mlc_doc share/doc/${CPACK_PACKAGE_NAME})

# The program writes what its commands and options are; a command that is gone leaves no page behind.
find_program(MLC_GZIP gzip REQUIRED)
set(mlc_reference ${CMAKE_BINARY_DIR}/reference)
add_custom_command(OUTPUT ${mlc_reference}/written
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${mlc_reference}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${mlc_reference}
  COMMAND write_reference ${PROJECT_VERSION} ${mlc_reference}
  COMMAND sh -c "exec \"$1\" -9n \"$2\"/*.1" sh ${MLC_GZIP} ${mlc_reference}
  COMMAND ${CMAKE_COMMAND} -E touch ${mlc_reference}/written
  DEPENDS write_reference VERBATIM)
add_custom_target(reference ALL DEPENDS ${mlc_reference}/written)

# CHANGELOG.md in Debian's format: "## 0.1.0 (unreleased)" begins a version, "- " an entry.
file(STRINGS ${CMAKE_SOURCE_DIR}/CHANGELOG.md mlc_changes ENCODING UTF-8)
if(DEFINED ENV{SOURCE_DATE_EPOCH})
  string(TIMESTAMP mlc_changed "%a, %d %b %Y %H:%M:%S +0000" UTC)
else()
  file(TIMESTAMP ${CMAKE_SOURCE_DIR}/CHANGELOG.md mlc_changed "%a, %d %b %Y %H:%M:%S +0000" UTC)
endif()
set(CPACK_PACKAGE_CONTACT "mlc-bench maintainers <maintainers@mlc-bench.io>")
set(mlc_signature "\n -- ${CPACK_PACKAGE_CONTACT}  ${mlc_changed}\n")
set(mlc_changelog "")
foreach(line IN LISTS mlc_changes)
  if(line MATCHES "^## ([0-9][^ ]*)")
    if(mlc_changelog)
      string(APPEND mlc_changelog "${mlc_signature}\n")
    endif()
    string(APPEND mlc_changelog "${CPACK_PACKAGE_NAME} (${CMAKE_MATCH_1}) unstable; urgency=medium\n\n")
  elseif(line MATCHES "^- (.*)")
    string(APPEND mlc_changelog "  * ${CMAKE_MATCH_1}\n")
  endif()
endforeach()
file(WRITE ${CMAKE_BINARY_DIR}/package/changelog "${mlc_changelog}${mlc_signature}")
execute_process(COMMAND ${MLC_GZIP} -9nkf changelog WORKING_DIRECTORY ${CMAKE_BINARY_DIR}/package COMMAND_ERROR_IS_FATAL ANY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/CHANGELOG.md)

install(TARGETS mlc-bench DESTINATION bin)
install(DIRECTORY validators/policies/ DESTINATION ${mlc_share}/policies FILES_MATCHING PATTERN "*.yaml")
install(DIRECTORY k8s/manifests/ DESTINATION ${mlc_share}/manifests FILES_MATCHING PATTERN "*.yaml" PATTERN "*.json")
install(DIRECTORY k8s/monitoring/ DESTINATION ${mlc_share}/monitoring FILES_MATCHING PATTERN "*.yaml" PATTERN "*.json")
install(DIRECTORY ${mlc_reference}/ DESTINATION share/man/man1 FILES_MATCHING PATTERN "*.1.gz")
install(FILES ${mlc_reference}/mlc-bench.bash DESTINATION share/bash-completion/completions RENAME mlc-bench)
install(FILES ${mlc_reference}/mlc-bench.fish DESTINATION share/fish/vendor_completions.d)
# Where Debian's zsh looks depends on the prefix, which is known when it is installed and not before.
install(CODE "set(mlc_zsh_file [[${mlc_reference}/_mlc-bench]])")
install(CODE [[
  set(mlc_zsh vendor-completions)
  if(CMAKE_INSTALL_PREFIX STREQUAL "/usr/local")
    set(mlc_zsh site-functions)
  endif()
  file(INSTALL "${mlc_zsh_file}" DESTINATION "${CMAKE_INSTALL_PREFIX}/share/zsh/${mlc_zsh}")
]])
# Links to what no package holds are words there; the manifests lie elsewhere.
file(READ README.md mlc_readme)
string(REGEX REPLACE "!\\[[^]]*\\]\\([^)]*\\)\n*" "" mlc_readme "${mlc_readme}")
string(REGEX REPLACE "\\[([^]]*)\\]\\((CONTRIBUTING[.]md|CHANGELOG[.]md|tests/[^)]*|reports/[^)]*)\\)" "\\1" mlc_readme "${mlc_readme}")
string(REPLACE "](k8s/manifests)" "](../../mlc-bench/manifests)" mlc_readme "${mlc_readme}")
file(WRITE ${CMAKE_BINARY_DIR}/package/README.md "${mlc_readme}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/README.md)
install(FILES cmake/package/copyright ${CMAKE_BINARY_DIR}/package/changelog.gz ${CMAKE_BINARY_DIR}/package/README.md LICENSE DESTINATION ${mlc_doc})

install(DIRECTORY docs/ DESTINATION ${mlc_doc}/docs FILES_MATCHING PATTERN "*.md")

set(CPACK_GENERATOR DEB)
# Without these CPack makes a package that depends on nothing, or none.
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_SOURCE_DIR}/cmake/package/tools.cmake)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "decides whether a GPU node may join an ML cluster")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "Measures collectives and RDMA over the interconnect and verifies every byte,
stresses GPUs, checks that a node is wired the way the cluster's policy says,
and turns all of it into one verdict with reasons. In Kubernetes it opens a
node, or keeps it shut.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_DEBUGINFO_PACKAGE ON)
# What is opened or started at run time, and said to be missing where it is: mpirun, the verbs and a NIC's provider of them.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libibverbs1, ibverbs-providers, ca-certificates")
if(MLC_HAVE_MPI)
  string(PREPEND CPACK_DEBIAN_PACKAGE_RECOMMENDS "openmpi-bin, ")
endif()
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "openssh-client, iproute2, ethtool")
if(MLC_HAVE_CUDA)
  string(APPEND CPACK_DEBIAN_PACKAGE_RECOMMENDS ", libnccl2")
  set(CPACK_DEBIAN_PACKAGE_PROVIDES mlc-bench)
  set(CPACK_DEBIAN_PACKAGE_CONFLICTS mlc-bench)
  set(CPACK_DEBIAN_PACKAGE_REPLACES mlc-bench)
endif()
include(CPack)
