#include "db/registry/registry.hpp"

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/SQLiteCpp.h>
#include <sys/stat.h>

#include <cmath>
#include <system_error>

#include "db/files/publish.hpp"
#include "db/registry/registry_migrations.hpp"
#include "db/registry/run_query.hpp"
#include "engine/base/error.hpp"
#include "engine/base/nearest_name.hpp"

namespace loglog {
namespace {

std::filesystem::path registry_file(const std::filesystem::path& folder) { return folder / "registry.sqlite"; }

/// Which file a name stands for now; changes when `rebuild` replaces the file.
std::pair<dev_t, ino_t> identity_of(const std::filesystem::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) { return {}; }
    return {status.st_dev, status.st_ino};
}

std::vector<std::string> split_tags(const std::string& text) {
    std::vector<std::string> tags;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        tags.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return tags;
}

/// The columns of table `run`: those of the view but the tags, which have a table of their own.
std::vector<std::string> stored_columns() {
    std::vector<std::string> names;
    for (const std::string& name : run_columns()) {
        if (name != "tags") { names.push_back(name); }
    }
    return names;
}

std::string upsert_text() {
    std::string names, marks, updates;
    for (const std::string& name : stored_columns()) {
        const std::string comma = names.empty() ? "" : ", ";
        names += comma + name;
        marks += comma + "?";
        updates += comma + name + " = excluded." + name;
    }
    return "INSERT INTO run (" + names + ") VALUES (" + marks + ") ON CONFLICT (id) DO UPDATE SET " + updates;
}

/// Binds one member after the other to a statement's parameters.
struct BindColumns {
    SQLite::Statement& statement;
    int index = 0;

    void operator()(const char*, const std::string& text) {
        if (text.empty()) {
            statement.bind(++index);
        } else {
            statement.bindNoCopy(++index, text);
        }
    }
    void operator()(const char*, RunState state) { statement.bind(++index, std::string{to_text(state)}); }
    void operator()(const char*, const std::vector<std::string>&) {}
    template <class T>
    void operator()(const char*, const std::optional<T>& number) {
        ++index;
        if (number && std::isfinite(static_cast<double>(*number))) {
            statement.bind(index, *number);
        } else {
            statement.bind(index);
        }
    }
};

/// Reads one member after the other from a row of the view.
struct ReadColumns {
    const std::vector<Value>& row;
    std::size_t index = 0;

    const std::string* text() { return std::get_if<std::string>(&row[index++]); }
    void operator()(const char*, std::string& member) {
        if (const auto* value = text()) { member = *value; }
    }
    void operator()(const char*, RunState& member) {
        if (const auto* value = text()) { member = run_state_from(*value); }
    }
    void operator()(const char*, std::vector<std::string>& member) {
        if (const auto* value = text()) { member = split_tags(*value); }
    }
    template <class T>
    void operator()(const char*, std::optional<T>& member) {
        const Value& value = row[index++];
        if (const auto* whole = std::get_if<std::int64_t>(&value)) { member = static_cast<T>(*whole); }
        if (const auto* real = std::get_if<double>(&value)) { member = static_cast<T>(*real); }
    }
};

std::vector<RunRecord> records_of(const Table& table) {
    std::vector<RunRecord> records(table.rows.size());
    for (std::size_t i = 0; i < records.size(); ++i) { visit_columns(records[i], ReadColumns{table.rows[i]}); }
    return records;
}

std::string quoted(std::string_view text) {
    std::string sql = "'";
    for (const char c : text) { sql += c == '\'' ? std::string{"''"} : std::string{c}; }
    return sql + "'";
}

}  // namespace

std::size_t Table::column(std::string_view name) const {
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (columns[i] == name) { return i; }
    }
    throw InputError{"no such column: " + std::string{name} + did_you_mean(name, columns)};
}

class Registry::Implementation {
  public:
    Implementation(std::filesystem::path folder, Access access, std::chrono::milliseconds busy_timeout)
        : folder_{std::move(folder)}, path_{registry_file(folder_)}, access_{access}, busy_timeout_{busy_timeout} {
        if (access_ == Access::write) { note_.emplace(path_); }
        open();
    }

    Implementation(const Implementation&) = delete;
    Implementation& operator=(const Implementation&) = delete;

