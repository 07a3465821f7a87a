#include "db/registry/run_record.hpp"

#include <array>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array state_texts{"planned", "running", "ok", "diverged", "failed", "stopped"};

struct ToJson {
    Json& object;

    void operator()(const char* name, const std::string& text) const {
        if (std::string_view{name} == "spec") {
            object[name] = text.empty() ? Json{} : Json::parse(text);
        } else {
            object[name] = text.empty() ? Json{} : Json(text);
        }
    }
    void operator()(const char* name, RunState state) const { object[name] = to_text(state); }
    void operator()(const char* name, const std::vector<std::string>& tags) const { object[name] = tags; }
    template <class T>
    void operator()(const char* name, const std::optional<T>& number) const {
        object[name] = number ? Json(*number) : Json{};
    }
};

struct FromJson {
    const Json& object;

    void operator()(const char* name, std::string& text) const {
        if (const Json* value = find(name)) {
            text = std::string_view{name} == "spec" ? value->dump() : value->get<std::string>();
        }
    }
    void operator()(const char* name, RunState& state) const {
        if (const Json* value = find(name)) { state = run_state_from(value->get<std::string>()); }
    }
    void operator()(const char* name, std::vector<std::string>& tags) const {
        if (const Json* value = find(name)) { tags = value->get<std::vector<std::string>>(); }
    }
    template <class T>
    void operator()(const char* name, std::optional<T>& number) const {
        if (const Json* value = find(name)) { number = value->get<T>(); }
    }

    const Json* find(const char* name) const {
        const auto found = object.find(name);
        return found == object.end() || found->is_null() ? nullptr : &*found;
    }
};

}  // namespace

const char* to_text(RunState state) noexcept { return state_texts[static_cast<std::size_t>(state)]; }

RunState run_state_from(std::string_view text) {
    for (std::size_t i = 0; i < state_texts.size(); ++i) {
        if (text == state_texts[i]) { return static_cast<RunState>(i); }
    }
    throw InputError{"'" + std::string{text} + "' is no run state (planned, running, ok, diverged, failed or stopped)"};
}

const std::vector<std::string>& run_columns() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> list;
        visit_columns(RunRecord{}, [&](const char* name, const auto&) { list.emplace_back(name); });
        return list;
    }();
    return names;
}

std::string to_json(const RunRecord& record) {
    try {
        Json object = Json::object();
        visit_columns(record, ToJson{object});
        return object.dump();
    } catch (const nlohmann::json::exception& error) {
        throw InputError{"run " + record.id + " cannot be written as JSON: " + error.what()};
    }
}

RunRecord run_record_from_json(std::string_view text) {
    try {
        const Json object = Json::parse(text);
        if (!object.is_object()) { throw InputError{"a run's record must be a JSON object"}; }
        RunRecord record;
        visit_columns(record, FromJson{object});
        return record;
    } catch (const nlohmann::json::exception& error) {
        throw InputError{std::string{"a run's record cannot be read: "} + error.what()};
    }
}

std::string utc_now() {
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    gmtime_r(&now, &utc);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return text.data();
}

}  // namespace loglog
