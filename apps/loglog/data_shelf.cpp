#include "apps/loglog/data_shelf.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "experiments/run/run_data.hpp"

namespace loglog {
namespace {

std::string key_of(const DataSpec& data) {
    if (data.is_probe()) {
        const ProbeData& probe = data.probe;
        return fmt::format("probe {} {} {} {}", to_string(probe.task), probe.size, probe.vocab, probe.seed);
    }
    if (data.is_synthetic()) { return fmt::format("synthetic {} {}", data.synthetic.documents, data.synthetic.seed); }
    return "path " + data.path;
}

}  // namespace

const TokenDataset& DataShelf::get(const DataSpec& data) {
    const std::string key = key_of(data);
    const auto known = sets_.find(key);
    if (known != sets_.end()) { return known->second; }
    return sets_.emplace(key, open_data(data, check_)).first->second;
}

const TokenDataset* DataShelf::find(const DataSpec& data) {
    return data.path.empty() || std::filesystem::exists(data.path) ? &get(data) : nullptr;
}

}  // namespace loglog
