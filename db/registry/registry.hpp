#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "db/registry/run_record.hpp"
#include "db/sqlite/connection.hpp"

namespace loglog {

/// NULL, integer, real or text, as SQLite gives them.
using Value = std::variant<std::monostate, std::int64_t, double, std::string>;

/// Rows of named columns; every row has one value per column.
struct Table {
    std::vector<std::string> columns;
    std::vector<std::vector<Value>> rows;

    /// Position of a column; throws InputError with the nearest known name if there is none.
    std::size_t column(std::string_view name) const;
};

/// What to ask of the view `runs`.
struct RunQuery {
    std::string where{};                 ///< any SQL expression over the view; empty: all runs
    std::vector<std::string> columns{};  ///< empty: all, in the view's order
    std::string sort{};                  ///< "COL[:asc|:desc],..."; unknown values last; ties by id. Empty: created_at
    std::int64_t limit = -1;             ///< at most so many rows; negative: all
    std::chrono::milliseconds time_limit = std::chrono::seconds{30};
};

/// The index over the run folders of one registry folder: FOLDER/registry.sqlite beside FOLDER/runs/ID/.
///
/// One process writes (the sweep's coordinator, or a single run) in short transactions; any number read. Nothing is
/// kept here alone: `rebuild` (experiments/run/rebuild.hpp) makes the same rows from the folders.
class Registry {
  public:
    /// Access::write creates folder and file, and migrates an older schema. Access::read never changes a byte.
    /// Throws InputError when reading a folder that has no registry, a file that is none, or one of a newer schema;
    /// Error when the file stays locked for longer than `busy_timeout`.
    static Registry open(const std::filesystem::path& folder, Access access,
                         std::chrono::milliseconds busy_timeout = std::chrono::seconds{10});
    /// Whether the folder holds a registry file.
    static bool exists(const std::filesystem::path& folder);

    /// Makes the file anew with just the records that `collect` returns: built beside the old one and renamed over it.
    /// Throws Error while another process writes the old file, InputError if that is of a newer schema.
    static void replace(const std::filesystem::path& folder, const std::function<std::vector<RunRecord>()>& collect);

    Registry(Registry&&) noexcept;
    Registry& operator=(Registry&&) noexcept;
    ~Registry();

    /// Adds the run or replaces what is known of it, tags included. Several in one transaction: the span form.
    void upsert(const RunRecord& record);
    void upsert(std::span<const RunRecord> records);
    /// Throws InputError if there is no such run.
    void set_state(std::string_view id, RunState state, std::string_view reason = {});
    /// Replaces the run's tags. Throws InputError if there is no such run.
    void set_tags(std::string_view id, std::span<const std::string> tags);

    std::optional<RunRecord> find(std::string_view id) const;
    /// The runs whose id, or name, starts with `prefix`, in order of id; an exact id or name wins alone.
    std::vector<RunRecord> find_by_prefix(std::string_view prefix) const;
    /// Every run that satisfies `where` (empty: all), in order of creation.
    std::vector<RunRecord> select(const std::string& where = {}) const;

    /// Runs the query read-only: an authorizer refuses everything but reading the view and harmless functions.
    /// Throws InputError with the expression, SQLite's message and the nearest column for one that is misspelt.
    Table query(const RunQuery& query) const;

    const std::filesystem::path& folder() const noexcept;

  private:
    class Implementation;
    explicit Registry(std::unique_ptr<Implementation> implementation);
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace loglog
