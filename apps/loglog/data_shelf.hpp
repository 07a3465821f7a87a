#pragma once

#include <map>
#include <optional>
#include <string>

#include "engine/data/dataset.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// The data sets that a process's runs name, each opened once.
class DataShelf {
  public:
    explicit DataShelf(OpenCheck check) : check_{check} {}

    /// Opens the data set, or finds it on the shelf. Throws what opening throws.
    const TokenDataset& get(const DataSpec& data);
    /// Nothing when the folder is not there: a plan can do without where the spec states its vocabulary.
    const TokenDataset* find(const DataSpec& data);

  private:
    OpenCheck check_;
    std::map<std::string, TokenDataset> sets_;
};

}  // namespace loglog
