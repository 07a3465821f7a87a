#include "db/import/event_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "db/import/crc32c.hpp"
#include "db/import/protobuf_reader.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

std::uint64_t little_endian(std::string_view bytes) {
    return ProtobufReader::number_from<std::uint64_t, std::uint64_t>(bytes);
}

// Field numbers of tensorflow/core/framework/tensor.proto and types.proto.
namespace tensor_field {
constexpr std::uint64_t type = 1, shape = 2, content = 4, floats = 5, doubles = 6, integers = 7, long_integers = 10;
}
enum class TensorType : std::int64_t { float32 = 1, float64 = 2, int32 = 3, int64 = 9 };

/// How many numbers a TensorShapeProto (repeated Dim dim = 2, of which int64 size = 1) says there are.
std::int64_t element_count(std::string_view shape) {
    std::int64_t count = 1;
    for (ProtobufReader fields{shape}; fields.next();) {
        if (!fields.is(2, WireType::bytes)) { continue; }
        std::int64_t size = 0;
        for (ProtobufReader dimension{fields.bytes()}; dimension.next();) {
            if (dimension.is(1, WireType::varint)) { size = dimension.integer(); }
        }
        count *= size;
    }
    return count;
}

std::optional<double> number_of_content(std::string_view content, TensorType type) {
    switch (type) {
        case TensorType::float32:
            if (content.size() == 4) { return ProtobufReader::number_from<float, std::uint32_t>(content); }
            break;
        case TensorType::float64:
            if (content.size() == 8) { return ProtobufReader::number_from<double, std::uint64_t>(content); }
            break;
        case TensorType::int32:
            if (content.size() == 4) { return ProtobufReader::number_from<std::int32_t, std::uint32_t>(content); }
            break;
        case TensorType::int64:
            if (content.size() == 8) { return ProtobufReader::number_from<std::int64_t, std::uint64_t>(content); }
            break;
    }
    return std::nullopt;
}

/// The number of a TensorProto that holds one; nothing for other tensors.
std::optional<double> scalar_of_tensor(std::string_view tensor) {
    std::optional<double> value;
    std::string_view content;
    TensorType type{};
    std::int64_t count = 1;
    for (ProtobufReader fields{tensor}; fields.next();) {
        if (fields.is(tensor_field::type, WireType::varint)) {
            type = static_cast<TensorType>(fields.integer());
        } else if (fields.is(tensor_field::shape, WireType::bytes)) {
            count = element_count(fields.bytes());
        } else if (fields.is(tensor_field::content, WireType::bytes)) {
            content = fields.bytes();
        } else if (fields.is(tensor_field::floats, WireType::fixed32) ||
                   (fields.is(tensor_field::floats, WireType::bytes) && fields.bytes().size() == 4)) {
            value = fields.float32();
        } else if (fields.is(tensor_field::doubles, WireType::fixed64) ||
                   (fields.is(tensor_field::doubles, WireType::bytes) && fields.bytes().size() == 8)) {
            value = fields.float64();
        } else if (fields.is(tensor_field::integers, WireType::varint) ||
                   fields.is(tensor_field::long_integers, WireType::varint)) {
            value = static_cast<double>(fields.integer());
        } else if (fields.is(tensor_field::integers, WireType::bytes) ||
                   fields.is(tensor_field::long_integers, WireType::bytes)) {
            value = static_cast<double>(static_cast<std::int64_t>(ProtobufReader{fields.bytes()}.read_varint()));
        }
    }
    if (count != 1) { return std::nullopt; }
    return content.empty() ? value : number_of_content(content, type);
}

/// Summary.Value: tag = 1, simple_value = 2, tensor = 8.
void read_value(std::string_view value, const EventScalar& event, EventFile& file) {
    EventScalar scalar = event;
    std::optional<double> number;
    for (ProtobufReader fields{value}; fields.next();) {
        if (fields.is(1, WireType::bytes)) {
            scalar.tag = fields.bytes();
        } else if (fields.is(2, WireType::fixed32)) {
            number = fields.float32();
        } else if (fields.is(8, WireType::bytes)) {
            number = scalar_of_tensor(fields.bytes());
        }
    }
    if (number) {
        scalar.value = *number;
        file.scalars.push_back(std::move(scalar));
    } else {
        ++file.other_values;
    }
}

/// Event: wall_time = 1, step = 2, summary = 5, of which repeated Value value = 1.
void read_event(std::string_view event, EventFile& file) {
    EventScalar common;
    std::string_view summary;
    for (ProtobufReader fields{event}; fields.next();) {
        if (fields.is(1, WireType::fixed64)) {
            common.wall_time = fields.float64();
        } else if (fields.is(2, WireType::varint)) {
            common.step = fields.integer();
        } else if (fields.is(5, WireType::bytes)) {
            summary = fields.bytes();
        }
    }
    for (ProtobufReader values{summary}; values.next();) {
        if (values.is(1, WireType::bytes)) { read_value(values.bytes(), common, file); }
    }
}

