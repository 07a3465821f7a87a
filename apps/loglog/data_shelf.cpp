#include "apps/loglog/data_shelf.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace loglog {

const TokenDataset& DataShelf::get(const DataSpec& data) {
    const SyntheticData& made = data.synthetic;
    const std::string key =
        data.is_synthetic() ? fmt::format("synthetic {} {}", made.documents, made.seed) : "path " + data.path;
    const auto known = sets_.find(key);
    if (known != sets_.end()) { return known->second; }
    TokenDataset set = data.is_synthetic() ? TokenDataset::synthetic(made.documents, Seed{made.seed})
                                           : TokenDataset::open(data.path, check_);
    return sets_.emplace(key, std::move(set)).first->second;
}

const TokenDataset* DataShelf::find(const DataSpec& data) {
    return data.is_synthetic() || std::filesystem::exists(data.path) ? &get(data) : nullptr;
}

}  // namespace loglog
