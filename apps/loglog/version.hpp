#pragma once

namespace loglog {

/// The program's version, as the build system has it.
extern const char* const version;

}  // namespace loglog
