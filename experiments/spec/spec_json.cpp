#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/base/error.hpp"
#include "experiments/spec/fields.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {
namespace {

using Json = nlohmann::json;  // objects are std::map: keys come out sorted

struct ToJson {
    Json operator()(const FieldValue::List& list) const {
        Json array = Json::array();
        for (const FieldValue& value : list) { array.push_back(std::visit(*this, value.data)); }
        return array;
    }
    Json operator()(const FieldValue::Table& table) const {
        Json object = Json::object();
        for (const auto& [key, value] : table) { object[key] = std::visit(*this, value.data); }
        return object;
    }
    template <class T>
    Json operator()(const T& value) const {
        return value;
    }
};

FieldValue field_value(const Json& json, const std::string& key) {
    if (json.is_boolean()) { return {json.get<bool>()}; }
    if (json.is_number_integer()) { return {json.get<std::int64_t>()}; }
    if (json.is_number()) { return {json.get<double>()}; }
    if (json.is_string()) { return {json.get<std::string>()}; }
    if (!json.is_array()) { throw InputError{fmt::format("{}: {} is no value of a spec", key, json.dump())}; }
    FieldValue::List list;
    for (const Json& element : json) { list.push_back(field_value(element, key)); }
    return {list};
}

void read_object(const Json& object, const std::string& prefix, RunSpec& spec, std::vector<SpecProblem>& problems) {
    for (const auto& [name, value] : object.items()) {
        const std::string key = prefix + name;
        if (value.is_object()) {
            read_object(value, key + ".", spec, problems);
        } else if (auto problem = assign(spec, key, field_value(value, key), RangeCheck::no)) {
            problems.push_back({{}, key, std::move(*problem)});
        }
    }
}

}  // namespace

std::string to_json(const RunSpec& spec, int indent) {
    Json root = Json::object();
    for (const std::string& key : field_keys()) {
        Json* node = &root;
        std::size_t start = 0;
        for (auto dot = key.find('.'); dot != std::string::npos; dot = key.find('.', start)) {
            node = &(*node)[key.substr(start, dot - start)];
            start = dot + 1;
        }
        (*node)[key.substr(start)] = std::visit(ToJson{}, value_of(spec, key).data);
    }
    return root.dump(indent);
}

RunSpec run_spec_from_json(std::string_view text) {
    const Json root = Json::parse(text, nullptr, false);
    if (!root.is_object()) { throw InputError{"a stored specification must be a JSON object"}; }
    RunSpec spec;
    std::vector<SpecProblem> problems;
    read_object(root, "", spec, problems);
    throw_if_any(problems);
    return spec;
}

}  // namespace loglog
