#include "apps/loglog/version.hpp"

namespace loglog {

const char* const version = LOGLOG_VERSION;

}  // namespace loglog