    ~Implementation() {
        statements_.reset();
        if (access_ == Access::read) { return; }
        // Removes the emptied journal; fails, harmlessly, while others are writing.
        try {
            database_->setBusyTimeout(0);
            database_->execAndGet("PRAGMA journal_mode = DELETE");
            sync_to_disk(path_);
        } catch (const std::exception&) {}
    }

    /// Runs `change(database)` in one transaction on the file that now has the registry's name.
    template <class Change>
    void transact(const Change& change) {
        if (access_ == Access::read) { throw Error{"registry " + path_.string() + " is open for reading only"}; }
        with_database_errors(path_, [&] {
            while (!transact_on_open_file(change)) { reopen(); }
        });
    }

    void upsert(const RunRecord& record) {
        SQLite::Statement& insert = statements().upsert;
        insert.reset();
        visit_columns(record, BindColumns{insert});
        insert.exec();
        replace_tags(record.id, record.tags);
    }

    void replace_tags(const std::string& id, std::span<const std::string> tags) {
        SQLite::Statement& forget = statements().forget_tags;
        forget.reset();
        forget.bind(1, id);
        forget.exec();
        for (const std::string& tag : tags) {
            SQLite::Statement& add = statements().add_tag;
            add.reset();
            add.bind(1, id);
            add.bind(2, tag);
            add.exec();
        }
    }

    void require(std::string_view id) {
        SQLite::Statement count{*database_, "SELECT count(*) FROM run WHERE id = ?"};
        count.bind(1, std::string{id});
        count.executeStep();
        if (count.getColumn(0).getInt() == 0) {
            throw InputError{"registry " + folder_.string() + " has no run " + std::string{id}};
        }
    }

    Table query(const RunQuery& query) { return detail::run_query(*database_, path_, query); }

    SQLite::Database& database() { return *database_; }
    const std::filesystem::path& folder() const noexcept { return folder_; }

  private:
    struct Statements {
        explicit Statements(SQLite::Database& database)
            : upsert{database, upsert_text()},
              forget_tags{database, "DELETE FROM run_tag WHERE run_id = ?"},
              add_tag{database, "INSERT OR IGNORE INTO run_tag VALUES (?, ?)"} {}
        SQLite::Statement upsert;
        SQLite::Statement forget_tags;
        SQLite::Statement add_tag;
    };

    /// False, having changed nothing, if the open file is no longer the one with the registry's name.
    template <class Change>
    bool transact_on_open_file(const Change& change) {
        SQLite::Transaction transaction{*database_, SQLite::TransactionBehavior::IMMEDIATE};
        if (identity_of(path_) != identity_) { return false; }
        change();
        transaction.commit();
        return true;
    }

    Statements& statements() {
        if (!statements_) { statements_.emplace(*database_); }
        return *statements_;
    }

    void reopen() {
        statements_.reset();
        open();
    }

    void open() {
        database_ = open_database(path_, access_, busy_timeout_);
        with_database_errors(path_, [&] {
            const auto migrations = registry_migrations();
            if (access_ == Access::read && schema_version(*database_, path_) < migrations.back().version) {
                read_a_copy();
            }
            migrate(*database_, path_, migrations);
        });
        identity_ = identity_of(path_);
    }

    /// Readers change nothing: an older file is brought up to date in memory.
    void read_a_copy() {
        auto copy = std::make_unique<SQLite::Database>(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
        SQLite::Backup{*copy, *database_}.executeStep(-1);
        database_ = std::move(copy);
    }

    std::filesystem::path folder_;
    std::filesystem::path path_;
    Access access_;
    std::chrono::milliseconds busy_timeout_;
    std::optional<WriterNote> note_;
    std::unique_ptr<SQLite::Database> database_;
    std::optional<Statements> statements_;
    std::pair<dev_t, ino_t> identity_;
};

namespace {

/// Holds the old file's write lock while a new one is made; nothing to hold if it is missing or damaged.
class ReplacementLock {
  public:
    explicit ReplacementLock(const std::filesystem::path& path) : path_{path} {
        if (!std::filesystem::exists(path)) { return; }
        try {
            database_ = open_database(path, Access::write, std::chrono::seconds{2});
            with_database_errors(path, [&] {
                database_->execAndGet("PRAGMA journal_mode = DELETE");
                database_->exec("BEGIN EXCLUSIVE");
                if (schema_version(*database_, path) > registry_migrations().back().version) {
                    migrate(*database_, path, registry_migrations());
                }
            });
        } catch (const DamagedDatabase&) { database_.reset(); }
    }