constexpr std::size_t header_bytes = 12;  // length (8), its checksum (4)
constexpr std::size_t footer_bytes = 4;   // checksum of the data

[[noreturn]] void damaged(const std::string& source, std::size_t record, std::size_t byte, const std::string& what) {
    throw InputError{fmt::format("{}: record {} (byte {}): {}; the file is damaged, or no TensorBoard event file",
                                 source, record, byte, what)};
}

std::string truncated(std::size_t record, std::size_t byte, std::size_t found) {
    return fmt::format(
        "record {} (byte {}) is cut short after {} bytes and was left out: the writer was killed, or still writes",
        record, byte, found);
}

void check_sum(std::string_view data, std::string_view stored, const char* what, const std::string& source,
               std::size_t record, std::size_t byte) {
    const auto wanted = static_cast<std::uint32_t>(little_endian(stored));
    const std::uint32_t found = masked_crc32c(data);
    if (found != wanted) {
        damaged(source, record, byte,
                fmt::format("the checksum of its {} is {:08x}, stored is {:08x}", what, found, wanted));
    }
}

/// Values by tag, as an undisturbed run would have written them.
using Series = std::map<std::string, std::vector<EventScalar>>;

void supersede(std::vector<EventScalar>& series, const EventScalar& scalar) {
    while (!series.empty() && series.back().step >= scalar.step) { series.pop_back(); }
    series.push_back(scalar);
}

}  // namespace

EventFile parse_event_file(std::string_view bytes, const std::string& source) {
    EventFile file;
    std::size_t record = 1;
    for (std::size_t at = 0; at < bytes.size(); ++record) {
        const std::string_view rest = bytes.substr(at);
        if (rest.size() < header_bytes) {
            file.note = truncated(record, at, rest.size());
            break;
        }
        check_sum(rest.substr(0, 8), rest.substr(8, 4), "length", source, record, at);
        const std::uint64_t length = little_endian(rest.substr(0, 8));
        if (length > rest.size() || rest.size() - length < header_bytes + footer_bytes) {
            file.note = truncated(record, at, rest.size());
            break;
        }
        const std::string_view data = rest.substr(header_bytes, length);
        check_sum(data, rest.substr(header_bytes + length, footer_bytes), "data", source, record, at);
        try {
            read_event(data, file);
        } catch (const ProtobufFault& fault) { damaged(source, record, at, fault.what()); }
        at += header_bytes + length + footer_bytes;
    }
    return file;
}

ImportTable table_of_events(std::span<const EventRun> runs, const std::string& source) {
    ImportTable table;
    table.source = source;
    table.columns = {"run", "step", "wall_time"};
    const auto is_cut = [](const EventRun& run) { return !run.files.empty() && !run.files.back().note.empty(); };
    const bool has_state = std::any_of(runs.begin(), runs.end(), is_cut);
    if (has_state) { table.columns.emplace_back("state"); }
    std::map<std::string, std::size_t> position;
    for (const EventRun& run : runs) {
        Series by_tag;
        for (const EventFile& file : run.files) {
            for (const EventScalar& scalar : file.scalars) { supersede(by_tag[scalar.tag], scalar); }
            if (!file.note.empty()) { table.notes.push_back("run '" + run.name + "': " + file.note); }
        }
        if (is_cut(run)) {
            table.notes.push_back("run '" + run.name +
                                  "': its last file is cut short, so that it counts as stopped, unless --value "
                                  "state=ok says that it had finished");
        }
        std::map<std::int64_t, std::vector<std::string>> rows;
        for (const auto& [tag, series] : by_tag) {
            const auto [column, is_new] = position.try_emplace(tag, table.columns.size());
            if (is_new) { table.columns.push_back(tag); }
            for (const EventScalar& scalar : series) {
                auto& cells = rows[scalar.step];
                cells.resize(table.columns.size());
                cells[0] = run.name;
                cells[1] = fmt::format("{}", scalar.step);
                if (cells[2].empty()) { cells[2] = fmt::format("{}", scalar.wall_time); }
                if (has_state && is_cut(run)) { cells[3] = "cut short"; }
                cells[column->second] = fmt::format("{}", scalar.value);
            }
        }
        for (auto& [step, cells] : rows) {
            table.rows.push_back({fmt::format("run '{}', step {}", run.name, step), std::move(cells)});
        }
    }
    for (auto& row : table.rows) { row.cells.resize(table.columns.size()); }
    return table;
}

}  // namespace loglog
