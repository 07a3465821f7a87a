#pragma once

#include <string>

namespace loglog {

/// How one run is spread over ranks: copies of the model on different data, cut tensors, pipeline stages.
struct Layout {
    int dp = 1;
    int tp = 1;
    int pp = 1;

    int ranks() const noexcept { return dp * tp * pp; }
    bool operator==(const Layout&) const = default;
};

/// "2x1x4": dp x tp x pp.
std::string to_string(const Layout& layout);
/// Throws InputError for anything but three positive numbers.
Layout parse_layout(const std::string& text);

/// A rank's coordinates. Ranks of a tensor group are neighbours, then those of a data group, then stages: the more two
/// ranks exchange, the nearer they are.
struct Place {
    int dp = 0;
    int tp = 0;
    int pp = 0;

    bool operator==(const Place&) const = default;
};
Place place_of(const Layout& layout, int rank);
int rank_of(const Layout& layout, const Place& place);

}  // namespace loglog
