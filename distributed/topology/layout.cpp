#include "distributed/topology/layout.hpp"

#include <array>
#include <charconv>
#include <limits>

#include "engine/base/error.hpp"

namespace loglog {

std::string to_string(const Layout& layout) {
    return std::to_string(layout.dp) + "x" + std::to_string(layout.tp) + "x" + std::to_string(layout.pp);
}

Layout parse_layout(const std::string& text) {
    const auto fail = [&](const std::string& why) -> void {
        throw InputError{"layout \"" + text + "\" " + why +
                         ": it must be three positive numbers, data x tensor x pipeline parallel, like \"2x1x4\""};
    };
    std::array<int, 3> extents{};
    const char* at = text.data();
    const char* const end = text.data() + text.size();
    for (std::size_t i = 0; i < extents.size(); ++i) {
        if (i > 0) {
            if (at == end) { fail("has " + std::to_string(i) + (i == 1 ? " number" : " numbers")); }
            if (*at != 'x') { fail(std::string{"has '"} + *at + "' where 'x' must be"); }
            ++at;
        }
        const auto [after, error] = std::from_chars(at, end, extents[i]);
        if (error == std::errc::result_out_of_range) { fail("is too large"); }
        if (error != std::errc{}) { fail("lacks number " + std::to_string(i + 1)); }
        if (extents[i] < 1) { fail("has " + std::to_string(extents[i])); }
        at = after;
    }
    if (at != end) { fail("goes on with \"" + std::string{at, end} + "\""); }
    const auto ranks = static_cast<double>(extents[0]) * extents[1] * extents[2];
    if (ranks > std::numeric_limits<int>::max()) { fail("is too large"); }
    return {.dp = extents[0], .tp = extents[1], .pp = extents[2]};
}

Place place_of(const Layout& layout, int rank) {
    if (rank < 0 || rank >= layout.ranks()) {
        throw Error{"layout " + to_string(layout) + " has no rank " + std::to_string(rank)};
    }
    return {.dp = rank / layout.tp % layout.dp, .tp = rank % layout.tp, .pp = rank / (layout.tp * layout.dp)};
}

int rank_of(const Layout& layout, const Place& place) {
    return (place.pp * layout.dp + place.dp) * layout.tp + place.tp;
}

}  // namespace loglog
