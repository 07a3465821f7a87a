# Gets the chart libraries of analysis/report/assets/package-lock.json once per build folder and joins their minified files
# into one script: loglog_vega_bundle(FOLDER_VARIABLE) sets the folder in which the build makes vega_bundle.js.
# -DLOGLOG_VEGA_MODULES=DIR takes an existing node_modules folder instead of npm.
set(LOGLOG_VEGA_MODULES "" CACHE PATH "node_modules folder with vega, vega-lite and vega-embed; empty: fetched by npm")
set(LOGLOG_VEGA_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/JoinVegaFiles.cmake)

function(loglog_vega_bundle folder_variable)
  set(assets ${PROJECT_SOURCE_DIR}/analysis/report/assets)
  set(folder ${CMAKE_BINARY_DIR}/vega)
  if(LOGLOG_VEGA_MODULES)
    set(npm "")
  else()
    find_program(LOGLOG_NPM npm)
    if(NOT LOGLOG_NPM)
      message(FATAL_ERROR "npm was not found. It fetches the chart libraries (Vega) that reports carry inside them. "
        "Install it (Debian: apt-get install npm), or set -DLOGLOG_VEGA_MODULES to a node_modules folder that holds "
        "the versions in analysis/report/assets/package.json.")
    endif()
    set(npm ${LOGLOG_NPM})
  endif()
  add_custom_command(
    OUTPUT ${folder}/vega_bundle.js
    COMMAND ${CMAKE_COMMAND} -D ASSETS=${assets} -D FOLDER=${folder} -D NPM=${npm} -D MODULES=${LOGLOG_VEGA_MODULES}
      -P ${LOGLOG_VEGA_SCRIPT}
    DEPENDS ${assets}/package.json ${assets}/package-lock.json ${LOGLOG_VEGA_SCRIPT}
    COMMENT "Fetching the chart libraries"
    VERBATIM)
  set(${folder_variable} ${folder} PARENT_SCOPE)
endfunction()
