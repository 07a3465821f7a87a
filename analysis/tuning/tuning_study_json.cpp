#include <nlohmann/json.hpp>

#include "analysis/tuning/tuning_study.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

Json number(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json object(const CellOptimum& cell) {
    return {{"N", cell.n},
            {"D", cell.d},
            {"runs", cell.runs},
            {"used", cell.used},
            {"lr", number(cell.lr)},
            {"batch", number(cell.batch)},
            {"loss", number(cell.loss)},
            {"best_run", {{"lr", cell.best.lr}, {"batch", cell.best.batch}, {"loss", cell.best.loss}}},
            {"best_at_edge", cell.best_at_edge},
            {"left_out", cell.problem.empty() ? Json(nullptr) : Json(cell.problem)}};
}

}  // namespace

std::string to_json(const TuningStudy& study) {
    Json root;
    root["law"] = "tuning";
    root["cells"] = Json::array();
    for (const auto& cell : study.cells) { root["cells"].push_back(object(cell)); }
    root["lr"] = Json::parse(to_json(study.lr));
    root["batch"] = study.batch ? Json::parse(to_json(*study.batch)) : Json(nullptr);
    root["warnings"] = Json::array();
    for (const auto& [code, text] : study.warnings) { root["warnings"].push_back({{"code", code}, {"text", text}}); }
    return root.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace loglog
