# cmake -DOUTPUT=FILE.cpp -DSOURCE_DIR=DIR -DVERSION=X.Y.Z -P CodeVersion.cmake: defines loglog::code_version().
# The hash covers the sources that determine a run's numbers, so that other changes leave finished runs recognised.
cmake_minimum_required(VERSION 3.25)
file(GLOB_RECURSE sources RELATIVE ${SOURCE_DIR}
  ${SOURCE_DIR}/engine/*.cpp ${SOURCE_DIR}/engine/*.hpp ${SOURCE_DIR}/engine/*.cu
  ${SOURCE_DIR}/distributed/*.cpp ${SOURCE_DIR}/distributed/*.hpp ${SOURCE_DIR}/distributed/*.cu
  ${SOURCE_DIR}/experiments/*.cpp ${SOURCE_DIR}/experiments/*.hpp)
list(SORT sources)
set(digests "")
foreach(source IN LISTS sources)
  file(SHA256 ${SOURCE_DIR}/${source} digest)
  string(APPEND digests "${source} ${digest}\n")
endforeach()
string(SHA256 digest "${digests}")
string(SUBSTRING ${digest} 0 12 digest)
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT
"#include \"experiments/run/environment.hpp\"

namespace loglog {

const char* code_version() noexcept { return \"@VERSION@+@digest@\"; }

}  // namespace loglog
")
