#pragma once

namespace loglog {

inline constexpr const char* version = LOGLOG_VERSION;

}  // namespace loglog
