#include "apps/loglog/find_run.hpp"

#include <fmt/format.h>

#include "db/registry/registry.hpp"
#include "engine/base/error.hpp"

namespace loglog {

RunRecord find_run(const std::string& registry, const std::string& prefix) {
    const auto found = Registry::open(registry, Access::read).find_by_prefix(prefix);
    if (found.empty()) {
        throw InputError{fmt::format("no run in {} has an id or name that starts with '{}' (see: loglog runs list)",
                                     registry, prefix)};
    }
    if (found.size() > 1) {
        std::string ids;
        for (const auto& record : found) { ids += (ids.empty() ? "" : ", ") + record.id; }
        throw InputError{fmt::format("'{}' fits {} runs: {}", prefix, found.size(), ids)};
    }
    return found.front();
}

}  // namespace loglog
