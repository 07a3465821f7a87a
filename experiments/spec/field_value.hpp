#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace loglog {

/// A value as written in a spec, before it is known what it has to be.
struct FieldValue {
    using List = std::vector<FieldValue>;
    using Table = std::vector<std::pair<std::string, FieldValue>>;  ///< an element of a list: { kind = "window" }
    std::variant<bool, std::int64_t, double, std::string, List, Table> data;

    bool operator==(const FieldValue&) const = default;
};

/// Where something was written: "sweep.toml:12:5", "--set model.width=256". Empty: nowhere, a default.
struct SourcePlace {
    std::string text;
};

/// One key and the value given to it.
struct Assignment {
    std::string key;  ///< dotted: "train.optimizer.lr"
    FieldValue value;
    SourcePlace place;
};

/// One thing wrong with a spec.
struct SpecProblem {
    SourcePlace place;
    std::string key;
    std::string message;  ///< what was found, what was wanted

    bool operator==(const SpecProblem& other) const { return text() == other.text(); }
    /// "sweep.toml:12:5: model.width: is 0 but must be at least 1"
    std::string text() const;
};

/// A value as TOML writes it: 256, 0.003, "dense", [0.9, 0.95], true.
std::string to_text(const FieldValue& value);

/// The value as a number, if it is one.
std::optional<double> number_in(const FieldValue& value);
/// The value as an integer, if it is one or an integral real such as 1e6.
std::optional<std::int64_t> integer_in(const FieldValue& value);

/// Throws InputError with every problem on a line of its own, unless there is none.
void throw_if_any(const std::vector<SpecProblem>& problems);

}  // namespace loglog
