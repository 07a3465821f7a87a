# Run by VegaBundle.cmake: npm ci into FOLDER (unless MODULES is given), then FOLDER/vega_bundle.js from the minified files.
file(MAKE_DIRECTORY ${FOLDER})
set(modules "${MODULES}")
if(NOT modules)
  set(modules ${FOLDER}/node_modules)
  file(COPY ${ASSETS}/package.json ${ASSETS}/package-lock.json DESTINATION ${FOLDER})
  execute_process(
    COMMAND ${NPM} ci --ignore-scripts --prefer-offline --no-audit --no-fund --loglevel=error
    WORKING_DIRECTORY ${FOLDER}
    RESULT_VARIABLE status
    OUTPUT_VARIABLE output
    ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "npm could not fetch the chart libraries (Vega) listed in ${ASSETS}/package-lock.json:\n${output}\n"
      "Is the package registry within reach? On a machine without one, copy a node_modules folder here and configure "
      "with -DLOGLOG_VEGA_MODULES=FOLDER.")
  endif()
endif()

set(header "")
set(files "")
foreach(library vega vega-lite vega-embed)
  set(file ${modules}/${library}/build/${library}.min.js)
  if(NOT EXISTS ${file})
    message(FATAL_ERROR "${file} is missing: the chart libraries are not complete")
  endif()
  file(READ ${modules}/${library}/package.json description)
  string(JSON version GET "${description}" version)
  string(APPEND header "${library} ${version}  ")
  list(APPEND files ${file})
endforeach()
# The files go through `cat`, not through CMake strings: CMake would trip over their brackets and semicolons.
file(WRITE ${FOLDER}/header.js "/*! ${header}(BSD-3-Clause; University of Washington Interactive Data Lab) */\n")
file(WRITE ${FOLDER}/newline.js "\n")
list(GET files 0 vega)
list(GET files 1 lite)
list(GET files 2 embed)
execute_process(
  COMMAND cat ${FOLDER}/header.js ${vega} ${FOLDER}/newline.js ${lite} ${FOLDER}/newline.js ${embed} ${FOLDER}/newline.js
  OUTPUT_FILE ${FOLDER}/vega_bundle.js
  RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "could not write ${FOLDER}/vega_bundle.js")
endif()
