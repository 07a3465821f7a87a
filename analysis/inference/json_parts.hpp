#pragma once

#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/inference/inference.hpp"

// Parts of the JSON of `fit`, for inference_json.cpp alone: the JSON library is slow to compile.

namespace loglog {

using Json = nlohmann::ordered_json;

/// null for what is not finite.
inline Json json_number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json json_of(const HoldOut& hold_out);
Json json_of(const Onset& onset);

/// "outliers", and what the examination found: "model_choice", "conventions", "sensitivity", "cross_validation".
void add_examination(Json& root, const Inference& inference);

/// How intervals were made, to "bootstrap"; "seeds"; "profile", to each of "parameters"; "correlation" and
/// "covariance".
void add_intervals(Json& root, const Inference& inference);

}  // namespace loglog
