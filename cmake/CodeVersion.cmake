# cmake -DOUTPUT=FILE.cpp -DSOURCE_DIR=DIR -DVERSION=X.Y.Z -DFOLDERS=DIR[,DIR...] -DHEADER=PATH.hpp -DFUNCTION=NAME
#   -P CodeVersion.cmake: defines loglog::NAME(), declared in HEADER, which returns VERSION+HASH.
# The hash covers the sources that determine a kind of numbers, so that other changes leave older ones recognised.
cmake_minimum_required(VERSION 3.25)
string(REPLACE "," ";" folders ${FOLDERS})
set(sources "")
foreach(folder IN LISTS folders)
  file(GLOB_RECURSE found RELATIVE ${SOURCE_DIR}
    ${SOURCE_DIR}/${folder}/*.cpp ${SOURCE_DIR}/${folder}/*.hpp ${SOURCE_DIR}/${folder}/*.cu)
  list(APPEND sources ${found})
endforeach()
list(SORT sources)
set(digests "")
foreach(source IN LISTS sources)
  file(SHA256 ${SOURCE_DIR}/${source} digest)
  string(APPEND digests "${source} ${digest}\n")
endforeach()
string(SHA256 digest "${digests}")
string(SUBSTRING ${digest} 0 12 digest)
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT
"#include \"@HEADER@\"

namespace loglog {

const char* @FUNCTION@() noexcept { return \"@VERSION@+@digest@\"; }

}  // namespace loglog
")
