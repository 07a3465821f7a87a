#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string>

#include "engine/base/short_id.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {
namespace {

// What may differ between two runs with the same numbers.
RunSpec without_what_changes_no_result(RunSpec spec) {
    spec.name.clear();
    spec.data.path.clear();
    spec.train.threads = 0;
    spec.train.checkpoint_every = 0;
    spec.train.keep_last = 1;
    spec.train.keep_at.clear();
    spec.layout = {};
    return spec;
}

}  // namespace

std::string run_id(const RunSpec& resolved, std::string_view data_hash, std::string_view code_version,
                   std::int64_t repeat) {
    std::string text = to_json(without_what_changes_no_result(resolved));
    text.append("\n").append(data_hash).append("\n").append(code_version);
    const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());

    std::string id = short_id(hash.high64);
    if (repeat > 1) { id.append("-").append(std::to_string(repeat)); }
    return id;
}

}  // namespace loglog
