# Compile options that every target of ours uses: loglog::options.
add_library(loglog_options INTERFACE)
add_library(loglog::options ALIAS loglog_options)

target_include_directories(loglog_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(loglog_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  $<$<BOOL:${LOGLOG_WARNINGS_AS_ERRORS}>:-Werror>
  # GCC 12 warns of overlap inside std::string's own operator+ (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # Losing errno lets the compiler vectorise sqrt; nothing here reads errno after a math call.
  -fno-math-errno)

if(LOGLOG_SANITIZE)
  target_compile_options(loglog_options INTERFACE -fsanitize=${LOGLOG_SANITIZE} -fno-omit-frame-pointer -g1)
  target_link_options(loglog_options INTERFACE -fsanitize=${LOGLOG_SANITIZE})
  # Instrumented, GCC 12 takes the inactive members of a std::variant for uninitialised.
  target_compile_options(loglog_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  if(LOGLOG_SANITIZE MATCHES "undefined")
    target_compile_options(loglog_options INTERFACE -fno-sanitize-recover=undefined)
  endif()
endif()

find_program(LOGLOG_CCACHE ccache)
if(LOGLOG_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${LOGLOG_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${LOGLOG_CCACHE})
endif()
