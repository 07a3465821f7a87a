# loglog_embed_file(FOLDER NAME OBJECT_VARIABLE DEPENDS...): an object file that holds FOLDER/NAME byte for byte, between the
# symbols _binary_NAME_start and _binary_NAME_end (every character of NAME that no identifier can have replaced by _).
function(loglog_embed_file folder name object_variable)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.o)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${CMAKE_LINKER} -r -b binary -z noexecstack -o ${object} ${name}
    WORKING_DIRECTORY ${folder}
    DEPENDS ${folder}/${name}
    VERBATIM)
  set(${object_variable} ${object} PARENT_SCOPE)
endfunction()
