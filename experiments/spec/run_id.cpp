#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <string>

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

    constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";  // Crockford's base 32
    constexpr int characters = 12;
    std::string id;
    for (int i = 0; i < characters; ++i) { id += digits[(hash.high64 >> (59 - 5 * i)) & 31]; }
    if (repeat > 1) { id.append("-").append(std::to_string(repeat)); }
    return id;
}

}  // namespace loglog
