# The files of reports/page/ become string literals of the program, each script with the hash that the page's content
# security policy names. MLC_CHARTS: the chart library comes from a Python wheel when building (reports/page/requirements.txt).
set(MLC_CHARTS AUTO CACHE STRING "AUTO, ON or OFF: charts in HTML pages")
set_property(CACHE MLC_CHARTS PROPERTY STRINGS AUTO ON OFF)
set(MLC_HAVE_CHARTS OFF)
set(MLC_WHY_NO_CHARTS "this program was built without the chart library (MLC_CHARTS=OFF)")
set(mlc_page_dir ${CMAKE_SOURCE_DIR}/reports/page)
set(mlc_chart_script ${CMAKE_CURRENT_BINARY_DIR}/charts.js)
if(MLC_CHARTS STREQUAL OFF)
  file(REMOVE ${mlc_chart_script})
else()
  find_program(MLC_CHARTS_PYTHON NAMES python3 python HINTS ${CMAKE_SOURCE_DIR}/.venv/bin NO_CMAKE_FIND_ROOT_PATH)
  if(NOT EXISTS ${mlc_chart_script} OR ${mlc_page_dir}/bundle.py IS_NEWER_THAN ${mlc_chart_script}
     OR ${mlc_page_dir}/requirements.txt IS_NEWER_THAN ${mlc_chart_script})
    file(REMOVE ${mlc_chart_script})
    if(MLC_CHARTS_PYTHON)
      execute_process(COMMAND ${MLC_CHARTS_PYTHON} ${mlc_page_dir}/bundle.py ${mlc_chart_script}
        RESULT_VARIABLE mlc_failed OUTPUT_VARIABLE mlc_chart_versions ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
      if(mlc_failed)
        file(REMOVE ${mlc_chart_script})
      endif()
    endif()
  endif()
  if(EXISTS ${mlc_chart_script})
    set(MLC_HAVE_CHARTS ON)
  else()
    mlc_absent(CHARTS "the chart library's wheel was not found when it was built (pip install -r reports/page/requirements.txt)")
  endif()
endif()
if(MLC_HAVE_CHARTS)
  message(STATUS "CHARTS: yes ${mlc_chart_versions}")
else()
  message(STATUS "CHARTS: no, ${MLC_WHY_NO_CHARTS}")
endif()

# CMake hashes to hexadecimal; a content security policy wants base64.
function(mlc_sha256_base64 text result)
  string(SHA256 hex "${text}")
  set(alphabet "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  string(APPEND hex "0000")  # 32 bytes are ten groups of three and two more: pad to eleven
  set(out "")
  foreach(group RANGE 10)
    math(EXPR at "${group} * 6")
    string(SUBSTRING "${hex}" ${at} 6 three)
    foreach(shift 18 12 6 0)
      math(EXPR index "(0x${three} >> ${shift}) & 63")
      string(SUBSTRING "${alphabet}" ${index} 1 letter)
      string(APPEND out "${letter}")
    endforeach()
  endforeach()
  string(SUBSTRING "${out}" 0 43 out)
  set(${result} "${out}=" PARENT_SCOPE)
endfunction()

# mlc_page_asset(NAME FILE): MLC_ASSET_<NAME> is a C++ literal, MLC_ASSET_<NAME>_SHA256 its hash.
macro(mlc_page_asset name file)
  file(READ ${file} mlc_asset)
  mlc_sha256_base64("${mlc_asset}" MLC_ASSET_${name}_SHA256)
  set(MLC_ASSET_${name} "R\"mlcasset(${mlc_asset})mlcasset\"sv")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
endmacro()

mlc_page_asset(STYLE ${mlc_page_dir}/page.css)
mlc_page_asset(SCRIPT ${mlc_page_dir}/page.js)
if(MLC_HAVE_CHARTS)
  mlc_page_asset(CHARTS ${mlc_chart_script})
else()
  set(MLC_ASSET_CHARTS "\"\"sv")
endif()
file(CONFIGURE OUTPUT page_assets.cpp @ONLY CONTENT [[
#include "reports/faces/page_assets.hpp"

namespace mlc {

const PageAssets& page_assets() {
  using namespace std::literals;  // "sv" knows a literal's length: counting 900 KB is too long for a constant expression
  static constexpr PageAssets assets{
      .style = @MLC_ASSET_STYLE@,
      .script = @MLC_ASSET_SCRIPT@,
      .script_sha256 = "@MLC_ASSET_SCRIPT_SHA256@",
      .charts = @MLC_ASSET_CHARTS@,
      .charts_sha256 = "@MLC_ASSET_CHARTS_SHA256@",
      .why_no_charts = "@MLC_WHY_NO_CHARTS@",
  };
  return assets;
}

}  // namespace mlc
]])
