# cmake -DOUTPUT=FILE.cpp "-DINPUTS=a.sql|b.sql" -P EmbedMigrations.cmake: turns NNNN_name.sql files into a C++ table.
cmake_minimum_required(VERSION 3.25)
string(REPLACE "|" ";" INPUTS "${INPUTS}")
set(entries "")
foreach(input IN LISTS INPUTS)
  get_filename_component(name ${input} NAME_WE)
  string(REGEX MATCH "^0*([0-9]+)_" matched ${name})
  set(version ${CMAKE_MATCH_1})
  file(READ ${input} sql)
  string(APPEND entries "    Migration{${version}, \"${name}\", R\"sql(${sql})sql\"},\n")
endforeach()
file(WRITE ${OUTPUT}
"#include \"db/registry/registry_migrations.hpp\"

#include <array>

namespace loglog {
namespace {

constexpr std::array migrations{
${entries}};

}  // namespace

std::span<const Migration> registry_migrations() { return migrations; }

}  // namespace loglog
")