    /// Call just before the new file takes the old one's name.
    void remove_companions() const {
        for (const char* suffix : {"-wal", "-shm", "-journal"}) {
            auto companion = path_;
            companion += suffix;
            std::error_code ignored;
            std::filesystem::remove(companion, ignored);
        }
    }

  private:
    std::filesystem::path path_;
    std::unique_ptr<SQLite::Database> database_;
};

}  // namespace

void Registry::replace(const std::filesystem::path& folder, const std::function<std::vector<RunRecord>()>& collect) {
    const auto path = registry_file(folder);
    const ReplacementLock lock{path};
    const auto workplace = folder / ".rebuild.partial";
    std::filesystem::remove_all(workplace);
    {
        Registry fresh = open(workplace, Access::write);
        fresh.upsert(collect());
    }
    lock.remove_companions();
    std::filesystem::rename(registry_file(workplace), partial_path(path));
    publish(path, Durability::machine);
    std::filesystem::remove_all(workplace);
}

Registry::Registry(std::unique_ptr<Implementation> implementation) : implementation_{std::move(implementation)} {}
Registry::Registry(Registry&&) noexcept = default;
Registry& Registry::operator=(Registry&&) noexcept = default;
Registry::~Registry() = default;

bool Registry::exists(const std::filesystem::path& folder) {
    std::error_code ignored;
    return std::filesystem::exists(registry_file(folder), ignored);
}

Registry Registry::open(const std::filesystem::path& folder, Access access, std::chrono::milliseconds busy_timeout) {
    if (access == Access::write) {
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        if (error) { throw Error{system_failure(folder, "creating the registry's folder", error.value())}; }
    } else if (!exists(folder)) {
        const bool has_runs = std::filesystem::is_directory(folder / "runs");
        throw InputError{folder.string() + " holds no registry (no file registry.sqlite)" +
                         (has_runs ? "; `loglog runs rebuild` makes it from the run folders there"
                                   : "; name one by --registry DIR or $LOGLOG_REGISTRY")};
    }
    return Registry{std::make_unique<Implementation>(folder, access, busy_timeout)};
}

void Registry::upsert(const RunRecord& record) { upsert(std::span{&record, 1}); }

void Registry::upsert(std::span<const RunRecord> records) {
    implementation_->transact([&] {
        for (const RunRecord& record : records) { implementation_->upsert(record); }
    });
}

void Registry::set_state(std::string_view id, RunState state, std::string_view reason) {
    implementation_->transact([&] {
        implementation_->require(id);
        SQLite::Statement update{implementation_->database(),
                                 "UPDATE run SET state = ?, state_reason = nullif(?, '') WHERE id = ?"};
        update.bind(1, to_text(state));
        update.bind(2, std::string{reason});
        update.bind(3, std::string{id});
        update.exec();
    });
}

void Registry::set_tags(std::string_view id, std::span<const std::string> tags) {
    implementation_->transact([&] {
        implementation_->require(id);
        implementation_->replace_tags(std::string{id}, tags);
    });
}

std::optional<RunRecord> Registry::find(std::string_view id) const {
    auto found = select("id = " + quoted(id));
    if (found.empty()) { return std::nullopt; }
    return std::move(found.front());
}

std::vector<RunRecord> Registry::find_by_prefix(std::string_view prefix) const {
    const std::string text = quoted(prefix);
    const auto matching = [&](const std::string& condition) {
        RunQuery query;
        query.where = condition;
        query.sort = "id";
        return records_of(implementation_->query(query));
    };
    auto exact = matching("id = " + text + " OR name = " + text);
    if (!exact.empty()) { return exact; }
    const std::string length = "length(" + text + ")";
    return matching("substr(id, 1, " + length + ") = " + text + " OR substr(name, 1, " + length + ") = " + text);
}

std::vector<RunRecord> Registry::select(const std::string& where) const {
    RunQuery query;
    query.where = where;
    return records_of(implementation_->query(query));
}

Table Registry::query(const RunQuery& query) const { return implementation_->query(query); }

const std::filesystem::path& Registry::folder() const noexcept { return implementation_->folder(); }

}  // namespace loglog
